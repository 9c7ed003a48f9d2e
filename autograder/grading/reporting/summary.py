"""Prints the result of a run, as tables or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from autograder.grading.records import FAILED, GRADE, Record
from autograder.grading.reporting.progress import format_points, name_few, printable
from autograder.grading.reporting.table import Row
from autograder.nbgrader_plugins.penalties import is_same
from autograder.nbgrader_plugins.submission_metadata import MOVED
from autograder.nbgrader_plugins.submissions.wrong_notebook import OTHER_LAB, UNTOUCHED
from litcourse.feedback.catalogue import explain

if TYPE_CHECKING:
    from rich.console import Console


_MISSING = "LIT914"
"""Finding of a submission in which no notebook of the lab was found."""


def show_students(to: Console, title: str, found: Sequence[Row], questions: Sequence[str]) -> None:
    """Print a line for each student: points per question, total, notices."""
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("student")
    named = any(row.who.name for row in found)
    if named:
        table.add_column("name")
    for heading in (*questions, "total", "of"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in found:
        points = [_format_question(row, q) for q in questions]
        total = (format_points(row.total), format_points(row.total_maximum))
        name = [printable(row.who.name)] if named else []
        table.add_row(printable(row.student), *name, *points, *total, ", ".join(_row_notices(row)))
    to.print(table)


def _format_question(row: Row, question_id: str) -> str:
    if question_id in row.undecided:
        return "?"
    return format_points(row.points[question_id]) if question_id in row.points else ""


def _row_notices(row: Row) -> list[str]:
    notices = []
    if row.late_seconds > 0:
        notices.append(f"late, {format_points(row.late_penalty)} taken off")
    if row.record is not None and row.record.state == FAILED:
        notices.append("GRADING FAILED")
    if row.record is not None and not row.record.sandbox:
        notices.append("no sandbox")
    if row.undecided:
        notices.append(f"no score for {', '.join(row.undecided)}")
    codes = row.record.notices if row.record else ()
    mixed_up = {UNTOUCHED, OTHER_LAB, MOVED}.intersection(codes)
    notices += [f"{explain(code).title} ({code})" for code in sorted(mixed_up)]
    if row.record is not None and _MISSING in chain(*row.record.findings.values()):
        notices.append(f"{printable(row.record.detail)} ({_MISSING})")
    return notices


def count_findings(found: Sequence[Row]) -> list[tuple[str, str, int]]:
    """Code, title and number of students of each finding, the most frequent first."""
    counts: dict[str, int] = {}
    for row in found:
        record = row.record or Record(row.lab, row.student)
        for code in {code for codes in record.findings.values() for code in codes}:
            counts[code] = counts.get(code, 0) + 1
    order = sorted(counts, key=lambda code: (-counts[code], code))
    return [(code, explain(code).title, counts[code]) for code in order]


def show_findings(to: Console, found: Sequence[Row]) -> None:
    """Print a line for each finding."""
    table = Table(title="Findings", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("finding", "what it is"):
        table.add_column(heading)
    table.add_column("students", justify="right")
    for code, title, students in count_findings(found):
        table.add_row(code, title, str(students))
    if table.row_count:
        to.print(table)


PENALTY = "late penalty"
"""Key of the late penalty among the points by question id; no question has this id."""
PointChanges = Mapping[tuple[str, str], tuple[Mapping[str, float], Mapping[str, float]]]
"""By lab and student, points by question id before and after."""


def add_penalties(
    judged: PointChanges, before: Mapping[tuple[str, str], float], found: Sequence[Row]
) -> PointChanges:
    """`judged`, with each late penalty that changed as negative points under `PENALTY`.

    Args:
        judged: points before and after.
        before: late penalties before, by lab and student.
        found: all submissions of now.
    """
    after = {(row.lab, row.student): row.late_penalty for row in found}
    more = dict(judged)
    for key, (old, new) in judged.items():
        was, now = before.get(key, 0.0), after.get(key, 0.0)
        if not is_same(was, now):
            more[key] = ({**old, PENALTY: 0 - was}, {**new, PENALTY: 0 - now})
    return more


def list_changes(judged: PointChanges) -> list[dict[str, Any]]:
    """The students whose automatic points changed, with points before and after."""
    return [
        {"lab": lab, "student": student, "before": dict(before), "after": dict(after)}
        for (lab, student), (before, after) in judged.items()
        if before != after
    ]


def show_changes(to: Console, judged: PointChanges) -> None:
    """Print how many automatic scores changed, and a line for each."""
    found = list_changes(judged)
    to.print(f"{len(found)} of {len(judged)} automatic scores changed.")
    for entry in found:
        before, after = entry["before"], entry["after"]
        names = {name for name in before | after if before.get(name) != after.get(name)}
        told = []
        if questions := sorted(names - {PENALTY}):
            parts = [
                f"{name} {_format_score(before, name)} -> {_format_score(after, name)}"
                for name in questions
            ]
            totals = f"{_format_total(before)} -> {_format_total(after)}"
            told.append(f"automatic points {totals} ({', '.join(parts)})")
        if PENALTY in names:
            old, new = (format_points(0 - points.get(PENALTY, 0)) for points in (before, after))
            told.append(f"{PENALTY} {old} -> {new}")
        who = f"{entry['lab']} {printable(entry['student'])}"
        to.print(f"  {who}: {'; '.join(told)}", soft_wrap=True)


def _format_score(points: Mapping[str, float], name: str) -> str:
    """A question's points."""
    return format_points(points[name]) if name in points else "no score"


def _format_total(points: Mapping[str, float]) -> str:
    """Sum of the automatic points, without the penalty."""
    return format_points(sum(value for name, value in points.items() if name != PENALTY))


def show_undecided(
    to: Console, found: Sequence[Row], failed: Mapping[tuple[str, str], str]
) -> None:
    """Print the questions without a score, why, whose, and the next step.

    Args:
        to: the console.
        found: the rows.
        failed: submissions that `show_failures` names.
    """
    waiting: dict[tuple[str, str, str], list[str]] = {}
    for row in found:
        if (row.lab, row.student) not in failed:
            for name, why in row.undecided.items():
                waiting.setdefault((row.lab, name, why), []).append(row.student)
    if not waiting:
        return
    to.print("Without a score, for a person to decide:", style="red")
    for (lab, name, why), students in waiting.items():
        text = f"  {lab}, {name}, {printable(why)}: {name_few(students)}"
        to.print(text, soft_wrap=True, markup=False, highlight=False)
    step = (
        "autograder grade LAB --regrade, with --student for each; or grade them in the formgrader"
    )
    to.print(f"Next: if it can be mended, {step}", soft_wrap=True)


def show_failures(to: Console, failed: Mapping[tuple[str, str], str], action: str) -> None:
    """Print the submissions without a score, the reasons, and the next step."""
    if not failed:
        return
    what = "graded" if action == GRADE else "judged again"
    to.print(f"{len(failed)} could not be {what}:", style="red")
    for (lab, student), detail in failed.items():
        to.print(f"  {lab} {printable(student)}: {printable(detail)}", soft_wrap=True)
    step = "autograder grade, which tries them again"
    if action != GRADE:
        step = (
            "autograder grade LAB --regrade, with --student for each; until then their points stay"
        )
    to.print(f"evidence/grading.log tells more. Next: {step}")


def as_json(
    found: Sequence[Row], failed: Mapping[tuple[str, str], str], more: Mapping[str, Any]
) -> dict[str, Any]:
    """The result of a run as plain data.

    Args:
        found: all submissions, of this run and earlier ones.
        failed: why grading failed, by lab and student.
        more: further entries of this run.
    """
    return {
        **more,
        "failed": [
            {"lab": lab, "student": student, "detail": detail}
            for (lab, student), detail in failed.items()
        ],
        "submissions": [_row_as_json(row) for row in found],
        "findings": [
            {"code": code, "title": title, "students": students}
            for code, title, students in count_findings(found)
        ],
    }


def _row_as_json(row: Row) -> dict[str, Any]:
    record = row.record or Record(row.lab, row.student)
    return {
        "lab": row.lab,
        "student": row.student,
        "first_name": row.who.first_name,
        "last_name": row.who.last_name,
        "email": row.who.email,
        "lms_user_id": row.who.lms_user_id,
        "points": row.points,
        "maximum": row.maximum,
        "total": row.total,
        "late_penalty": row.late_penalty,
        "late_seconds": row.late_seconds,
        "submitted_at": row.submitted_at,
        "graded_at": record.graded_at,
        "state": record.state,
        "detail": record.detail,
        "undecided": row.undecided,
        "place": record.place,
        "findings": record.findings,
        "notices": record.notices,
        "seconds": record.seconds,
        "cpu_seconds": record.cpu_seconds,
        "sandbox": record.sandbox,
        "earlier": len(record.history),
    }
