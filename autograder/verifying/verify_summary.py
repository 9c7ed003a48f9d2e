"""Counts the results of `autograder verify`, and prints them as a table or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from autograder.bank import SOLUTION
from autograder.verifying.kept_trials import Result

WIDTH = 120
"""Columns of the table where there is no terminal, as in a log: no name is cut."""
FAULTS = ("false_fails", "false_passes", "misnamed", "mischarged")


@dataclass
class Tally:
    """Counts the trials and faults of a question."""

    trials: int = 0
    kept: int = 0
    cases: set[str] = field(default_factory=set)
    cpu_seconds: list[float] = field(default_factory=list)
    faults: dict[str, dict[str, str]] = field(default_factory=lambda: {f: {} for f in FAULTS})

    def add(self, result: Result, *, kept: bool = False) -> None:
        """Count one result, and whether an earlier run found it."""
        name = f"{result.lab}/{result.question_id}/{result.case}"
        self.trials += 1
        self.kept += kept
        self.cases.add(name)
        if result.case == SOLUTION:
            self.cpu_seconds.append(result.cpu_seconds)
        if result.fault:
            self.faults[result.fault].setdefault(name, result.detail)


Tallies = Mapping[tuple[str, str], Tally]
"""Tallies by lab and question."""


def print_json(tallies: Tallies, seeds: int, seconds: float) -> None:
    """Print one JSON object."""
    found = {fault: {} for fault in FAULTS}  # type: dict[str, dict[str, str]]
    for tally in tallies.values():
        for fault in FAULTS:
            found[fault].update(tally.faults[fault])
    summary = {
        "cases": sum(len(tally.cases) for tally in tallies.values()),
        "trials": sum(tally.trials for tally in tallies.values()),
        "kept": sum(tally.kept for tally in tallies.values()),
        "seeds": seeds,
        **{fault: sorted(found[fault]) for fault in FAULTS},
        "details": {name: text for names in found.values() for name, text in names.items()},
        "seconds": round(seconds, 1),
    }
    sys.stdout.write(json.dumps(summary, indent=1) + "\n")


def print_table(tallies: Tallies, seeds: int, seconds: float) -> None:
    """Print a table, and a line for each fault."""
    width = None if sys.stdout.isatty() else WIDTH
    console = Console(width=width)
    draws = "1 draw" if seeds == 1 else f"{seeds} draws"
    kept = sum(tally.kept for tally in tallies.values())
    table = Table(title=f"{draws} of each case, {seconds:.0f} s")
    names = (
        "lab",
        "question",
        "cases",
        "trials",
        "kept",
        *(fault.replace("_", " ") for fault in FAULTS),
    )
    for name in names:
        table.add_column(name, justify="left" if name in {"lab", "question"} else "right")
    table.add_column("CPU s of the solution", justify="right")
    for (lab, question_id), tally in tallies.items():
        counts = [str(len(tally.faults[fault])) for fault in FAULTS]
        mean = sum(tally.cpu_seconds) / max(1, len(tally.cpu_seconds))
        table.add_row(
            lab,
            question_id,
            str(len(tally.cases)),
            str(tally.trials),
            str(tally.kept),
            *counts,
            f"{mean:.2f}",
        )
    console.print(table)
    if kept:
        console.print(f"{kept} results are kept from earlier runs; --fresh runs all again")
    for tally in tallies.values():
        for fault in FAULTS:
            for name, detail in tally.faults[fault].items():
                console.print(f"{fault[:-2] if fault == 'false_passes' else fault.rstrip('s')}: "
                              f"{name}, {detail}", markup=False, highlight=False)  # fmt: skip
