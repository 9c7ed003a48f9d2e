"""Handwritten digits: the small program. `python -m reference.mnist fit` trains it.

1. `mnist_model`: the module. 2. `mnist_data`: its data. 3. `mnist_train`: the program.
"""
