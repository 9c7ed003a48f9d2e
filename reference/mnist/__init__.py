"""Handwritten digits: the small program. `python -m reference.mnist fit` trains it."""
