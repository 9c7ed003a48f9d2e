"""Writes drawn images in the file formats of the real data sets, for torchvision to read.

1. `mnist`: `write_mnist`.
2. `cifar10`: `write_cifar10`.
"""
