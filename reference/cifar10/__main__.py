"""`python -m reference.cifar10`."""

from litcourse import slurm_warning

if __name__ == "__main__":
    slurm_warning.listen()  # before the imports, which take seconds

    from reference.cifar10.cifar10_train import main

    main()
