"""`python -m reference.cifar10`."""

from reference.cifar10.train import main

if __name__ == "__main__":
    main()
