"""Print how the embedded images behave: statistics, time to draw, a linear model, the networks.

    python tools/measure_embedded.py [--threads 2] [--seeds 3]

Every line says what was measured; the first one, on what. Takes about two minutes on two cores.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

from litcourse import data, models
from litcourse.embedded import shapes
from litcourse.embedded.sets import TRAIN

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 64


@dataclass(frozen=True)
class Images:
    """Normalised images (N, channels, H, W) float32 with classes (N,) int64, in two parts."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Run:
    """One training: what is trained, how long, and how fast it may move."""

    name: str
    images: Images
    build: Callable[[], nn.Module]
    epochs: int
    lr: float


def load(make: Callable[..., Any], mean: tuple[float, ...], std: tuple[float, ...]) -> Images:
    """Return a data set's embedded images, normalised by the constants of the real one."""

    def part(train: bool) -> tuple[Tensor, Tensor]:
        images = make(train=train)
        pixels = torch.as_tensor(np.asarray(images.data)).float() / 255
        pixels = pixels.reshape(*pixels.shape[:3], len(mean)).permute(0, 3, 1, 2)
        shift, scale = (torch.tensor(v).reshape(-1, 1, 1) for v in (mean, std))
        targets = torch.as_tensor(images.targets)
        return (pixels - shift) / scale, targets

    return Images(part(train=True), part(train=False))


def train(run: Run, seed: int) -> tuple[float, float]:
    """Train with Adam under a one-cycle rate; return test accuracy, 0 to 1, and seconds."""
    torch.manual_seed(seed)
    model = run.build()
    optimizer = torch.optim.Adam(model.parameters(), lr=run.lr)
    x, y = run.images.train
    steps = run.epochs * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, run.lr, total_steps=steps)
    start = time.perf_counter()
    for _ in range(run.epochs):
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
    seconds = time.perf_counter() - start
    return accuracy(model, *run.images.test), seconds


@torch.no_grad()
def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Return the share of samples classified right, 0 to 1."""
    model.eval()
    right = sum(
        int((model(a).argmax(1) == b).sum())
        for a, b in zip(x.split(500), y.split(500), strict=True)
    )
    return right / len(y)


def describe(name: str, images: Images) -> None:
    """Print the statistics after normalisation: 0 and 1 are those of the real set."""
    x = images.train[0]
    mean, std = (
        ", ".join(f"{v:.2f}" for v in f(x, dim=(0, 2, 3))) for f in (torch.mean, torch.std)
    )
    print(f"{name}: {len(x)} + {len(images.test[0])} images, normalised mean {mean}, std {std}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2, help="torch's intra-op threads")
    parser.add_argument("--seeds", type=int, default=3, help="trainings per line")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(
        f"{platform.processor() or platform.machine()}, {arguments.threads} threads,"
        f" torch {torch.__version__}, torchvision {torchvision.__version__}, batch {BATCH}"
    )
    start = time.perf_counter()
    shapes.draw(*TRAIN)
    print(f"drawing {TRAIN[0]} images: {time.perf_counter() - start:.2f} s")
    mnist = load(data.mnist, data.MNIST_MEAN, data.MNIST_STD)
    cifar10 = load(data.cifar10, data.CIFAR10_MEAN, data.CIFAR10_STD)
    describe("MNIST", mnist)
    describe("CIFAR10", cifar10)
    pixels = 3 * 32 * 32
    for run in (
        Run("MNIST, linear", mnist, lambda: models.MLP(hidden=()), 8, 3e-3),
        Run("MNIST, MLP", mnist, models.MLP, 8, 3e-3),
        Run("CIFAR10, linear", cifar10, lambda: models.MLP(pixels, hidden=()), 5, 1e-3),
        Run("CIFAR10, MLP", cifar10, lambda: models.MLP(pixels, hidden=(256,)), 5, 1e-3),
        Run("CIFAR10, SmallCNN", cifar10, models.SmallCNN, 5, 1e-2),
    ):
        results = [train(run, seed) for seed in range(arguments.seeds)]
        scores, seconds = zip(*results, strict=True)
        print(
            f"{run.name}, {run.epochs} epochs: {100 * statistics.mean(scores):.1f} %"
            f" ({100 * min(scores):.1f} to {100 * max(scores):.1f}, n={len(scores)}),"
            f" {statistics.mean(seconds):.1f} s"
        )


if __name__ == "__main__":
    main()
