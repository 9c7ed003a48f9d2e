"""`autograder marks`: the points of the gradebook, as Moodle and Canvas import them.

Nothing is graded here. Who handed in nothing keeps an empty cell, which no LMS takes for 0 points,
and so does who has a question without a score.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autograder.course import AuthorError, Course
from autograder.grading.reporting import table
from autograder.grading.reporting.progress import console, format_points, name_few
from autograder.grading.reporting.table import Row, harmless
from autograder.grading.settings import CourseSettings
from autograder.students.roster import Student, read_roster
from autograder.term.archives import CANVAS, MOODLE
from autograder.term.lms_tables import POINTS_POSSIBLE, Table, read_table, unmatched
from autograder.term.open_course import open_course
from litcourse.core.atomic_write import write_atomically
from litcourse.core.exit_codes import ExitCode
from litcourse.core.names import UnknownNameError
from litcourse.feedback.catalogue import explain

_KEYS = ("id", "sis user id", "sis login id", "root account")
"""Canvas's columns by which it finds a student again: their cells stay as they are."""
_NUMBER_BEHIND = re.compile(r"\s*\(\d+\)$")
"""What Canvas puts behind the name of an assignment."""


@dataclass
class Marks:
    """The points of some labs.

    Args:
        labs: rows of the gradebook by lab and student.
        undecided: students who have a question without a score.
        missing: students of the LMS who are not on the roster.
        lines: the lines of the file.
    """

    labs: Mapping[str, Mapping[str, Row]]
    undecided: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    lines: list[Sequence[str]] = field(default_factory=list)

    def cell(self, lab: str, student: str) -> str:
        """Points of a student in a lab; "" without a submission or with an open question."""
        row = self.labs[lab].get(student)
        if row is None:
            return ""
        if row.undecided:
            self.undecided.append(f"{student} ({lab})")
            return ""
        return format_points(row.total)


def write_marks(
    course: Course, labs: Sequence[str], kind: str, out: Path, export: Path | None
) -> ExitCode:
    """Write the points of `labs` into a file that an LMS imports.

    Args:
        course: the course.
        labs: ids of labs; empty for all that are in the gradebook.
        kind: `MOODLE` or `CANVAS`.
        out: the file; it is replaced.
        export: the table that the LMS exported; Canvas needs it.

    Raises:
        AuthorError: the table can't be read, or the file can't be written.
        UnknownNameError: there is no such lab or kind.
    """
    if kind not in {MOODLE, CANVAS}:
        raise UnknownNameError("format", kind, (MOODLE, CANVAS))
    if kind == CANVAS and export is None:
        step = "export the gradebook in Canvas, and give it: --roster EXPORT.csv"
        raise AuthorError("--format canvas", "", "Canvas needs the numbers of its export", step)
    chosen, out = [course.lab(name).id for name in labs] or list(course.labs), out.absolute()
    export = export and export.absolute()
    table.check_writable(out)
    with open_course(course, wait=False, locked=False) as settings:
        rows = {lab: _rows(settings, lab) for lab in chosen}
        roster = read_roster(settings.converter)
        sheet = read_table(export, roster) if export else None
        marks = Marks({lab: found for lab, found in rows.items() if found or labs})
        if sheet is not None:
            marks.missing = unmatched(sheet.rows)
        if kind == CANVAS and sheet is not None:
            _canvas(marks, sheet)
        else:
            _moodle(marks, sheet, roster.students)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(marks.lines)
    write_atomically(out, text.getvalue().encode("utf-8", "replace"), durable=True)
    return _print(marks, out)


def _rows(settings: CourseSettings, lab: str) -> dict[str, Row]:
    return table.read_rows(settings, lab)


def _canvas(marks: Marks, sheet: Table) -> None:
    """Canvas's own export, with the columns of the labs filled in."""
    header = list(sheet.header)
    names = [_NUMBER_BEHIND.sub("", name).strip().lower() for name in header]
    places = {}
    for lab in marks.labs:
        if lab.lower() not in names:
            header.append(lab)
            names.append(lab.lower())
        places[lab] = names.index(lab.lower())
    students = {row.place: row.student for row in sheet.rows}
    marks.lines.append(header)
    for number, line in enumerate(sheet.lines):
        cells = [*line, *[""] * (len(header) - len(line))]
        cells = [
            c if names[i] in _KEYS else harmless(c) for i, c in enumerate(cells[: len(header)])
        ]
        for lab, place in places.items():
            if student := students.get(number, ""):
                cells[place] = marks.cell(lab, student) or cells[place]
            elif place >= len(sheet.header) and POINTS_POSSIBLE in " ".join(line).lower():
                cells[place] = _possible(marks, lab)
        marks.lines.append(cells)


def _possible(marks: Marks, lab: str) -> str:
    most = [row.total_maximum for row in marks.labs[lab].values()]
    return format_points(max(most)) if most else ""


def _moodle(marks: Marks, sheet: Table | None, students: Mapping[str, Student]) -> None:
    """A table for Moodle's import of grades: each lab with its points and its feedback."""
    header = ["ID number", "Email address", "First name", "Last name"]
    for lab in marks.labs:
        header += [lab, f"{lab} feedback"]
    marks.lines.append(header)
    numbers = {row.student: row.cells for row in sheet.rows if row.student} if sheet else {}
    for student in sorted(numbers or students):
        who, cells = students[student], numbers.get(student, {})
        line = [cells.get("id number", ""), cells.get("email address") or who.email]
        line += [who.first_name, who.last_name]
        for lab in marks.labs:
            line += [marks.cell(lab, student), _feedback(marks.labs[lab].get(student))]
        marks.lines.append([harmless(cell) for cell in line])


def _feedback(row: Row | None) -> str:
    """Points and findings of a submission, in one line for each question."""
    if row is None:
        return ""
    lines = []
    for name, most in row.maximum.items():
        got = format_points(row.points[name]) if name in row.points else "?"
        codes = row.record.findings.get(name, []) if row.record else []
        found = "; ".join(f"{explain(code).title} ({code})" for code in codes)
        lines.append(f"{name}: {got} of {format_points(most)}{f'. {found}' if found else ''}")
    if row.late_penalty:
        lines.append(f"late: {format_points(row.late_penalty)} taken off")
    return "\n".join(lines)


def _print(marks: Marks, out: Path) -> ExitCode:
    to = console(json=False)
    to.print(f"wrote {out}: {', '.join(marks.labs)}", soft_wrap=True)
    if marks.missing:
        step = "nbgrader db student add ID, with --email or --lms-user-id"
        text = f"in the LMS's table and not on the roster: {name_few(marks.missing)}. Next: {step}"
        to.print(text, style="red", soft_wrap=True)
    if marks.undecided:
        text = f"left empty, as a question has no score: {name_few(marks.undecided)}"
        to.print(f"{text}. Next: grade it in the formgrader", style="red", soft_wrap=True)
    return ExitCode.INCOMPLETE if marks.missing or marks.undecided else ExitCode.DONE
