"""Reads the scores of a lab from the gradebook: rows for tables, JSON and CSV."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    Gradebook,
    SubmittedAssignment,
    SubmittedNotebook,
)

from autograder.course import CHECK, AuthorError
from autograder.grading.records import Record
from autograder.grading.settings import CourseSettings
from autograder.students.roster import Student, read_students
from litcourse.core.atomic_write import write_atomically

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Characters with which a formula begins in a spreadsheet (OWASP, CSV injection)."""

_NOBODY = Student("")


@dataclass
class Row:
    """One submission in the gradebook.

    Args:
        student: id of the student.
        lab: id of the lab.
        points: score by question id: a person's if there is one, with extra credit. A question
            without a score is not among them.
        maximum: maximum points by question id.
        automatic: ids of the questions with an automatic score.
        by_hand: ids of those whose points a person entered.
        penalty: late penalty in points; None if there was never one.
        late_seconds: seconds after the due date.
        submitted_at: time of submission, UTC; "" if not known.
        notebook: the gradebook's id of the submitted notebook.
        due: whether the lab has a due date.
        look_again: whether it was graded again after a person set points.
        record: its record, or None.
        who: the student, with a name where there is a roster.
    """

    student: str
    lab: str
    points: dict[str, float] = field(default_factory=dict)
    maximum: dict[str, float] = field(default_factory=dict)
    automatic: set[str] = field(default_factory=set)
    by_hand: set[str] = field(default_factory=set)
    penalty: float | None = None
    late_seconds: float = 0.0
    submitted_at: str = ""
    notebook: str = ""
    due: bool = False
    look_again: bool = False
    record: Record | None = None
    who: Student = _NOBODY

    @property
    def undecided(self) -> dict[str, str]:
        """By question id, why it has no score and a person has to decide."""
        reasons = self.record.undecided if self.record else {}
        return {name: reasons.get(name, "") for name in self.maximum if name not in self.points}

    @property
    def late_penalty(self) -> float:
        """The late penalty in points, 0 without one."""
        return self.penalty or 0.0

    @property
    def total(self) -> float:
        """The score of `nbgrader export`: all points minus the late penalty."""
        return round(max(0.0, sum(self.points.values()) - self.late_penalty), 4)

    @property
    def total_maximum(self) -> float:
        """Sum of the maximum points."""
        return sum(self.maximum.values())


def read_rows(settings: CourseSettings, lab: str) -> dict[str, Row]:
    """All submissions of `lab` in the gradebook, by student."""
    found: dict[str, Row] = {}
    with Gradebook(settings.course.db_url, settings.course.course_id) as gradebook:
        students = read_students(gradebook)
        for submission in gradebook.assignment_submissions(lab):
            row = Row(submission.student_id, lab, who=students[submission.student_id])
            row.late_seconds = submission.total_seconds_late
            sent_at = submission.timestamp  # UTC, without its zone
            row.submitted_at = sent_at.replace(tzinfo=UTC).isoformat() if sent_at else ""
            row.due = submission.assignment.duedate is not None
            row.record = settings.records.load(lab, row.student)
            found[row.student] = row
        grades = (
            gradebook.db.query(
                SubmittedAssignment.student_id,
                SubmittedNotebook.id,
                SubmittedNotebook.late_submission_penalty,
                BaseCell.name,
                Grade,
            )
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
            .join(BaseCell, BaseCell.id == Grade.cell_id)
            .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
            .filter(Assignment.name == lab)
        )
        for student, notebook, penalty, cell, grade in grades:
            name, row = cell.removesuffix(CHECK), found[student]
            row.maximum[name] = grade.max_score
            if grade.auto_score is not None or grade.manual_score is not None:
                row.points[name] = grade.score
            row.notebook, row.penalty = notebook, penalty
            if grade.auto_score is not None:
                row.automatic.add(name)
            if grade.manual_score is not None:
                row.by_hand.add(name)
            row.look_again |= grade.needs_manual_grade and grade.manual_score is not None
    return found


def check_writable(path: Path) -> None:
    """Check that a CSV file can be written at `path`, before anything is graded for it.

    Raises:
        AuthorError: it can't, or it would replace something that is no plain file.
    """
    if not path.parent.is_dir():
        fault, step = "there is no such folder to write it in", f"mkdir -p {path.parent}"
        raise AuthorError(path, "", fault, step)
    if path.is_dir():
        raise AuthorError(path, "", "it is a folder", f"name a file: --csv {path / 'scores.csv'}")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        fault = "it is a link or a device, which a table does not replace"
        raise AuthorError(path, "", fault, "name a plain file: --csv scores.csv")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        fault = "nothing can be written in its folder"
        raise AuthorError(path, "", fault, "name a file elsewhere: --csv ~/scores.csv")


def write_csv(path: Path, found: Iterable[Row], questions: Sequence[str]) -> None:
    """Write `found` as a CSV file; replaces an older one.

    Args:
        path: the file.
        found: the rows.
        questions: ids of the questions; each gets a column.

    Raises:
        AuthorError: the file can't be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["student", "lab", *questions, "total", "max", "late_penalty", "late_seconds",
         "submitted_at", "graded_at", "state", "findings", "undecided",
         "first_name", "last_name", "email", "lms_user_id"]
    )  # fmt: skip
    for row in found:
        record = row.record or Record(row.lab, row.student)
        codes = (f"{name} {' '.join(found)}" for name, found in record.findings.items())
        writer.writerow(
            [harmless(row.student), harmless(row.lab)]
            + [row.points.get(name, "") for name in questions]
            + [row.total, row.total_maximum, row.late_penalty, round(row.late_seconds)]
            + [row.submitted_at, record.graded_at, record.state, harmless("; ".join(codes))]
            + [harmless("; ".join(f"{name}: {why}" for name, why in row.undecided.items()))]
            + [harmless(row.who.first_name), harmless(row.who.last_name)]
            + [harmless(row.who.email), harmless(row.who.lms_user_id)]
        )
    check_writable(path)  # another file may have come there since the run began
    try:
        write_atomically(path, text.getvalue().encode("utf-8", "replace"), durable=True)
    except OSError as error:
        fault = f"the scores can't be written: {error.strerror or error}"
        step = "what was done is kept; type it again with another --csv, and only that is written"
        raise AuthorError(path, "", fault, step) from error


def harmless(text: str) -> str:
    """`text` in a form that no spreadsheet takes for a formula; a number stays a number."""
    try:
        float(text)
    except ValueError:
        return f"'{text}" if text.startswith(_FORMULA) else text
    return text
