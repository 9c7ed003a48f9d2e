"""Draws two sets of images for a data module, and the arguments of its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import torch

from litcourse.probing.networks import CLASSES, make_generator

SIZES, USUAL = range(7, 14), 13
"""Batch sizes to choose from, and the one to use if none of them leaves a smaller last batch."""
MANY = {"train": (5800, 6200), "test": (5100, 5400)}
"""More samples than a cut at 5,000 leaves; few of them are read."""
CLEARLY = 3
"""The last batch of each loader has at least so many samples."""


def draw_sets(
    rng: Random,
    shape: tuple[int, ...],
    counts: Mapping[str, tuple[int, int]],
    val_sizes: Sequence[float],
) -> dict[str, Any]:
    """Images and labels of each set, and `batch_size`, `val_size` and two `seeds` of the class.

    Besides `many`, the sizes of two sets of thousands and their `val_size`.

    Args:
        rng: random source.
        shape: shape of an image; pixels are uint8.
        counts: for each set the smallest number of samples, and the largest plus one.
        val_sizes: shares of the training set to choose from.
    """
    sets = {}
    for name, (low, high) in counts.items():
        count, source = rng.randrange(low, high), make_generator(rng)
        images = torch.randint(256, (count, *shape), generator=source, dtype=torch.uint8)
        labels = torch.randint(CLASSES, (count,), generator=source)
        sets[name] = {"images": images, "labels": labels}
    total, val_size = len(sets["train"]["labels"]), rng.choice(val_sizes)
    val = round(val_size * total)
    # The last batch of each loader is smaller but not tiny, so that drop_last=True shows.
    sizes = [n for n in SIZES if min(val % n, (total - val) % n) >= CLEARLY]
    return {
        "sets": sets,
        "batch_size": rng.choice(sizes or [USUAL]),
        "val_size": val_size,
        "seeds": rng.sample(range(1, 10**6), 2),
        "many": {
            **{name: rng.randrange(*counts) for name, counts in MANY.items()},
            "val_size": rng.randrange(100, 300) / 1000 + 0.00045,  # three digits are not enough
        },
    }
