"""A kind of images, and how a drawn one is recognised in what a loader yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from litcourse.probing.dataset_formats.mnist import write_mnist

UNKNOWN = -1
"""Index of an image that is none of the drawn ones."""
_AT_ONCE = 4096  # rows compared at a time, which bounds the memory whatever came back


@dataclass(frozen=True)
class Kind:
    """What a data module serves.

    Args:
        class_name: the student's class.
        shape: channels, height and width of an image.
        mean: of each channel, pixels in [0, 1].
        std: as `mean`.
        batch_size: the class's default.
        val_size: the class's default.
        codes: findings that this kind words in its own way, by those of lab 1.
        key_pixels: numbers per image by which later passes recognise a sample.
        costs_of_strangers: criteria that images of another form or origin cost besides theirs.
    """

    class_name: str
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    batch_size: int
    val_size: float
    codes: Mapping[str, str] = field(default_factory=dict)
    key_pixels: int = 28
    costs_of_strangers: tuple[str, ...] = ("split", "repeat", "order", "loaders")

    @property
    def formula(self) -> str:
        """Normalising, as a finding says it."""
        mean, std = (v[0] if len(v) == 1 else v for v in (self.mean, self.std))
        return f"(x - {mean}) / {std} of pixels in [0, 1]"

    def code(self, code: str) -> str:
        """The finding that stands for lab 1's `code`."""
        return self.codes.get(code, code)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Drawn bytes as a right loader gives them, float32 (N, *shape)."""
        mean, std = (torch.tensor(v).reshape(-1, 1, 1) for v in (self.mean, self.std))
        images: Tensor = (pixels.float().reshape(-1, *self.shape) / 255 - mean) / std
        return images

    def to_pixels(self, images: Tensor) -> Tensor:
        """Pixels in [0, 1] of normalised images."""
        mean, std = (torch.tensor(v).reshape(-1, 1, 1) for v in (self.mean, self.std))
        pixels: Tensor = images * std + mean
        return pixels

    def write(self, root: Path, sets: dict[str, dict[str, Tensor]]) -> None:
        """Write the drawn sets where torchvision looks for them below `root`."""
        write_mnist(root, sets)

    def key(self, images: Tensor) -> Tensor:
        """The part of images (N, ...) by which they are recognised later, (N, key_pixels)."""
        return images.flatten(1)[:, : self.key_pixels]

    def recognise(self, known: Tensor, images: Tensor) -> list[int]:
        """Indices of the `known` normalised images that `images` show, however scaled."""
        if images.shape[1:] != known.shape[1:]:
            return [UNKNOWN] * len(images)
        return match_rows(images.flatten(1), known.flatten(1))

    def recognise_keys(self, known: Tensor, keys: Tensor) -> list[int]:
        """The same for what `key` left of images."""
        return match_rows(keys, known.flatten(1)[:, : keys.shape[1]])

    def comparable(
        self, known: Tensor, images: Tensor, indices: list[int]
    ) -> tuple[Tensor, Tensor]:
        """What `images` should be, and where that can be said, both of their shape."""
        right = known[indices].to(images.dtype)
        return right, torch.ones_like(right, dtype=torch.bool)


def match_rows(seen: Tensor, known: Tensor) -> list[int]:
    """For each row of `seen` the index of the row of `known` that it is a scaled copy of; -1: none.

    Scaling and shifting all numbers alike leaves the correlation with the known row at 1.
    """
    right = _standardise(known)
    found: list[int] = []
    for rows in seen.split(_AT_ONCE):
        best = (_standardise(rows) @ right.T).max(dim=1)
        close = torch.where(best.values > 1 - 1e-3, best.indices, torch.tensor(UNKNOWN))
        found += [int(index) for index in close]
    return found


def _standardise(rows: Tensor) -> Tensor:
    centred: Tensor = rows.double() - rows.double().mean(dim=1, keepdim=True)
    scaled: Tensor = centred / centred.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return scaled
