"""`python -m reference.mnist`."""

from reference.mnist.mnist_train import main

if __name__ == "__main__":
    main()
