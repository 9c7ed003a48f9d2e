"""Judges the CSV logs of `engineer`: `val_acc` of each epoch, and learning rates of steps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from litcourse.core.evidence import Evidence, MalformedError, is_close
from litcourse.core.question import Earned, Finding, Inputs, Mark, NotLookedAt

SELDOM = 50
"""Lightning logs every 50 steps, so the log must hold a rate at least as often."""
COST = ("log",)


@dataclass(frozen=True)
class _Column:
    """A column of a CSV log: values at steps."""

    name: str
    steps: list[int]
    values: list[float]

    def follows(self, rates: list[float]) -> bool:
        """Whether the values are the rates of their steps, with an offset of at most one step."""
        return any(self._matches(rates, shift) for shift in (0, 1, -1))

    def _matches(self, rates: list[float], shift: int) -> bool:
        points = [(step + shift, value) for step, value in self._points()]
        known = [(step, value) for step, value in points if 0 <= step < len(rates)]
        return bool(known) and all(is_close(value, rates[step], 1e-6) for step, value in known)

    def is_of(self, rates: list[float]) -> bool:
        """Whether each value is the rate of some step."""
        return all(any(is_close(value, rate, 1e-6) for rate in rates) for value in self.values)

    def within(self, batches: int) -> list[int]:
        """The steps that are neither first nor last of an epoch."""
        return [step for step in self.steps if 0 < step % batches < batches - 1]

    def often(self) -> bool:
        """Whether there is a value at least every 50 steps."""
        steps = [0, *sorted(self.steps)]
        return all(b - a <= SELDOM for a, b in pairwise(steps))

    def _points(self) -> list[tuple[int, float]]:
        return list(zip(self.steps, self.values, strict=True))


def curve_of(run: dict[str, Any], seen: Evidence) -> list[float]:
    """`val_acc` of each epoch that there was; past its end the curve repeats its last value."""
    epochs = seen["epochs"].integer()
    return [*run["curve"], *[run["curve"][-1]] * (epochs - len(run["curve"]))][:epochs]


def judge_log(inputs: Inputs, run: dict[str, Any], seen: Evidence, called: str) -> Mark:
    """Judge that the student chose a logger, and that it has `val_acc` and the learning rate."""
    if seen["default_logger"].flag():
        got = "the logger that Lightning chooses if it is told of none"
        return Finding("LIT2362", COST, called, "a CSV log", got)
    wanted = curve_of(run, seen)
    got_values = seen["val_acc"].numbers()
    same = len(got_values) == len(wanted)
    if not (same and all(is_close(a, b, 1e-4) for a, b in zip(got_values, wanted, strict=True))):
        shown = ", ".join(f"{value:.4g}" for value in got_values)
        expected = "val_acc: " + ", ".join(f"{value:.4g}" for value in wanted)
        got = shown or "no CSV file with such a column"
        return Finding("LIT2340", COST, called, expected, got)
    asked = run["arguments"]["max_epochs"] * len(inputs.shown["rows"])
    return Earned(COST) if asked < SELDOM else _judge_rates(inputs, seen, called)


def _judge_rates(inputs: Inputs, seen: Evidence, called: str) -> Mark:
    """Judge that a column of any name has the rates of steps."""
    rates, batches = seen["rates"].numbers(), len(inputs.shown["rows"])
    steps = seen["epochs"].integer() * batches
    if len(rates) != steps or steps < SELDOM:
        return NotLookedAt(COST, f"it waits for the right steps: {len(rates)} show no rates")
    columns = [column for node in seen["columns"] if (column := _read_column(node)).steps]
    right = [column for column in columns if column.follows(rates)]
    if any(column.within(batches) and column.often() for column in right):
        return Earned(COST)
    expected = f"the learning rate of a step, at least every {SELDOM} of {steps}"
    # After the last step the schedule sets a rate that no step has, on which `is_of` fails.
    of_steps = [c for c in columns if c in right or c.is_of(rates)]
    of_epochs = [c for c in of_steps if not c.within(batches)]
    if of_epochs:
        shown = ", ".join(str(step) for step in of_epochs[0].steps[:8])
        got = f"{of_epochs[0].name}: at the start or end of epochs alone, steps {shown}"
        return Finding("LIT2342", COST, called, expected, got)
    return Finding("LIT2341", COST, called, expected, _describe_columns(columns, right))


def _describe_columns(columns: list[_Column], right: list[_Column]) -> str:
    """The columns that the log has in place of one with rates, as text."""
    if right:
        return f"{right[0].name}: at the steps {right[0].steps[:8]}"
    named = [column.name for column in columns if column.name.startswith(("lr", "learning"))]
    if named:
        return f"{named[0]}: other numbers than the rates of its steps"
    names = sorted({column.name for column in columns} - {"step"})
    return "no such column among " + (", ".join(names[:8]) or "none")


def _read_column(node: Evidence) -> _Column:
    steps, values = node["steps"].integers(), node["values"].numbers()
    if len(steps) != len(values):
        raise MalformedError(node.path, "value for each step")
    return _Column(node["name"].text(), steps, values)
