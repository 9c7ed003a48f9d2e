"""Extensions: more time for a student, in `extensions.csv` of the course folder.

nbgrader keeps an extension with a submission, so that nobody can have one before handing in. This
file holds them until then. It is a table that a person may edit: `lab,student,hours`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from nbgrader.api import Gradebook, MissingEntry

from autograder.course import AuthorError
from litcourse.core.atomic_write import write_atomically

if TYPE_CHECKING:
    from nbgrader.coursedir import CourseDirectory

FILE = "extensions.csv"
_FIELDS = ("lab", "student", "hours")
Extensions = Mapping[tuple[str, str], timedelta]
"""Time beyond the due date, by lab and student; nothing where one was taken back."""


def read_extensions(root: Path) -> dict[tuple[str, str], timedelta]:
    """The extensions of the course at `root`.

    Raises:
        AuthorError: the table is damaged.
    """
    path = root / FILE
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise AuthorError(path, "", f"it can't be read: {error}", f"mend {path}") from error
    found = {}
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        try:
            hours = timedelta(hours=float(row["hours"]))
            found[row["lab"].strip(), row["student"].strip()] = hours
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            fault = f"line {number} has not the columns {', '.join(_FIELDS)}"
            raise AuthorError(path, "", fault, "mend that line, or delete it") from None
    return found


def write_extension(root: Path, lab: str, student: str, length: timedelta) -> None:
    """Keep an extension of the course at `root`, in place of an earlier one; 0 takes it back."""
    rows = {**read_extensions(root), (lab, student): length}
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FIELDS)
    for (name, who), time in sorted(rows.items()):
        writer.writerow([name, who, f"{time / timedelta(hours=1):g}"])
    write_atomically(root / FILE, text.getvalue().encode(), durable=True)


def apply_extension(gradebook: Gradebook, extensions: Extensions, lab: str, student: str) -> bool:
    """Give the student's submission its extension; whether that changed anything.

    An extension that nbgrader granted stays where the table has no line.
    """
    length = extensions.get((lab, student))
    if length is None:
        return False
    try:
        submission = gradebook.find_submission(lab, student)
    except MissingEntry:
        return False
    wanted = length or None
    if submission.extension == wanted:
        return False
    submission.extension = wanted
    gradebook.db.commit()
    return True


def apply_extensions(course: CourseDirectory, labs: Collection[str]) -> None:
    """Give the submissions of `labs` their extensions, as a person may have edited the table.

    Raises:
        AuthorError: the table is damaged.
    """
    extensions = read_extensions(Path(course.root))
    if not extensions:
        return
    with Gradebook(course.db_url, course.course_id) as gradebook:
        for lab, student in extensions:
            if lab in labs:
                apply_extension(gradebook, extensions, lab, student)
