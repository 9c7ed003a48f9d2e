"""Shows the progress of a run: a bar in a terminal, elsewhere a line for each submission."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autograder.grading.records import FAILED, Record

WIDTH = 120
"""Columns without a terminal."""
_MAX_NAMES = 5


def console(*, json: bool) -> Console:
    """The console for people: standard output, or standard error if that carries JSON."""
    made = Console(stderr=json, highlight=False, markup=False)
    return made if made.is_terminal else Console(
        stderr=json, highlight=False, markup=False, width=WIDTH
    )  # fmt: skip


def name_few(names: Sequence[str]) -> str:
    """The first names, and the number of the others."""
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(printable(name) for name in names[:_MAX_NAMES]) + more


def printable(name: str) -> str:
    """A name without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)


def format_points(value: float) -> str:
    """Points in the shortest form."""
    return f"{value:g}"


class Meter:
    """Counts submissions that are done, and shows the counts; use it as a context.

    Args:
        to: the console.
        total: number of submissions to do.
        verb: for the counts, e.g. "graded".
    """

    def __init__(self, to: Console, total: int, verb: str) -> None:
        self._console, self._total, self._verb = to, total, verb
        self._started = time.monotonic()
        self.done = self.full = self.found = self.failed = 0
        self._bar: Progress | None = None
        if to.is_terminal:
            self._bar = Progress(
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.description}"),
                console=to,
                # No refresh thread: workers are forks of this process.
                auto_refresh=False,
            )
            self._bar.add_task(self._format_counts(), total=total)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def add(self, record: Record | None, student: str, lab: str) -> None:
        """Count a submission; `record` is None if there is no score."""
        self.done += 1
        if record is None or record.state == FAILED:
            self.failed += 1
        else:
            self.full += record.full_marks
            self.found += bool(record.findings)
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0], completed=self.done, description=self._format_counts()
            )
            self._bar.refresh()
            return
        text = "could not be graded"
        if record is not None and record.state != FAILED:
            codes = sorted({code for codes in record.findings.values() for code in codes})
            most = sum(record.maximum.values())
            points = f"{format_points(record.total)} of {format_points(most)} automatic"
            text = ", ".join([points, *codes])
        left = self._format_time_left()
        self._console.print(
            f"{self.done:4d} of {self._total}  {lab} {printable(student)}: {text}{left}",
            soft_wrap=True,
        )

    def tick(self) -> None:
        """Refresh the clock of the bar."""
        if self._bar is not None:
            self._bar.refresh()

    def _format_counts(self) -> str:
        counts = f"{self.done} {self._verb}, {self.full} full marks, {self.found} with findings"
        return f"{counts}, {self.failed} failed"

    def _format_time_left(self) -> str:
        left = self._total - self.done
        seconds = (time.monotonic() - self._started) / self.done * left
        return f"  (about {timedelta(seconds=round(seconds))} left)" if left else ""
