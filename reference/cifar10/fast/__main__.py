"""`python -m reference.cifar10.fast`."""

from litcourse.requeue import listen

if __name__ == "__main__":
    listen()  # before the imports, which take seconds

    from reference.cifar10.fast.fast_train import main

    main()
