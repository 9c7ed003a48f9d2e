"""Describes a kind of images, and recognises a drawn image in a loader's batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from litcourse.probing.dataset_formats.mnist import write_mnist

UNKNOWN = -1
"""Index for an image that is not one of the drawn ones."""
_AT_ONCE = 4096  # rows compared at a time; bounds the memory for any number of images


@dataclass(frozen=True)
class Kind:
    """The images that a data module serves, and the defaults of its class.

    Args:
        class_name: name of the student's class.
        shape: channels, height and width of an image.
        mean: mean of each channel, for pixels in [0, 1].
        std: standard deviation of each channel, for pixels in [0, 1].
        batch_size: the class's default.
        val_size: the class's default.
        codes: lab 1's finding codes, mapped to those of this kind where they differ.
        key_pixels: numbers per image by which the judge recognises a sample in later passes.
        costs_of_strangers: criteria that images of another shape or origin cost besides "images".
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
    def image_shape(self) -> tuple[int, ...]:
        """The shape of a drawn image, as `write` takes it: without a channel if there is one."""
        return self.shape if self.shape[0] > 1 else self.shape[1:]

    @property
    def formula(self) -> str:
        """The formula of normalisation, for a finding."""
        mean, std = (v[0] if len(v) == 1 else v for v in (self.mean, self.std))
        return f"(x - {mean}) / {std} of pixels in [0, 1]"

    def code(self, code: str) -> str:
        """This kind's finding code in place of lab 1's `code`."""
        return self.codes.get(code, code)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Drawn uint8 pixels as a right loader gives them, float32 (N, *shape)."""
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
        """The part of images (N, ...) by which the judge recognises them, (N, key_pixels)."""
        return images.flatten(1)[:, : self.key_pixels]

    def recognise(self, known: Tensor, images: Tensor) -> list[int]:
        """For each of `images` the index of the `known` image that it shows, in any scale."""
        if images.shape[1:] != known.shape[1:]:
            return [UNKNOWN] * len(images)
        return match_rows(images.flatten(1), known.flatten(1))

    def recognise_keys(self, known: Tensor, keys: Tensor) -> list[int]:
        """As `recognise`, for keys that `key` returned."""
        return match_rows(keys, known.flatten(1)[:, : keys.shape[1]])

    def comparable(
        self, known: Tensor, images: Tensor, indices: list[int]
    ) -> tuple[Tensor, Tensor]:
        """The right values of `images`, and a mask of pixels to compare, both of their shape."""
        right = known[indices].to(images.dtype)
        return right, torch.ones_like(right, dtype=torch.bool)


def match_rows(seen: Tensor, known: Tensor) -> list[int]:
    """For each row of `seen` the index of the `known` row that it scales and shifts; -1: none.

    Rows match if their correlation is 1, which scale and shift do not change.
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
