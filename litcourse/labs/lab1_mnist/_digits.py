"""Draws embedded digits for `fit`, and loads the weights of a run on them."""

from __future__ import annotations

import pickle
from functools import cache
from random import Random

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from litcourse.core.question import Inputs
from litcourse.data import MNIST_MEAN, MNIST_STD
from litcourse.embedded.sets import EmbeddedMNIST
from litcourse.probing.networks import CLASSES, make_generator
from litcourse.probing.run_files import load_weights

NEIGHBOURS = 5


@cache
def _pool() -> tuple[Tensor, Tensor, Tensor]:
    """All embedded digits: images uint8 (N, 28, 28), labels (N,), and a mask of clear ones (N,).

    A digit is clear if its five nearest neighbours have its label. Some others are ambiguous even
    to a person; scoring on clear ones alone keeps a right answer far above the limit.
    """
    images, labels = [], []
    for train in (True, False):
        digits = EmbeddedMNIST(train, None)
        images.append(torch.stack([pil_to_tensor(digits[i][0])[0] for i in range(len(digits))]))
        labels.append(torch.as_tensor(digits.targets))
    x, y = torch.cat(images), torch.cat(labels).long()
    pixels = x.flatten(1).float()
    gaps = torch.cdist(pixels, pixels).fill_diagonal_(torch.inf)
    near = gaps.topk(NEIGHBOURS, largest=False).indices
    return x, y, (y[near] == y[:, None]).all(dim=1)


def draw_digits(rng: Random, train: int, val: int, withheld: int) -> Inputs:
    """Digits with permuted labels, all shifted by the same offset of at most a pixel.

    Images are uint8 (N, 1, 28, 28), a fourth of the size of floats; `normalise` converts them.

    Args:
        rng: random source.
        train: number of training samples.
        val: number of clear validation samples.
        withheld: number of clear samples for the judge alone.
    """
    source = make_generator(rng)
    images, labels, clear = _pool()
    order = torch.randperm(len(labels), generator=source)
    unseen, checked = order[clear[order]][: withheld + val].split([withheld, val])
    learned = order[~torch.isin(order, torch.cat([unseen, checked]))][:train]
    permutation = torch.randperm(CLASSES, generator=source)
    across, down = (rng.randrange(-1, 2) for _ in range(2))
    x = images.roll((down, across), (1, 2)).unsqueeze(1)
    y = permutation[labels]
    shown = {
        "train_images": x[learned],
        "train_labels": y[learned],
        "val_images": x[checked],
        "val_labels": y[checked],
    }
    return Inputs(shown, {"images": x[unseen], "labels": y[unseen]})


def normalise(images: Tensor) -> Tensor:
    """Images (N, 1, 28, 28) uint8 as float32 with MNIST's mean and deviation."""
    return (images.float() / 255 - MNIST_MEAN[0]) / MNIST_STD[0]


def own_weights(path: str) -> dict[str, Tensor]:
    """As `load_weights`, also for a file in which `save_hyperparameters()` pickled the network.

    Only for a file that this process wrote, since unpickling a network runs code.
    """
    try:
        return load_weights(path)
    except pickle.UnpicklingError:
        content = torch.load(path, map_location="cpu", weights_only=False)
        return dict(content["state_dict"])
