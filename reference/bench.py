"""Lightning against the plain torch loop: the same network, data, optimizer and machine.

    python -m reference.bench                                     # prints
    python -m reference.bench --out bench/results/reference.json  # and writes

Both train by turns, several rounds each, on random images in memory. Only training is timed, after
an epoch that nobody times. Lightning runs without logger, checkpoints and progress bar, and logs
its loss each step, so that what is measured is the loop. The ratio of a round is Lightning's time
by plain torch's: with a small network it shows what Lightning adds to a step, with a large one
that this does not matter.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from litcourse.models import MLP, ResNet
from reference.classifier import Classifier

RATE = 0.01


@dataclass(frozen=True)
class Match:
    """What both loops train.

    Args:
        make: makes the network.
        shape: of an image.
        batch_size: images in a batch.
        batches: in an epoch.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    batch_size: int
    batches: int

    def loader(self) -> DataLoader[Any]:
        """The same images each time."""
        chance = torch.Generator().manual_seed(0)
        count = self.batch_size * self.batches
        images = torch.randn(count, *self.shape, generator=chance)
        labels = torch.randint(10, (count,), generator=chance)
        return DataLoader(TensorDataset(images, labels), self.batch_size)


MATCHES = {
    "mlp": Match(MLP, (1, 28, 28), 64, 400),
    "resnet": Match(lambda: ResNet((1, 1, 1, 1), 32), (3, 32, 32), 64, 6),
}


class _Plain(Classifier):
    """SGD and nothing else."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=RATE)


class _Clock(L.Callback):
    """Times every epoch but the first."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if trainer.current_epoch:
            self.seconds += time.perf_counter() - self._start


def with_lightning(match: Match, epochs: int) -> float:
    """Seconds that Lightning takes for `epochs` epochs."""
    clock = _Clock()
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=epochs + 1,
        callbacks=[clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    torch.manual_seed(0)
    trainer.fit(_Plain(match.make), match.loader())
    return clock.seconds


def plain(match: Match, epochs: int) -> float:
    """Seconds that the loop takes, as everybody writes it."""
    torch.manual_seed(0)
    model, loader = match.make(), match.loader()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    start = 0.0
    for epoch in range(epochs + 1):
        if epoch == 1:
            start = time.perf_counter()
        for images, labels in loader:
            optimizer.zero_grad()
            functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
    return time.perf_counter() - start


def compare(match: Match, rounds: int, epochs: int) -> dict[str, Any]:
    """Both, by turns; seconds per round, and their ratio."""
    pairs = [(with_lightning(match, epochs), plain(match, epochs)) for _ in range(rounds)]
    ratios = sorted(ours / theirs for ours, theirs in pairs)
    images = match.batch_size * match.batches * epochs
    return {
        "ratio_median": round(statistics.median(ratios), 3),
        "ratio_range": [round(ratios[0], 3), round(ratios[-1], 3)],
        "lightning_images_per_second": round(images / min(ours for ours, _ in pairs), 1),
        "plain_images_per_second": round(images / min(theirs for _, theirs in pairs), 1),
        "added_microseconds_per_step": round(
            1e6 * statistics.median(o - t for o, t in pairs) / (match.batches * epochs), 1
        ),
        "batch_size": match.batch_size,
        "steps": match.batches * epochs,
    }


def bench(rounds: int, epochs: int) -> dict[str, Any]:
    """Compare all, and say on what."""
    warnings.filterwarnings("ignore", module="lightning")  # hints on workers and on logging
    return {
        "hardware": {
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "load": round(os.getloadavg()[0], 1),
        },
        "versions": {name: version(name) for name in ("lightning", "torch")}
        | {"python": platform.python_version()},
        "rounds": rounds,
        "results": {name: compare(match, rounds, epochs) for name, match in MATCHES.items()},
    }


def main(args: list[str] | None = None) -> None:
    """Compare, print, and write."""
    parser = argparse.ArgumentParser(prog="python -m reference.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(args)
    text = json.dumps(bench(given.rounds, given.epochs), indent=1)
    print(text)  # noqa: T201  the program's answer
    if given.out is not None:
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
