"""`python -m reference.cifar10`."""

from reference.cifar10.cifar10_train import main

if __name__ == "__main__":
    main()
