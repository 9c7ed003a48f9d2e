"""A job that is cut off, as a callback that any program can be given on its command line.

python train.py fit --trainer.callbacks+=litcourse.scripts.interruption.Interruption
"""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint


class Interruption(L.Callback):
    """Interrupts training after some batches of an epoch, as <kbd>Ctrl</kbd>+<kbd>C</kbd> would.

    Until then no later epoch is better than the first, whatever a checkpoint monitors: as it
    happens, now and then, to everybody.

    Args:
        epoch: the epoch, from 0; those before it are left to run to their end.
        batches: of that epoch, until then.
    """

    def __init__(self, epoch: int = 2, batches: int = 1) -> None:
        self.epoch, self.batches = epoch, batches

    def on_train_epoch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Let what was kept as the best so far be out of reach."""
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint):
                score = torch.tensor(float("inf" if callback.mode == "max" else "-inf"))
                callback.best_k_models.update(dict.fromkeys(callback.best_k_models, score))

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Interrupt, if it is time."""
        done = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        if trainer.current_epoch >= self.epoch and done >= self.batches:
            raise KeyboardInterrupt
