"""The model of `reference.mnist`: a multilayer perceptron under Adam, whose rate falls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch.optim import Adam
from torch.optim.lr_scheduler import CosineAnnealingLR

from litcourse.models import MLP
from reference.classifier import Classifier
from reference.policies import WrapPolicy

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
    from torch import nn


def perceptron() -> nn.Module:
    """The network of the recipe: two hidden layers, 0.5 million parameters."""
    return MLP(hidden=(512, 256), dropout=0.2)


class DigitClassifier(Classifier):
    """A multilayer perceptron that reads digits.

    Args:
        network: makes the network: images (N, 1, 28, 28) to logits (N, 10).
        policy: the units of FSDP2.
        classes: how many there are; the network has to have as many logits.
        lr: learning rate of Adam at the start.
    """

    def __init__(
        self,
        network: Callable[[], nn.Module] = perceptron,
        policy: WrapPolicy | None = None,
        classes: int = 10,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(network, policy, classes)
        self.lr = lr

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Adam over all parameters; its rate falls a little after each epoch, to zero."""
        optimizer = Adam(self.parameters(), lr=self.lr)
        epochs = self.trainer.max_epochs or 1
        return {"optimizer": optimizer, "lr_scheduler": CosineAnnealingLR(optimizer, epochs)}
