"""`autograder show`: one submission in words, to settle a complaint by what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from autograder.course import AuthorError, Course
from autograder.grading.reporting import table
from autograder.grading.reporting.progress import console, format_points, printable
from autograder.grading.reporting.table import Row
from autograder.grading.settings import CourseSettings
from autograder.grading.tries.counting import Counting
from autograder.nbgrader_plugins import evidence_store
from autograder.term.open_course import open_course
from litcourse.core.exit_codes import ExitCode
from litcourse.core.names import UnknownNameError
from litcourse.core.serialization import decode
from litcourse.feedback.catalogue import explain

if TYPE_CHECKING:
    from rich.console import Console

_FIRST_VALUES = 4
_LONGEST = 300


def show(course: Course, lab_id: str, student: str, question: str = "") -> ExitCode:
    """Print the tries, points and penalty of a submission, or inputs and evidence of a question.

    Args:
        course: the course.
        lab_id: id of the lab.
        student: id of the student.
        question: id of a question, or "".

    Raises:
        UnknownNameError: there is no such lab, submission or question.
    """
    lab, to = course.lab(lab_id), console(json=False)
    with open_course(course, wait=False, locked=False) as settings:
        rows = table.read_rows(settings, lab.id)
        if student not in rows:
            raise UnknownNameError("submission by the student", student, rows, lab.id)
        row = rows[student]
        if question and question not in row.maximum:
            raise UnknownNameError("question", question, row.maximum, lab.id)
        _show_submission(to, settings, row)
        if question:
            try:
                _show_question(to, settings, row, question)
            except ValueError as error:
                step = f"autograder grade {lab.id} --regrade --student {student}"
                folder = settings.records.folder(lab.id, student)
                raise AuthorError(folder, question, str(error), step) from error
    return ExitCode.DONE


def _show_submission(to: Console, settings: CourseSettings, row: Row) -> None:
    who = f"{row.student} {row.who.name}".strip()
    to.print(f"{row.lab}, {printable(who)}: {format_points(row.total)} of "
             f"{format_points(row.total_maximum)} points", soft_wrap=True)  # fmt: skip
    counting = Counting(settings, row.lab)
    if due := counting.due(row.student):
        to.print(
            f"  due {due:%Y-%m-%d %H:%M} UTC, handed in {row.submitted_at or 'at no known time'}"
        )
    if row.penalty is not None:
        to.print(f"  late penalty {format_points(row.penalty)}")
    tries = counting.graded(row.student)
    chosen = counting.choose(tries) if tries else None
    for number, one in enumerate(tries, start=1):
        points = f"{one.total:g} points" if one.record else "not graded"
        mark = ", counts" if one is chosen else ""
        to.print(f"  try {number}, {one.hand_in.at:%Y-%m-%d %H:%M:%S} UTC: {points}{mark}")
    for name, most in row.maximum.items():
        got = format_points(row.points[name]) if name in row.points else "no score"
        by = " (a person's)" if name in row.by_hand else ""
        codes = row.record.findings.get(name, []) if row.record else []
        found = "".join(f"; {code} {explain(code).title}" for code in codes)
        to.print(f"  {name}: {got} of {format_points(most)}{by}{found}", soft_wrap=True)


def _show_question(to: Console, settings: CourseSettings, row: Row, question: str) -> None:
    folder = settings.records.folder(row.lab, row.student)
    stored = evidence_store.load(folder, question)
    to.print(f"\n{question}: the inputs of this submission")
    for line in _lines(decode(stored.inputs)):
        to.print(f"  {line}", soft_wrap=True)
    if stored.evidence is None:
        to.print(f"no evidence: {stored.entries['reason']} {stored.entries['detail']}".rstrip())
    else:
        to.print("the evidence that the student's code left")
        for line in _lines(decode(stored.evidence)):
            to.print(f"  {line}", soft_wrap=True)
    to.print("the verdict")
    for finding in stored.entries["findings"]:
        for key, value in finding.items():
            if value not in ("", None, [], {}):
                to.print(f"  {key}: {printable(_short(str(value)))}", soft_wrap=True)
    if not stored.entries["findings"]:
        to.print("  no finding")


def _lines(value: Any, place: str = "") -> Iterator[str]:
    """Plain data as lines: `place: value`, a tensor by its shape and first values."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _lines(inner, f"{place}.{key}" if place else str(key))
    elif hasattr(value, "shape"):
        flat = value.flatten()
        first = ", ".join(f"{number:.6g}" for number in flat[:_FIRST_VALUES].tolist())
        more = ", …" if len(flat) > _FIRST_VALUES else ""
        kind = str(value.dtype).removeprefix("torch.")
        yield f"{place}: {kind} tensor of {tuple(value.shape)}: {first}{more}"
    elif isinstance(value, (list, tuple)) and any(
        isinstance(inner, (Mapping, list, tuple)) or hasattr(inner, "shape") for inner in value
    ):
        for number, inner in enumerate(value):
            yield from _lines(inner, f"{place}[{number}]")
    else:
        yield f"{place}: {printable(_short(repr(value)))}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
