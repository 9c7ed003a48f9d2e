"""The newest whole checkpoint of a run: what a job goes on from that Slurm has started anew."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_info

from reference.convert import (
    READING,
    ConvertError,
    beside_shards,
    check_folder,
    folder_kind,
    holds_optimizer,
)


def restarts() -> int:
    """How often Slurm has started this job anew; 0 outside of one."""
    return int(os.environ.get("SLURM_RESTART_COUNT", "0"))


def newest_whole(run_dir: Path) -> Path | None:
    """The checkpoint that was written last, whatever made it; None if there is no whole one.

    Args:
        run_dir: folder of the run.
    """
    found = [*run_dir.glob("*.ckpt"), *run_dir.glob("checkpoints/*.ckpt")]
    for path in sorted(found, key=_written, reverse=True):
        fault = fault_of(path)
        if not fault:
            return path
        rank_zero_info(f"{path} is left aside: {fault}")
    return None


def _written(path: Path) -> float:
    """When it was, in seconds; of a folder, when its last file came."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def kind_of(path: Path) -> str:
    """`file`, or what a folder holds: `shards` of FSDP, or `zero`."""
    return "file" if path.is_file() else folder_kind(path)


def hyperparameters(path: Path) -> dict[str, Any]:
    """The arguments of the model that was trained; none of what can't be read."""
    try:
        held = _beside_weights(path)
    except (ConvertError, *READING):
        return {}  # who goes on from it is told why: `fault_of`
    found = held.get("hyper_parameters", {}) if isinstance(held, dict) else {}
    return {name: value for name, value in found.items() if name != "_instantiator"}


def _beside_weights(path: Path) -> Any:
    """What a checkpoint holds beside the weights; those are not read."""
    if path.is_dir():
        return beside_shards(path)
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)


def fault_of(path: Path) -> str:
    """Why training can't go on from a checkpoint, or ""."""
    try:
        if path.is_dir():
            check_folder(path)
        elif not zipfile.is_zipfile(path):  # its table of contents is at the end
            return "it is half of a checkpoint: its end is missing"
        return "" if holds_optimizer(path) else "it holds weights and no optimizer"
    except ConvertError as error:
        return error.fault
    except READING as error:
        return f"it can't be read ({type(error).__name__})"
