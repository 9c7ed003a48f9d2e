"""Finds the image, the place (one of 81) and the mirroring of a crop.

A crop to 32x32 of an image with 4 pixels of padding always shows the image in its middle 24x24
pixels, whatever fills the padding. A grid of these pixels identifies image, place and mirroring.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from litcourse.probing.datamodules.kind import UNKNOWN, Kind
from litcourse.probing.dataset_formats.cifar10 import write_cifar10

SIDE, PAD = 32, 4
PLACES = 2 * PAD + 1
"""Number of places of a crop along each axis: its corner is at pixel 0 to 8 of the padded image."""
MIDDLE = slice(PAD, SIDE - PAD)
STRIDE = 8
GRID = (SIDE - 2 * PAD) // STRIDE
_AT_ONCE = 512  # crops compared at a time


@dataclass(frozen=True)
class Crops:
    """Image, place and mirroring of N crops, each (N,) int64.

    Args:
        image: index of the drawn image; -1 if the crop shows none.
        down: rows from the padded image's top to the crop's top.
        across: columns from the padded image's left edge to the crop's left edge.
        mirrored: 1 where the image is mirrored, else 0.
    """

    image: Tensor
    down: Tensor
    across: Tensor
    mirrored: Tensor


def grid(images: Tensor) -> Tensor:
    """Every eighth of the middle pixels of images (N, 3, 32, 32) along each axis, as (N, 27)."""
    return images[:, :, MIDDLE, MIDDLE][:, :, ::STRIDE, ::STRIDE].flatten(1)


def _all_grids(known: Tensor) -> Tensor:
    """Grids of all crops, (N * 2 * 81, 27), by image, mirroring, row, column."""
    sides = torch.stack([known, known.flip(3)], dim=1)
    span = (GRID - 1) * STRIDE + 1
    rows = sides.unfold(3, span, 1)[:, :, :, :PLACES, :, ::STRIDE]
    both = rows.unfold(4, span, 1)[:, :, :, :, :PLACES, :, ::STRIDE]
    return both.permute(0, 1, 3, 4, 2, 5, 6).flatten(4).flatten(0, 3)


def locate_crops(known: Tensor, keys: Tensor) -> Crops:
    """The crops of `known` images (N, 3, 32, 32) that have these `keys`, by `grid`: (M, 27).

    A crop may scale and shift each channel, which leaves the channel's correlation at 1.
    """
    right = _standardise(_all_grids(known))
    best = [(_standardise(rows) @ right.T).max(dim=1) for rows in keys.split(_AT_ONCE)]
    if not best:
        none = torch.zeros(0, dtype=torch.int64)
        return Crops(none, none, none, none)
    score, index = (torch.cat(list(part)) for part in zip(*best, strict=True))
    index = torch.where(score > 1 - 1e-3, index, UNKNOWN)
    corner, image = index % PLACES**2, index.div(2 * PLACES**2, rounding_mode="floor")
    side = index.div(PLACES**2, rounding_mode="floor") % 2
    return Crops(
        image.clamp_min(UNKNOWN), corner.div(PLACES, rounding_mode="floor"), corner % PLACES, side
    )


def split_crops(crops: Crops, sizes: list[int]) -> list[Crops]:
    """The crops of several passes, by the number of crops in each pass."""
    parts = (part.split(sizes) for part in (crops.image, crops.down, crops.across, crops.mirrored))
    return [Crops(*columns) for columns in zip(*parts, strict=True)]


def drop_unknown(crops: Crops, sizes: list[int]) -> tuple[Crops, list[int]]:
    """A pass without unknown images, and the new sizes of its batches."""
    known = crops.image != UNKNOWN
    counts = [int(batch.sum()) for batch in known.split(sizes)]
    parts = (crops.image, crops.down, crops.across, crops.mirrored)
    return Crops(*(part[known] for part in parts)), [count for count in counts if count]


def _standardise(rows: Tensor) -> Tensor:
    each = rows.float().reshape(len(rows), 3, GRID * GRID)
    centred = each - each.mean(dim=2, keepdim=True)
    scaled: Tensor = (centred / centred.norm(dim=2, keepdim=True).clamp_min(1e-12)).flatten(1)
    return scaled / 3**0.5


def crop(known: Tensor, crops: Crops) -> tuple[Tensor, Tensor]:
    """The crops (M, 3, 32, 32), and a mask of the pixels that are not padding, of that shape."""
    images, shown = [], []
    for number, down, across, mirrored in zip(
        crops.image, crops.down, crops.across, crops.mirrored, strict=True
    ):
        image = known[number].flip(2) if mirrored else known[number]
        padded = torch.nn.functional.pad(image, (PAD,) * 4)
        inside = torch.nn.functional.pad(torch.ones_like(image), (PAD,) * 4)
        window = (slice(None), slice(down, down + SIDE), slice(across, across + SIDE))
        images.append(padded[window])
        shown.append(inside[window] > 0)
    return torch.stack(images), torch.stack(shown)


class CroppedKind(Kind):
    """CIFAR10's images, which it also recognises when cropped and mirrored, or upside down."""

    def write(self, root: Path, sets: dict[str, dict[str, Tensor]]) -> None:
        """Write the drawn sets where torchvision looks for CIFAR10 below `root`."""
        write_cifar10(root, sets)

    def key(self, images: Tensor) -> Tensor:
        """The grid of the images' middle."""
        if images.shape[1:] != self.shape:  # another finding judges the shape
            return images.flatten(1)[:, : self.key_pixels]
        return grid(images)

    def recognise(self, known: Tensor, images: Tensor) -> list[int]:
        """Indices of the known images that `images` show, cropped or not."""
        if images.shape[1:] != known.shape[1:] or images.is_complex():
            return [UNKNOWN] * len(images)
        return self.recognise_keys(known, grid(images))

    def recognise_keys(self, known: Tensor, keys: Tensor) -> list[int]:
        """As `recognise`, for grids."""
        if keys.shape[1] != self.key_pixels or keys.is_complex():
            return [UNKNOWN] * len(keys)
        image = locate_crops(known, keys).image
        strange = image == UNKNOWN
        # Upside down is wrong, and no reason not to know an image: the split shows all the same.
        image[strange] = locate_crops(known.flip(2), keys[strange]).image
        return [int(index) for index in image]

    def comparable(
        self, known: Tensor, images: Tensor, indices: list[int]
    ) -> tuple[Tensor, Tensor]:
        """The right pixels of each crop, and a mask of the pixels that are not padding."""
        del indices
        crops = locate_crops(known, grid(images))
        right, shown = crop(known, crops)
        strange = crops.image == UNKNOWN
        if strange.any():
            turned = known.flip(2)
            other = locate_crops(turned, grid(images[strange]))
            right[strange], shown[strange] = crop(turned, other)
        return right, shown
