"""Embedded digits as `fit` draws them, and the figure of a run on them."""

from __future__ import annotations

import io
from random import Random

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from litcourse.data import MNIST_MEAN, MNIST_STD
from litcourse.embedded.sets import EmbeddedMNIST
from litcourse.networks import CLASSES, generator
from litcourse.question import Draw


def _pool() -> tuple[Tensor, Tensor]:
    """All embedded digits: pixels in [0, 1], float32 (N, 28, 28), and labels int64 (N,)."""
    images, labels = [], []
    for train in (True, False):
        digits = EmbeddedMNIST(train, None)
        images.append(torch.stack([pil_to_tensor(digits[i][0])[0] for i in range(len(digits))]))
        labels.append(torch.as_tensor(digits.targets))
    return torch.cat(images).float() / 255, torch.cat(labels).long()


def drawn_digits(rng: Random, train: int, val: int, kept: int) -> Draw:
    """Digits moved by a pixel or two, under a permutation of their labels.

    Args:
        rng: random source.
        train: samples to train on, given.
        val: samples to validate on, given.
        kept: samples for the judge alone.
    """
    source = generator(rng)
    images, labels = _pool()
    chosen = torch.randperm(len(labels), generator=source)[: train + val + kept]
    permutation = torch.randperm(CLASSES, generator=source)
    moves = torch.randint(-1, 2, (1, 2), generator=source).tolist() * len(chosen)
    moved = [images[i].roll((x, y), (0, 1)) for i, (x, y) in zip(chosen, moves, strict=True)]
    x = ((torch.stack(moved) - MNIST_MEAN[0]) / MNIST_STD[0]).unsqueeze(1)
    y = permutation[labels[chosen]]
    given = {
        "train_images": x[:train],
        "train_labels": y[:train],
        "val_images": x[train : train + val],
        "val_labels": y[train : train + val],
    }
    return Draw(given, {"images": x[train + val :], "labels": y[train + val :]})


def figure(curve: list[float], least: float) -> str:
    """An SVG of `val_acc` by epoch, its best epoch marked and `least` as a line."""
    from matplotlib.figure import Figure

    if not curve:
        return ""
    picture = Figure(figsize=(4.6, 1.9), layout="constrained")
    axes = picture.subplots()
    axes.plot(range(len(curve)), curve, marker="o", color="#1565c0")
    best = curve.index(max(curve))
    axes.plot(best, curve[best], marker="o", markersize=11, fillstyle="none", color="#2e7d32")
    axes.annotate("best", (best, curve[best]), (0, -16), textcoords="offset points", ha="center")
    axes.axhline(least, color="#888888", linewidth=0.8, linestyle="--")
    axes.set(xlabel="epoch", ylabel="val_acc", ylim=(min(0.0, *curve), 1.05))
    text = io.StringIO()
    picture.savefig(text, format="svg")
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
