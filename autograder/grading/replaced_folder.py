"""Replaces a folder so that a reader finds the old one or the new one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path


def replace_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Replace the folder `target` by a new one, and keep the old one until that is complete.

    Args:
        target: a folder, which may be there already.
        fill: puts files into the empty folder that it is given.
    """
    part, old = (target.with_name(f".{target.name}.{kind}") for kind in ("part", "old"))
    if old.exists() and not target.exists():
        old.rename(target)  # a run was killed between the two moves
    for left in (part, old):
        shutil.rmtree(left, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        fill(part)
        if target.exists():
            target.rename(old)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
