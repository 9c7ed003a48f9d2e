"""A Trainer for runs that are cut at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.trainer.connectors.checkpoint_connector import _CheckpointConnector

from litcourse.requeue import write_then_rename


class _Named(_CheckpointConnector):
    """Lightning's, which goes on from what it is given.

    In a Slurm job, and if it is given none, Lightning 2.6 takes the last `hpc_ckpt_N.ckpt` of the
    run's folder, be it whole or not; in a test too, over the weights that are to be tested.
    """

    @property
    def _hpc_resume_path(self) -> None:
        return None


class ReferenceTrainer(L.Trainer):
    """Lightning's Trainer, whose checkpoints are whole at any moment."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._checkpoint_connector = _Named(self)

    def save_checkpoint(
        self,
        filepath: str | Path,
        weights_only: bool | None = None,
        storage_options: Any = None,
    ) -> None:
        """As Lightning's: every rank calls it."""
        save = super().save_checkpoint

        def write(path: Path) -> None:
            save(path, weights_only, storage_options)

        write_then_rename(self, Path(filepath), write)
