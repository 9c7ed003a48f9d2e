"""The model of `reference.cifar10`: a ResNet, and stochastic gradient descent under one cycle."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR

from litcourse.models import ResNet
from reference.classifier import Classifier
from reference.policies import WrapPolicy

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig


class ResNetClassifier(Classifier):
    """A ResNet that recognises photographs.

    Args:
        network: makes the network: images (N, 3, 32, 32) to logits (N, 10).
        policy: the units of FSDP2.
        classes: how many there are; the network has to have as many logits.
        max_lr: learning rate at the top of the cycle, for a global batch of 128; scale both alike.
        weight_decay: of weights; norms and biases have none.
        label_smoothing: probability that is spread over all classes.
    """

    def __init__(
        self,
        network: Callable[[], nn.Module] = ResNet,
        policy: WrapPolicy | None = None,
        classes: int = 10,
        max_lr: float = 0.1,
        weight_decay: float = 5e-4,
        label_smoothing: float = 0.1,
    ) -> None:
        super().__init__(network, policy, classes)
        self.max_lr, self.weight_decay = max_lr, weight_decay
        self.label_smoothing = label_smoothing

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy against smoothed labels."""
        return functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """SGD with Nesterov momentum; the rate rises and falls once, a little each step."""
        norms = {
            id(parameter)
            for module in self.modules()
            if isinstance(module, nn.BatchNorm2d)
            for parameter in module.parameters()
        }
        named = list(self.named_parameters())
        free = [p for name, p in named if id(p) in norms or name.endswith("bias")]
        decayed = [p for name, p in named if id(p) not in norms and not name.endswith("bias")]
        groups = [
            {"params": decayed, "weight_decay": self.weight_decay},
            {"params": free, "weight_decay": 0.0},
        ]
        optimizer = SGD(groups, lr=self.max_lr, momentum=0.9, nesterov=True)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = OneCycleLR(optimizer, self.max_lr, total_steps=steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
