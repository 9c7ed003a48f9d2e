"""`python -m reference.mnist`."""

from litcourse.requeue import listen

if __name__ == "__main__":
    listen()  # before the imports, which take seconds

    from reference.mnist.mnist_train import main

    main()
