"""The data module with which `converge` has students train."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from litcourse.probing.fakes import TensorDataModule


class ShapeData(TensorDataModule):
    """Drawn images in batches, which also counts the calls of `train_dataloader` in `asked`.

    Args:
        tensors: as for `TensorDataModule`; images are stored channels last, which saves a quarter
            of a convolution's time.
        batch_size: samples in a batch.
        cut: end the run after its first epoch, whatever its `max_epochs`, noted in `planned`.
    """

    def __init__(self, tensors: dict[str, Tensor], batch_size: int, *, cut: bool = False) -> None:
        super().__init__(
            {name: to_channels_last(value) for name, value in tensors.items()}, batch_size
        )
        self.asked = 0
        self.cut = cut
        self.planned = -1

    def train_dataloader(self) -> Any:
        """Training samples; counts the call."""
        self.asked += 1
        if self.cut and self.trainer is not None and self.planned < 0:
            self.planned = int(self.trainer.max_epochs or 0)
            self.trainer.fit_loop.max_epochs = 1
        return super().train_dataloader()

    def test_dataloader(self) -> Any:
        """The validation images, for code that needs a test loader."""
        return self.val_dataloader()


def to_channels_last(tensor: Tensor) -> Tensor:
    """Images (N, channels, height, width) in memory with the channels last; others as they are."""
    images = tensor.dim() == 4  # noqa: PLR2004 (N, channels, height, width)
    return tensor.contiguous(memory_format=torch.channels_last) if images else tensor
