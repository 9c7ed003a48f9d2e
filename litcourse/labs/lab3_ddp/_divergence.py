"""Why the ranks of `synced` parted: which of them synced what, and when.

A rank that hangs or crashes in a collective of Lightning's own shows no line of the student's:
what was logged with `sync_dist` is talked over later. So each rank takes note of it as it logs,
in a file, which is there whatever becomes of the process.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import lightning as L

from litcourse.core.evidence import Evidence
from litcourse.core.question import Finding

_ON_STEP = " on each step"
_PARTED = {"LIT931", "LIT932", "LIT934"}


def record_synced(rank: int) -> None:
    """Let this process, a rank, note what it logs with `sync_dist` from now on."""
    original = L.LightningModule.log
    signature = inspect.signature(original)
    noted: set[str] = set()

    @wraps(original)
    def log(self: Any, *values: Any, **named: Any) -> None:
        original(self, *values, **named)
        shown = signature.bind(self, *values, **named).arguments
        if shown.get("sync_dist"):
            note = f"{shown['name']} in {self._current_fx_name}"
            note += _ON_STEP if shown.get("on_step") else ""
            if note not in noted:
                noted.add(note)
                with _file(rank).open("a", encoding="utf-8") as file:
                    file.write(note.replace("\n", " ") + "\n")

    L.LightningModule.log = log  # type: ignore[method-assign]


def read_synced(world_size: int) -> list[list[str]]:
    """The notes of each rank, which are gone afterwards."""
    found = []
    for path in map(_file, range(world_size)):
        found.append(path.read_text(encoding="utf-8").splitlines() if path.is_file() else [])
        path.unlink(missing_ok=True)
    return found


def _file(rank: int) -> Path:
    return Path(f"synced-by-rank-{rank}")


def explain_divergence(finding: Finding, run: Evidence, synced: Evidence) -> Finding:
    """The finding of a hang or a crash by the mistake that explains it, if one does."""
    if finding.code not in _PARTED:
        return finding
    notes = [set(rank.texts()) for rank in synced]
    stacks = [entry["stuck"]["stack"].text() for entry in run["ranks"] if "stuck" in entry]
    stacks += [entry["error"]["line"].text() for entry in run["ranks"] if "error" in entry]
    steps = sorted(note for note in set.union(set(), *notes) if note.endswith(_ON_STEP))
    validation = [note for note in steps if " in validation_step" in note]
    if any(re.search(r" validation_step\b", stack) for stack in stacks):
        return replace(finding, code="LIT3332")
    if all(set(validation) <= rank for rank in notes) and validation:
        got = f"synced: {validation[0]}; {finding.got}"
        return replace(finding, code="LIT3332", got=got)
    if any(rank != notes[0] for rank in notes):
        said = [f"rank {i}: {', '.join(sorted(rank)) or 'nothing'}" for i, rank in enumerate(notes)]
        expected, got = "every rank syncs the same metrics", "; ".join(said)
        return replace(finding, code="LIT3331", expected=expected, got=got)
    return finding
