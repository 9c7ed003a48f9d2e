"""The images that travel with the package, so that every lab works without a network.

``digits`` stands in for MNIST and ``shapes`` for CIFAR10; ``litcourse.data`` serves both.
"""
