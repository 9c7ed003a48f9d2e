"""Interrupts a job by a callback, which LightningCLI takes on the command line.

python train.py fit --trainer.callbacks+=litcourse.scripts.interruption.Interruption
"""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint


class Interruption(L.Callback):
    """Interrupts training after some batches of an epoch, as <kbd>Ctrl</kbd>+<kbd>C</kbd> does.

    Until then no epoch improves on the first one, whatever metric a checkpoint monitors: so the
    best checkpoint is not the latest, as also happens in real jobs.

    Args:
        epoch: epoch to interrupt, from 0; earlier epochs run to their end.
        batches: number of batches of that epoch before the interruption.
    """

    def __init__(self, epoch: int = 2, batches: int = 1) -> None:
        self.epoch, self.batches = epoch, batches

    def on_train_epoch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Set the best scores so far to values that no later epoch reaches."""
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint):
                score = torch.tensor(float("inf" if callback.mode == "max" else "-inf"))
                callback.best_k_models.update(dict.fromkeys(callback.best_k_models, score))

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Interrupt after `batches` batches of `epoch`."""
        done = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        if trainer.current_epoch >= self.epoch and done >= self.batches:
            raise KeyboardInterrupt
