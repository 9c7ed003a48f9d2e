"""A Trainer for runs that are cut at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L

from litcourse.requeue import write_then_rename


class ReferenceTrainer(L.Trainer):
    """Lightning's Trainer, whose checkpoints are whole at any moment."""

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
