"""The data: all of it in memory, normalised once, augmented a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from litcourse.data import CIFAR10_MEAN, CIFAR10_STD, cifar10
from reference.resuming.epoch_order import batches_had

SHIFT = 2
"""Pixels that an image moves at most, in each direction."""


@dataclass(frozen=True)
class Epoch:
    """The batches of one training epoch; the same seed and epoch give the same ones.

    Every image is mirrored in every second epoch, half of them in the even ones: two epochs
    show both sides of each, where chance would show a quarter of them one side twice.

    Args:
        images: (N, 3, 32 + 2 * SHIFT, 32 + 2 * SHIFT), padded.
        labels: (N,).
        batch_size: images in a batch; the rest is left out.
        seed: of the run.
        epoch: from 0.
        had: how many of its batches were had before the run was cut.
    """

    images: Tensor
    labels: Tensor
    batch_size: int
    seed: int
    epoch: int
    had: Callable[[], int] = int

    def __len__(self) -> int:
        return len(self.labels) // self.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        count = len(self.labels)
        sides = torch.randint(2, (count,), generator=torch.Generator().manual_seed(self.seed))
        chance = torch.Generator().manual_seed(self.seed + 1_000_003 * (self.epoch + 1))
        order = torch.randperm(count, generator=chance)
        shifts = torch.randint(2 * SHIFT + 1, (count, 2), generator=chance)
        batches = order[: len(self) * self.batch_size].split(self.batch_size)
        for chosen in batches[self.had() :]:
            batch = shifted(self.images[chosen], shifts[chosen])
            mirrored = sides[chosen] != self.epoch % 2
            batch = torch.where(mirrored.view(-1, 1, 1, 1), batch.flip(-1), batch)
            yield batch.contiguous(memory_format=torch.channels_last), self.labels[chosen]

    def state_dict(self) -> dict[str, Any]:
        """Nothing: Lightning counts batches. It warns where a loader has no such method."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """There is nothing to load."""


def shifted(padded: Tensor, shifts: Tensor) -> Tensor:
    """Cut an image out of each of `padded` (N, C, H, W), its corner at `shifts` (N, 2)."""
    size = padded.shape[-1] - 2 * SHIFT
    window = torch.arange(size)
    rows = (shifts[:, :1] + window).view(-1, 1, size, 1)
    columns = (shifts[:, 1:] + window).view(-1, 1, 1, size)
    sample = torch.arange(len(padded)).view(-1, 1, 1, 1)
    channel = torch.arange(padded.shape[1]).view(1, -1, 1, 1)
    return padded[sample, channel, rows, columns]


class FastData(L.LightningDataModule):
    """CIFAR10 in memory, 800 MB of it; no image is held out, so there is nothing to validate with.

    Args:
        data_dir: folder of the real images, downloaded if they are not there; without it,
            what LITCOURSE_DATA names, or the small set that travels with `litcourse`.
        batch_size: images in a batch.
        seed: of order, shifts and sides.
    """

    def __init__(self, data_dir: str | None = None, batch_size: int = 1024, seed: int = 42) -> None:
        super().__init__()
        self.save_hyperparameters()

    def prepare_data(self) -> None:
        """Download."""
        cifar10(self.hparams["data_dir"])

    def setup(self, stage: str) -> None:
        """Load what `stage` needs."""
        self.images, self.labels = self._load(train=stage == "fit")
        if stage == "fit":
            self.padded = functional.pad(self.images, (SHIFT,) * 4, mode="reflect")

    def _load(self, *, train: bool) -> tuple[Tensor, Tensor]:
        found = cifar10(self.hparams["data_dir"], train=train)
        images = torch.from_numpy(found.data).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (CIFAR10_MEAN, CIFAR10_STD))
        return (images - mean) / std, torch.tensor(found.targets)

    def train_dataloader(self) -> Epoch:
        """The batches of the epoch that begins; the Trainer asks anew for each epoch."""
        epoch = self.trainer.current_epoch if self.trainer else 0
        size, seed = self.hparams["batch_size"], self.hparams["seed"]
        had = partial(batches_had, self.trainer)
        return Epoch(self.padded, self.labels, size, seed, epoch, had)

    def test_dataloader(self) -> DataLoader[Any]:
        """Every test image once."""
        return DataLoader(TensorDataset(self.images, self.labels), batch_size=500)
