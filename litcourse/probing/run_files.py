"""Reads the CSV logs and checkpoints that a training run wrote."""

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
    """The values of column `name` in the newest CSV file under `run_dir` that has the column.

    Empty cells are left out. [] if no file has the column.
    """
    found: list[float] = []
    files = sorted(Path(run_dir).rglob("*.csv"), key=lambda file: file.stat().st_mtime)
    for file in files:
        found = [float(row[name]) for row in read_csv_rows(file) if row.get(name)] or found
    return found


def read_csv_rows(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as dicts from column to cell, empty cells as ""."""
    with file.open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    return [{str(name): value or "" for name, value in row.items()} for row in rows]


def find_checkpoint(trainer: L.Trainer, monitor: str) -> Any:
    """The trainer's ModelCheckpoint that monitors `monitor`, else its first one, else None."""
    callbacks = [c for c in trainer.callbacks if isinstance(c, ModelCheckpoint)]  # type: ignore[attr-defined]
    return next((c for c in callbacks if c.monitor == monitor), next(iter(callbacks), None))


def load_weights(path: object) -> dict[str, Tensor]:
    """The state dict in a Lightning checkpoint file, on the CPU; {} if there is none.

    Raises:
        pickle.UnpicklingError: the file holds other objects than tensors and plain data.
    """
    state: dict[str, Tensor] = load_checkpoint(path).get("state_dict", {})
    return state


def load_checkpoint(path: object) -> dict[str, Any]:
    """The whole dict in a Lightning checkpoint file, read as `load_weights` does."""
    if not isinstance(path, str) or not Path(path).is_file():
        return {}
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content
