"""Reading what a training run left behind: its CSV logs and its checkpoints."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

if TYPE_CHECKING:
    import lightning as L


def list_files() -> set[str]:
    """All files below the working folder, as paths from there."""
    return {str(file) for file in Path().rglob("*") if not file.is_dir()}


def read_csv_column(run_dir: str | Path, name: str) -> list[float]:
    """The values of column `name` in the CSV files under `run_dir`, in their order.

    Of several files the newest that has the column counts.
    """
    found: list[float] = []
    files = sorted(Path(run_dir).rglob("*.csv"), key=lambda file: file.stat().st_mtime)
    for file in files:
        found = [float(row[name]) for row in read_csv_rows(file) if row.get(name)] or found
    return found


def read_csv_rows(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by column, empty cells as ""."""
    with file.open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    return [{str(name): value or "" for name, value in row.items()} for row in rows]


def find_checkpoint(trainer: L.Trainer, monitor: str) -> Any:
    """The trainer's ModelCheckpoint that monitors `monitor`, else its first one, else None."""
    callbacks = [c for c in trainer.callbacks if isinstance(c, ModelCheckpoint)]  # type: ignore[attr-defined]
    return next((c for c in callbacks if c.monitor == monitor), next(iter(callbacks), None))


def load_weights(path: object) -> dict[str, Tensor]:
    """The state dict in a Lightning checkpoint file, on the CPU; {} if there is none.

    Only tensors and plain data are read, never code.
    """
    state: dict[str, Tensor] = load_checkpoint(path).get("state_dict", {})
    return state


def load_checkpoint(path: object) -> dict[str, Any]:
    """All that a Lightning checkpoint file holds, read as `load_weights` reads it."""
    if not isinstance(path, str) or not Path(path).is_file():
        return {}
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content
