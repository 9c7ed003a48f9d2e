"""Who may need help, by what the tries of a student and the points of the class say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from autograder.grading.reporting.progress import format_points
from autograder.grading.reporting.table import Row
from autograder.grading.tries.counting import Counting, GradedTry
from autograder.term.report.class_facts import Stuck
from autograder.term.report.misconceptions import NO_NOTEBOOK
from litcourse.core.names import UnknownNameError
from litcourse.feedback.catalogue import explain

MOST_SOLVE = 0.8
"""A zero stands out where so many of those who handed in have all points."""
SOON = timedelta(days=2)
"""So long before the due date nothing handed in is worth a word."""


def find_stuck(
    rows: Mapping[str, Row], expected: Sequence[str], counting: Counting, now: datetime
) -> list[Stuck]:
    """Who may need help in a lab.

    Args:
        rows: its submissions in the gradebook, by student.
        expected: ids of the students who are to hand in; empty without a roster.
        counting: the tries of the lab.
        now: the time of now, UTC.
    """
    found = []
    for student, row in sorted(rows.items()):
        found += [Stuck(student, why) for why in _in_tries(counting.graded(student))]
        why = _no_notebook(row) or _zeros(row, rows)
        found += [Stuck(student, why)] if why else []
    for student in sorted(set(expected) - set(rows)):
        due = counting.due(student)
        if due is not None and now <= due <= now + SOON:
            left = (due - now) / timedelta(hours=1)
            found.append(Stuck(student, f"nothing handed in, {left:.0f} hours before it is due"))
    return found


def _in_tries(tries: Sequence[GradedTry]) -> list[str]:
    """What the last two tries have in common with those before."""
    done = [one for one in tries if one.record is not None]
    if len(done) <= 1:
        return []
    earlier, last = done[-2].record, done[-1].record
    assert earlier is not None  # noqa: S101 (for mypy)
    assert last is not None  # noqa: S101
    why = []
    if last.total <= earlier.total and not last.full_marks:
        points = f"{format_points(earlier.total)}, then {format_points(last.total)}"
        why.append(f"no gain in the last two of {len(done)} tries: {points} points")
    for question, codes in last.findings.items():
        both = sorted(set(codes) & set(earlier.findings.get(question, [])))
        why += [f"{question}: the same finding in the last two tries, {_title(c)}" for c in both]
    return why


def _title(code: str) -> str:
    try:
        return f"{code} {explain(code).title}"
    except UnknownNameError:  # of another version
        return code


def _no_notebook(row: Row) -> str:
    """Why nothing of a submission could be judged, or "": its zeros say nothing else."""
    listed = row.record.findings.values() if row.record else ()
    return next((NO_NOTEBOOK[codes[0]] for codes in listed if codes[0] in NO_NOTEBOOK), "")


def _zeros(row: Row, rows: Mapping[str, Row]) -> str:
    """The questions in which a student has nothing, and nearly everybody else all points."""
    solved: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for other in rows.values():
        for name, points in other.points.items():
            counted[name] += 1
            solved[name] += points >= other.maximum[name] > 0
    found = [
        f"{name} ({solved[name]} of {counted[name]} have all)"
        for name, points in row.points.items()
        if points <= 0 < row.maximum[name] and solved[name] >= MOST_SOLVE * counted[name]
    ]
    return f"no points in {', '.join(found)}" if found else ""


def time_of_now() -> datetime:
    """The time of now, UTC."""
    return datetime.now(UTC)
