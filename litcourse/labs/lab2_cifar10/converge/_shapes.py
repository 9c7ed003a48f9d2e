"""Draws embedded colour images of three classes, with permuted labels, for `converge`."""

from __future__ import annotations

from functools import cache
from random import Random

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from litcourse.core.question import Inputs
from litcourse.data import CIFAR10_MEAN, CIFAR10_STD
from litcourse.embedded.sets import EmbeddedCIFAR10
from litcourse.probing.networks import CLASSES, make_generator

CHOSEN = ("ring", "square", "two dots")
"""A SmallCNN learns these three classes within a second; all ten take a minute."""
HALF = 2
"""Half the side makes a step four times as cheap; a SmallCNN takes images of any size."""


@cache
def _pool() -> tuple[Tensor, Tensor]:
    """The chosen images of both parts, normalised float32 (N, 3, 16, 16), and their classes."""
    images, labels = [], []
    for train in (True, False):
        shapes = EmbeddedCIFAR10(train)
        wanted = torch.tensor([shapes.classes.index(name) for name in CHOSEN])
        targets = torch.as_tensor(shapes.targets)
        chosen = torch.isin(targets, wanted)
        images.append(torch.as_tensor(shapes.data)[chosen].permute(0, 3, 1, 2))
        labels.append(targets[chosen])
    mean, std = (torch.tensor(v).reshape(-1, 1, 1) for v in (CIFAR10_MEAN, CIFAR10_STD))
    pixels = (torch.cat(images).float() / 255 - mean) / std
    return avg_pool2d(pixels, HALF), torch.cat(labels)


def draw_shapes(rng: Random, train: int, val: int, withheld: int) -> Inputs:
    """Images, all with one rotation and one order of channels, and their permuted labels.

    Args:
        rng: random source.
        train: number of training samples.
        val: number of validation samples.
        withheld: number of samples for the judge alone.
    """
    source = make_generator(rng)
    images, labels = _pool()
    order = torch.randperm(len(labels), generator=source)
    learned, checked, unseen = order[: train + val + withheld].split([train, val, withheld])
    names = torch.randperm(CLASSES, generator=source)
    channels, turns = rng.sample(range(3), 3), rng.randrange(4)

    def transform(indices: Tensor) -> Tensor:
        return images[indices][:, channels].rot90(turns, (2, 3)).contiguous()

    shown = {
        "train_images": transform(learned),
        "train_labels": names[labels[learned]],
        "val_images": transform(checked),
        "val_labels": names[labels[checked]],
    }
    return Inputs(shown, {"images": transform(unseen), "labels": names[labels[unseen]]})
