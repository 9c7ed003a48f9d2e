"""Lab 2, A real pipeline: CIFAR10."""
