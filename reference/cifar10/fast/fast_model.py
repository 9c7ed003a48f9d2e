"""The model: how the network is started, optimised and asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from reference.cifar10.fast.lookahead import Lookahead
from reference.cifar10.fast.network import WhitenedNet
from reference.classifier import Batch, Classifier
from reference.refusals import RefusalError

if TYPE_CHECKING:
    import lightning as L
    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig

WHITENING_SAMPLE = 5000
"""Images from which the first layer is set."""
BIAS_EPOCHS = 3
"""Epochs after which the bias of that layer is frozen too; its weights always are."""


class FastClassifier(Classifier):
    """A small network under large steps.

    Rates are given as airbench gives them: per 1024 examples, for a loss that is summed over the
    batch, and *decoupled*: the momentum's gain is divided out, and weight decay does not depend on
    the rate, though both follow the schedule.

    Args:
        network: makes the network.
        lr: learning rate.
        bias_scale: what the rate of the batch norms' shifts is multiplied by.
        momentum: of SGD, Nesterov's.
        weight_decay: what a step takes from each weight, per 1024 examples.
        label_smoothing: probability that is spread over all classes.
    """

    fixed_schedule = False

    def __init__(
        self,
        network: Callable[[], nn.Module] = WhitenedNet,
        lr: float = 11.5,
        bias_scale: float = 64.0,
        momentum: float = 0.85,
        weight_decay: float = 0.0153,
        label_smoothing: float = 0.2,
    ) -> None:
        super().__init__(network)
        self.lr, self.bias_scale, self.momentum = lr, bias_scale, momentum
        self.weight_decay, self.label_smoothing = weight_decay, label_smoothing

    def configure_model(self) -> None:
        """Build the network, in the memory layout that convolutions like."""
        built = self.model is not None
        super().configure_model()
        if self.model is not None and not built:
            self.model.to(memory_format=torch.channels_last)

    def configure_callbacks(self) -> list[L.Callback]:
        """The slow weights belong to the recipe."""
        return [Lookahead()]

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """SGD; the rate rises to its peak in the first quarter and falls to a fifteenth."""
        batch: int = self.trainer.datamodule.hparams["batch_size"]  # type: ignore[attr-defined]
        gain = 1024 * (1 + 1 / (1 - self.momentum))
        # Times the batch, since our loss is a mean.
        lr, decay = batch * self.lr / gain, batch * self.weight_decay / gain
        named = [(n, p) for n, p in self.named_parameters() if p.requires_grad]
        groups = [
            {"params": [p for n, p in named if "norm" in n], "lr": lr * self.bias_scale},
            {"params": [p for n, p in named if "norm" not in n], "lr": lr},
        ]
        for group in groups:
            group["weight_decay"] = decay / group["lr"]  # type: ignore[operator]  # a float
        optimizer = SGD(groups, momentum=self.momentum, nesterov=True)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = LambdaLR(optimizer, lambda step: triangle(step / total))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_train_start(self) -> None:
        """Set the whitening layer from the images; a checkpoint would have brought it."""
        if self.trainer.world_size > 1:
            raise RefusalError("fast trains on one device", "--trainer.devices=1")
        if self.global_step == 0:
            images: Tensor = self.trainer.datamodule.images  # type: ignore[attr-defined]
            self._network.fit_whitening(images[:WHITENING_SAMPLE].to(self.device))
        self.on_train_epoch_start()  # Lightning leaves it out of an epoch that was cut

    def on_train_epoch_start(self) -> None:
        """Freeze the first layer's bias when it is time."""
        bias = self._network.whiten.bias
        if bias is not None:
            bias.requires_grad_(self.current_epoch < BIAS_EPOCHS)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy against smoothed labels."""
        return functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Measure on the mean of six views: three shifts, each mirrored too."""
        self._measure("test", self.six_views(batch[0]), batch[1])

    def six_views(self, images: Tensor) -> Tensor:
        """Return (N, classes) logits of images (N, 3, 32, 32): half the weight on the unshifted."""
        padded = functional.pad(images, (1, 1, 1, 1), mode="reflect")
        views = ((0.5, images), (0.25, padded[..., :-2, :-2]), (0.25, padded[..., 2:, 2:]))
        return sum(
            (w * 0.5 * (self(view) + self(view.flip(-1))).float() for w, view in views),
            start=torch.zeros((), device=images.device),
        )

    @property
    def _network(self) -> WhitenedNet:
        assert isinstance(self.model, WhitenedNet)  # noqa: S101  configure_model has run
        return self.model


def triangle(progress: float) -> float:
    """The factor of the learning rate after a share `progress` of the steps."""
    return float(np.interp(progress, (0.0, 0.23, 1.0), (0.2, 1.0, 0.07)))
