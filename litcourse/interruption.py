"""A job that is cut off, as a callback that any program can be given on its command line.

python train.py fit --trainer.callbacks+=litcourse.interruption.Interruption
"""

from __future__ import annotations

from typing import Any

import lightning as L


class Interruption(L.Callback):
    """Interrupts training after some batches of an epoch, as <kbd>Ctrl</kbd>+<kbd>C</kbd> would.

    Args:
        epoch: the epoch, from 0; those before it are left to run to their end.
        batches: of that epoch, until then.
    """

    def __init__(self, epoch: int = 1, batches: int = 1) -> None:
        self.epoch, self.batches = epoch, batches

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Interrupt, if it is time."""
        done = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        if trainer.current_epoch >= self.epoch and done >= self.batches:
            raise KeyboardInterrupt
