"""Runs of the reference programs, on ranks that are forks."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from reference.cifar10.cifar10_train import main as cifar10
from reference.mnist.mnist_train import main as mnist

PROGRAMS = {"mnist": mnist, "cifar10": cifar10}
Ranks = Callable[..., list[Any]]


def arguments(program: str, config: str, folder: Path, world_size: int, *more: str) -> list[str]:
    """The command line that trains a tiny network as `config` says."""
    args = ["fit", f"--run_dir={folder}"]
    for name in (config, "smoke"):
        args += ["--config", f"reference/{program}/configs/{name}.yaml"]
    args += ["--trainer.accelerator=cpu", f"--trainer.devices={world_size}"]
    if config not in {"cpu", "gpu"}:
        args.append("--trainer.precision=32-true")  # so that losses can be compared
    return [*args, "--trainer.log_every_n_steps=1", *more]


def fit(
    ranks: Ranks, program: str, config: str, folder: Path, world_size: int = 2, *more: str
) -> None:
    """Train a tiny network as `config` says; `more` goes on the command line."""
    args = arguments(program, config, folder, world_size, *more)
    ranks(partial(PROGRAMS[program], args), world_size)


def losses(folder: Path, version: int = 0) -> list[float]:
    """The training loss of each step, on rank 0."""
    with (folder / f"csv/version_{version}/metrics.csv").open() as table:
        return [float(row["train_loss"]) for row in csv.DictReader(table) if row["train_loss"]]
