"""`python -m reference.cifar10.fast`."""

from litcourse import slurm_warning

if __name__ == "__main__":
    slurm_warning.listen()  # before the imports, which take seconds

    from reference.cifar10.fast.fast_train import main

    main()
