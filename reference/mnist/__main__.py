"""`python -m reference.mnist`."""

from litcourse import slurm_warning

if __name__ == "__main__":
    slurm_warning.listen()  # before the imports, which take seconds

    from reference.mnist.mnist_train import main

    main()
