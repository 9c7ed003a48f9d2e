"""The model of `reference.mnist`: a multilayer perceptron under Adam."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from litcourse.models import MLP
from reference.classifier import Classifier
from reference.policies import WrapPolicy

PERCEPTRON = partial(MLP, hidden=(512, 256), dropout=0.2)


class DigitClassifier(Classifier):
    """A multilayer perceptron that reads digits.

    Args:
        network: makes the network: images (N, 1, 28, 28) to logits (N, 10).
        policy: the units of FSDP2.
        lr: learning rate of Adam.
    """

    def __init__(
        self,
        network: Callable[[], nn.Module] = PERCEPTRON,
        policy: WrapPolicy | None = None,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(network, policy)
        self.lr = lr

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam over all parameters."""
        return torch.optim.Adam(self.parameters(), lr=self.lr)
