"""File formats of the real data sets, to hand drawn images to torchvision.

1. `mnist`: `write_mnist`.
2. `cifar10`: `write_cifar10`.
"""
