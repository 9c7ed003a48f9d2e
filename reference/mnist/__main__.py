"""`python -m reference.mnist`."""

from reference.mnist.train import main

if __name__ == "__main__":
    main()
