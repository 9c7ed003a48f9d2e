"""Reads the tables that an LMS exports: Canvas's gradebook, Moodle's participants and worksheet.

A table of nbgrader (`id,first_name,last_name,email,lms_user_id`) is read as well. Headers are those
that Canvas and Moodle write in English.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.course import AuthorError
from autograder.students.roster import Roster

_LMS_IDS = ("identifier", "id", "lms_user_id")
"""Columns with the number that stands in names of files: Moodle's participant, Canvas's user."""
_IDS = (
    "sis login id",
    "login id",
    "username",
    "sis user id",
    "id number",
    "email address",
    "email",
)
"""Columns by which a student is found, in this order."""
_TIMES = ("last modified (submission)",)
POINTS_POSSIBLE = "points possible"


@dataclass(frozen=True)
class TableRow:
    """A student in a table of an LMS.

    Args:
        lms_id: the number in names of files, or "".
        student: id on the roster, or "" if nobody is found.
        name: the name in the table.
        cells: cells by header, in small letters.
        place: number of the row, from 0 for the first under the header.
    """

    lms_id: str
    student: str
    name: str
    cells: Mapping[str, str]
    place: int

    @property
    def time(self) -> str:
        """When she handed in, as the table says, or ""."""
        return next((self.cells[name] for name in _TIMES if self.cells.get(name)), "")


@dataclass(frozen=True)
class Table:
    """A table of an LMS.

    Args:
        header: the headers as they are.
        lines: all lines under the header as they are.
        rows: the lines that are students.
    """

    header: Sequence[str]
    lines: Sequence[Sequence[str]]
    rows: Sequence[TableRow]


def read_table(path: Path, roster: Roster) -> Table:
    """Read a table and find its students on the roster.

    Raises:
        AuthorError: it is no such table.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = list(csv.reader(io.StringIO(text)))
    except (OSError, ValueError, csv.Error) as error:
        raise AuthorError(
            path, "", f"it can't be read: {error}", "export it as CSV again"
        ) from error
    header = lines[0] if lines else []
    names = [name.strip().lower() for name in header]
    if not set(names) & {*_IDS, *_LMS_IDS}:
        step = "export Canvas's gradebook, Moodle's participants or its grading worksheet, as CSV"
        raise AuthorError(path, "", "no column names a student", step)
    is_nbgraders = {"id", "lms_user_id"} <= set(names)
    rows = []
    for place, line in enumerate(lines[1:]):
        cells = dict(zip(names, (cell.strip() for cell in line), strict=False))
        if _is_student(cells):
            rows.append(_row(cells, place, roster, is_nbgraders=is_nbgraders))
    return Table(header, lines[1:], rows)


def _is_student(cells: Mapping[str, str]) -> bool:
    """Whether a line is a student: Canvas has one of points, one for a test student."""
    name = cells.get("student", "").lower()
    return any(cells.values()) and POINTS_POSSIBLE not in name and name != "student, test"


def _row(cells: Mapping[str, str], place: int, roster: Roster, *, is_nbgraders: bool) -> TableRow:
    lms_ids = ("lms_user_id",) if is_nbgraders else _LMS_IDS
    lms_id = next((cells[name] for name in lms_ids if cells.get(name)), "")
    names = _names(cells)
    wanted = [cells["id"]] if is_nbgraders else []
    wanted += [cells[name] for name in _IDS if cells.get(name)]
    lms_id = lms_id.removeprefix("Participant ").removeprefix("Teilnehmer/in")
    found = roster.find(*wanted) or (roster.find_lms_id(lms_id) if lms_id else "")
    return TableRow(lms_id, found or roster.find(*names), next(iter(names), ""), cells, place)


def _names(cells: Mapping[str, str]) -> list[str]:
    first = cells.get("first name", cells.get("first_name", ""))
    last = cells.get("last name", cells.get("surname", cells.get("last_name", "")))
    full = cells.get("full name", "")
    canvas = " ".join(reversed([part.strip() for part in cells.get("student", "").split(",")]))
    return [name for name in (f"{first} {last}".strip(), full, canvas) if name]


def unmatched(rows: Iterable[TableRow]) -> list[str]:
    """Names of the students of a table who are not on the roster."""
    return [row.name or row.lms_id for row in rows if not row.student]
