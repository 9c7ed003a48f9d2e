"""Embedded colour images as `converge` draws them: three classes under new names."""

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
"""What a SmallCNN learns to tell apart within a second; all ten take it a minute."""
HALF = 2
"""Images are halved, which makes a step four times as cheap; a SmallCNN takes any size."""


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
    """Images, all turned alike and with channels in a drawn order, under permuted labels.

    Args:
        rng: random source.
        train: samples to train on, given.
        val: samples to validate on, given.
        withheld: samples for the judge alone.
    """
    source = make_generator(rng)
    images, labels = _pool()
    order = torch.randperm(len(labels), generator=source)
    learned, checked, unseen = order[: train + val + withheld].split([train, val, withheld])
    names = torch.randperm(CLASSES, generator=source)
    channels, turns = rng.sample(range(3), 3), rng.randrange(4)

    def taken(indices: Tensor) -> Tensor:
        return images[indices][:, channels].rot90(turns, (2, 3)).contiguous()

    shown = {
        "train_images": taken(learned),
        "train_labels": names[labels[learned]],
        "val_images": taken(checked),
        "val_labels": names[labels[checked]],
    }
    return Inputs(shown, {"images": taken(unseen), "labels": names[labels[unseen]]})
