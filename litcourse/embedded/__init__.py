"""The images that ship with the package, so that every lab works without a network.

1. `sets`: the images as data sets with torchvision's conventions; `litcourse.data` serves them.
2. `digits`: stands in for MNIST.
3. `shapes`: stands in for CIFAR10.
"""
