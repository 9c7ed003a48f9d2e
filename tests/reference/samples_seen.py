"""Callbacks that tests put into a run: which samples it trained on, and a warning of Slurm's."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L

if TYPE_CHECKING:
    from torch import Tensor


class Seen(L.Callback):
    """Writes a line for each training batch: its epoch, its number, and a hash of each sample.

    Args:
        folder: where each rank keeps a file of its own; a run that goes on appends.
        seconds: how long a batch takes at least, so that a test can cut the run in time.
    """

    def __init__(self, folder: str, seconds: float = 0.0) -> None:
        self.folder, self.seconds = Path(folder), seconds

    def on_train_batch_end(self, trainer: L.Trainer, *rest: Any) -> None:
        """Write, so that a rank that is killed has told of all batches before."""
        _, _, batch, batch_idx = rest
        self.folder.mkdir(parents=True, exist_ok=True)
        hashes = " ".join(_hash(image) for image in batch[0])
        with (self.folder / f"rank{trainer.global_rank}.txt").open("a") as told:
            told.write(f"{trainer.current_epoch} {batch_idx} {hashes}\n")
        time.sleep(self.seconds)


class WarnedAt(L.Callback):
    """Sends this process what Slurm sends before the time is up.

    Args:
        batch: after which batch, counted over epochs from 0.
        rank: which rank is warned.
    """

    def __init__(self, batch: int, rank: int = 0) -> None:
        self.batch, self.rank = batch, rank

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Warn."""
        if trainer.fit_loop.total_batch_idx == self.batch and trainer.global_rank == self.rank:
            os.kill(os.getpid(), signal.SIGUSR1)


def _hash(image: Tensor) -> str:
    return hashlib.sha256(image.contiguous().numpy().tobytes()).hexdigest()[:16]


Batches = dict[tuple[int, int, int], list[str]]


def batches(folder: Path) -> Batches:
    """Hashes by epoch, batch and rank; of a batch that was done again, what it was last."""
    found: Batches = {}
    for path in folder.glob("rank*.txt"):
        for line in path.read_text().splitlines():
            epoch, batch, *hashes = line.split()
            found[int(epoch), int(batch), int(path.stem.removeprefix("rank"))] = hashes
    return found


def counts(found: Batches) -> dict[int, Counter[str]]:
    """How often each sample came in each epoch."""
    told: dict[int, Counter[str]] = {}
    for (epoch, _, _), hashes in found.items():
        told.setdefault(epoch, Counter()).update(hashes)
    return told
