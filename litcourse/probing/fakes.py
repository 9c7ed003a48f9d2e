"""Modules and data that replace a student's own in a probe; none solves a question."""

from __future__ import annotations

from typing import Any, ClassVar

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


class ScriptedMetricModule(L.LightningModule):
    """Learns nothing and logs `val_acc` from a given curve, one value per epoch.

    Its buffer `epoch_mark` holds the epoch, so that a checkpoint shows its epoch.

    Args:
        values: `val_acc` of each epoch; the last one is repeated past its end.
        longest: end the fit after so many epochs, whatever its `max_epochs`, noted in `planned`;
            0: let it be.
    """

    def __init__(self, values: list[float], longest: int = 0) -> None:
        super().__init__()
        self.values, self.longest = values, longest
        self.planned = -1
        self.epochs = self.fits = 0
        self.trained_on: list[int] = []
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.epoch_mark: Tensor
        self.register_buffer("epoch_mark", torch.tensor(-1))

    def on_fit_start(self) -> None:
        """Count the calls of fit, and bound the number of its epochs."""
        self.fits += 1
        planned = self.trainer.max_epochs
        if self.longest and planned is not None and planned > self.longest:
            self.planned = int(planned)
            self.trainer.fit_loop.max_epochs = self.longest

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """Record the samples and return a loss without meaning."""
        self.trained_on += [int(number) for number in batch[0]]
        self.epoch_mark.fill_(self.epochs)
        return (self.weight * batch[1]).sum()

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Log the epoch's value."""
        value = self.values[min(self.epochs, len(self.values) - 1)]
        self.log("val_acc", value, batch_size=len(batch[0]))

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """Log a value without meaning, for code that tests what it has trained."""
        del batch_idx
        self.log("test_acc", 0.5, batch_size=len(batch[0]))

    def on_validation_epoch_end(self) -> None:
        """Count the epoch, except in Lightning's sanity check."""
        if self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking:
            self.epochs += 1

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain gradient descent."""
        return torch.optim.SGD(self.parameters(), lr=1e-3)


class NoOpModule(L.LightningModule):
    """Takes any batch and learns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """A loss without meaning."""
        return (self.weight * batch[0].float().mean()).sum()

    def validation_step(self, _: list[Tensor], __: int) -> None:
        """Nothing."""

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """Nothing."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Gradient descent."""
        return torch.optim.SGD(self.parameters(), lr=1e-3)


class NotSetUpError(RuntimeError):
    """Code asked for a loader before `setup`, which a Trainer never does."""


class _FakeDataModule(L.LightningDataModule):
    """A data module that has data only after `setup`, as most have."""

    ready = False

    def setup(self, stage: str) -> None:
        """Make the loaders available."""
        del stage
        self.ready = True

    def _need_setup(self) -> None:
        if not self.ready:
            raise NotSetUpError("a loader was asked for before setup() had run")


class NumberedDataModule(_FakeDataModule):
    """Numbered samples, so that a module can tell which loader a sample came from."""

    TRAIN: ClassVar[range] = range(6)
    VAL: ClassVar[range] = range(100, 103)
    TEST: ClassVar[range] = range(200, 203)

    def train_dataloader(self) -> DataLoader[Any]:
        """Samples 0 to 5."""
        self._need_setup()
        return _number_samples(self.TRAIN)

    def val_dataloader(self) -> DataLoader[Any]:
        """Samples 100 to 102."""
        self._need_setup()
        return _number_samples(self.VAL)

    def test_dataloader(self) -> DataLoader[Any]:
        """Samples 200 to 202."""
        self._need_setup()
        return _number_samples(self.TEST)


def _number_samples(numbers: range) -> DataLoader[Any]:
    samples = TensorDataset(torch.tensor(list(numbers)), torch.ones(len(numbers)))
    return DataLoader(samples, batch_size=3)


class _Rows(TensorDataset):
    """Reads a whole batch at once: sample by sample takes longer than a training step."""

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        """Rows of each tensor; torch's DataLoader calls this method if a data set has it."""
        rows: tuple[Tensor, ...] = self[indices]
        return rows


class TensorDataModule(_FakeDataModule):
    """Images and labels given as tensors.

    Args:
        tensors: `train_images` (N, ...), `train_labels` (N,), and the same with `val`.
        batch_size: samples in a batch.
    """

    def __init__(self, tensors: dict[str, Tensor], batch_size: int) -> None:
        super().__init__()
        self.tensors = tensors
        self.batch_size = batch_size

    def train_dataloader(self) -> DataLoader[Any]:
        """Training samples in a new order each epoch."""
        return self._loader("train", self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Validation samples."""
        return self._loader("val", 256, shuffle=False)

    def test_dataloader(self) -> DataLoader[Any]:
        """Validation samples, for code that tests what it has trained."""
        return self.val_dataloader()

    def _loader(self, part: str, size: int, *, shuffle: bool) -> DataLoader[Any]:
        self._need_setup()
        samples = _Rows(self.tensors[f"{part}_images"], self.tensors[f"{part}_labels"])
        return DataLoader(samples, batch_size=size, shuffle=shuffle, collate_fn=list)
