"""Explains why ranks of `synced` diverge: records which metrics each rank logs with `sync_dist`.

Lightning syncs such a metric after the student's hook has returned, so the stack of a rank that
hangs or crashes there shows no line of the student. Each rank therefore records the metric in a
file when it logs it; the file survives the process.
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
_GLOO = "gloo:"
"""In a finding on a rank that gloo ended, since another one was elsewhere."""
_DIVERGENCE_CODES = {"LIT931", "LIT932", "LIT934"}


def record_synced(rank: int) -> None:
    """Have this process, a rank, record the metrics that it logs with `sync_dist` from now on."""
    original = L.LightningModule.log
    signature = inspect.signature(original)
    recorded: set[str] = set()

    @wraps(original)
    def log(self: Any, *values: Any, **named: Any) -> None:
        original(self, *values, **named)
        shown = signature.bind(self, *values, **named).arguments
        if shown.get("sync_dist"):
            note = f"{shown['name']} in {self._current_fx_name}"
            note += _ON_STEP if shown.get("on_step") else ""
            if note not in recorded:
                recorded.add(note)
                with _file(rank).open("a", encoding="utf-8") as file:
                    file.write(note.replace("\n", " ") + "\n")

    L.LightningModule.log = log  # type: ignore[method-assign]


def read_synced(world_size: int) -> list[list[str]]:
    """The records of each rank, such as "val_loss in validation_step"; removes the files."""
    found = []
    for path in map(_file, range(world_size)):
        found.append(path.read_text(encoding="utf-8").splitlines() if path.is_file() else [])
        path.unlink(missing_ok=True)
    return found


def _file(rank: int) -> Path:
    return Path(f"synced-by-rank-{rank}")


def explain_divergence(finding: Finding, evidence: Evidence) -> Finding:
    """The finding on a hang or a crash, with the code of the mistake that explains it, if any."""
    run, synced = evidence["run"], evidence["synced"]
    ended = finding.code == "LIT931" and _GLOO not in finding.got
    if finding.code not in _DIVERGENCE_CODES or ended:
        return finding
    stops = evidence["stops"].text()
    if stops:
        return replace(finding, code="LIT3336", where=stops)
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
        each = [f"rank {i}: {', '.join(sorted(rank)) or 'nothing'}" for i, rank in enumerate(notes)]
        expected, got = "every rank syncs the same metrics", "; ".join(each)
        return replace(finding, code="LIT3331", expected=expected, got=got)
    return finding
