"""Counts the mutants of a lab, prints the survivors with their diffs, and writes the results."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.table import Table

from autograder.course import Course, Lab
from autograder.mutating.equivalents import Equivalent, Reasons, file_of
from autograder.mutating.kept_mutants import GENERAL, OWN, SURVIVED, UNDECIDED, Fate
from autograder.mutating.mutants import Mutant
from litcourse.core.atomic_write import write_atomically

WIDTH = 110
"""Columns of the table where there is no terminal."""
EQUIVALENT, UNEXPLAINED, LEFT = "equivalent", "unexplained", "left"
COLUMNS = ("mutants", OWN, GENERAL, UNDECIDED, EQUIVALENT, UNEXPLAINED, LEFT)
_PACKAGES = ("torch", "lightning", "torchmetrics")


@dataclass(frozen=True)
class Report:
    """What became of the mutants of a lab.

    Args:
        lab: the lab.
        mutants: those that were to be judged.
        fates: what is known, by question and digest.
        entries: the entries of `equivalent.toml` that are about these mutants.
        reasons: reasons by change.
    """

    lab: Lab
    mutants: Sequence[Mutant]
    fates: Mapping[tuple[str, str], Fate]
    entries: Sequence[Equivalent]
    reasons: Reasons

    def kind(self, mutant: Mutant) -> str:
        """The column in which a mutant counts."""
        fate = self.fates.get((mutant.question_id, mutant.digest))
        if fate is None:
            return LEFT
        if fate.fate != SURVIVED:
            return fate.fate
        return EQUIVALENT if mutant.change in self.reasons else UNEXPLAINED

    @cached_property
    def counts(self) -> dict[str, Counter[str]]:
        """Numbers of mutants by question and column."""
        found = {name: Counter[str]() for name in self.lab.questions}
        for mutant in self.mutants:
            found[mutant.question_id].update(["mutants", self.kind(mutant)])
        return {name: counts for name, counts in found.items() if counts}

    @cached_property
    def unexplained(self) -> list[Mutant]:
        """Survivors without a reason."""
        return [mutant for mutant in self.mutants if self.kind(mutant) == UNEXPLAINED]

    @cached_property
    def stale(self) -> list[Equivalent]:
        """Entries whose mutants are all killed: an entry, or a judge, is wrong."""
        alive = {m.change for m in self.mutants if self.kind(m) in {EQUIVALENT, LEFT}}
        return [entry for entry in self.entries if entry.change not in alive]

    @property
    def clean(self) -> bool:
        """Whether each mutant was judged, each survivor is explained, and no entry is stale."""
        left = any(counts[LEFT] for counts in self.counts.values())
        return not (self.unexplained or self.stale or left)


def print_report(report: Report) -> None:
    """Print a table, the unexplained survivors and the stale entries."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    table = Table(title=f"mutants of {report.lab.id}")
    for name in ("question", *COLUMNS):
        table.add_column(name, justify="left" if name == "question" else "right")
    for name, counts in report.counts.items():
        table.add_row(name, *(str(counts[column]) for column in COLUMNS))
    total = sum(report.counts.values(), Counter[str]())
    table.add_row("all", *(str(total[column]) for column in COLUMNS))
    console.print(table)
    for mutant in report.unexplained:
        head = f"{report.lab.id}/{mutant.question_id}, {mutant.answer}, {mutant.operator}:"
        _say(console, f"survivor: {head}\n{mutant.diff}")
    for entry in report.stale:
        text = f"{entry.operator}: {entry.before!r} to {entry.after!r}"
        _say(console, f"killed now: {file_of(report.lab)}, {entry.question_id}, {text}")
    if not report.clean:
        step = f"a case in the bank for each hole, an entry in {file_of(report.lab)} for the others"
        _say(console, f"Next: {step}, then the same again")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def write_results(course: Course, report: Report, of: str) -> None:
    """Write `bench/results/mutants_<lab>.json`; `of` says which answers were changed."""
    path = course.root / "bench" / "results" / f"mutants_{report.lab.id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    results = {"of": of, **_results(report)}
    text = json.dumps(results, indent=1, sort_keys=True) + "\n"
    write_atomically(path, text.encode())


def _results(report: Report) -> dict[str, Any]:
    judged = [report.fates.get((m.question_id, m.digest)) for m in report.mutants]
    return {
        "hardware": {"machine": platform.machine(), "cores": os.cpu_count()},
        "versions": {
            "python": platform.python_version(), **{name: version(name) for name in _PACKAGES}
        },
        "cpu_seconds": round(sum(fate.cpu_seconds for fate in judged if fate)),
        "questions": {
            name: {column: counts[column] for column in COLUMNS}
            for name, counts in report.counts.items()
        },
        "unexplained": [
            {"question": m.question_id, "answer": m.answer, "operator": m.operator,
             "before": m.before, "after": m.after}
            for m in report.unexplained
        ],
    }  # fmt: skip
