"""The module that `engineer`'s Trainers train, which records steps, rates and precision."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


class TooLongError(RuntimeError):
    """A run has more epochs than it should, and may be endless."""


class Measured(L.LightningModule):
    """A module with given gradients and a given `val_acc`, which records what the Trainer does.

    The gradient of a batch is the mean of its rows, so the change of the weights in a step shows
    whether and how the Trainer clipped it. Each step has its own learning rate. The buffer
    `epoch_mark` holds the epoch of a checkpoint.

    Args:
        curve: `val_acc` of each epoch; the last value is repeated past its end.
        width: numbers in a row.
        longest: number of epochs; a further one raises `TooLongError`.
    """

    def __init__(self, curve: list[float], width: int, longest: int) -> None:
        super().__init__()
        self.curve, self.longest = curve, longest
        self.epochs = self.val_batches = 0
        self.validated: list[int] = []
        self.rates: list[float] = []
        self.weights_seen: list[Tensor] = []
        self.dtypes: list[str] = []
        self.first = torch.nn.Parameter(torch.zeros(width // 2))
        self.second = torch.nn.Parameter(torch.zeros(width - width // 2))
        self.square: Tensor
        self.register_buffer("square", torch.ones(width, width))
        self.epoch_mark: Tensor
        self.register_buffer("epoch_mark", torch.tensor(-1))

    def _flat(self) -> Tensor:
        return torch.cat([self.first, self.second])

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """A loss whose gradient is the mean of the batch's rows; records the dtype of a product."""
        if self.epochs >= self.longest:
            raise TooLongError
        rows = batch[0]
        self.epoch_mark.fill_(self.epochs)
        self.dtypes.append(str(torch.nn.functional.linear(rows, self.square).dtype))
        return (rows * self._flat()).sum(dim=1).mean()

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        """Record weights and learning rate."""
        self.weights_seen.append(self._flat().detach().float().cpu().clone())
        self.rates.append(float(optimizer.param_groups[0]["lr"]))

    def on_train_epoch_end(self) -> None:
        """Count the epoch, after its validation."""
        self.epochs += 1

    def on_train_end(self) -> None:
        """Record the weights after the last step."""
        self.weights_seen.append(self._flat().detach().float().cpu().clone())

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Log the epoch's value."""
        value = self.curve[min(self.epochs, len(self.curve) - 1)]
        self.log("val_acc", value, batch_size=len(batch[0]))
        self.val_batches += not self.trainer.sanity_checking

    def on_validation_epoch_end(self) -> None:
        """Record the epoch of the validation, except Lightning's sanity check."""
        if not self.trainer.sanity_checking:
            self.validated.append(self.epochs)

    def configure_optimizers(self) -> Any:
        """Gradient descent with a rate that falls with each step."""
        optimizer = torch.optim.SGD(self.parameters(), lr=0.5)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + 0.01 * step))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def rows_of(rows: Tensor) -> DataLoader[Any]:
    """Each of `rows` (N, width) as a batch of its own, in order."""
    return DataLoader(TensorDataset(rows), batch_size=1)
