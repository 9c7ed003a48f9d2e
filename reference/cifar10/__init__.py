"""Small photographs: a ResNet, and in `fast` a small network that is tuned for time.

1. `cifar10_model`: the module. 2. `cifar10_data`: its data. 3. `cifar10_train`: the program.
"""
