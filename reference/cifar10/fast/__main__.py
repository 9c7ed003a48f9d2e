"""`python -m reference.cifar10.fast`."""

from reference.cifar10.fast.fast_train import main

if __name__ == "__main__":
    main()
