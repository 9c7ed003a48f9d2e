"""The folders of a course, and the questions of its instructor notebooks.

A course is a folder with `source/<lab>/<lab>.ipynb`. The questions of a lab are the cells
of that notebook whose `grade_id` has a check cell `<id>-check`; there is no other list.
"""

from __future__ import annotations

import importlib
import os
import stat
import sys
import traceback
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from packaging.version import Version

from litcourse import labs
from litcourse.core.names import UnknownNameError
from litcourse.core.question import Question
from litcourse.core.registry import find_question, lab_ids, question_ids

CHECK = "-check"
"""Suffix of the `grade_id` of a question's check cell."""
DEMO_TAG = "demo"
"""Tag of demonstration cells, which grading skips."""


class AuthorError(Exception):
    """A fault of the course that an instructor has to mend.

    Args:
        file: the file at fault.
        question_id: the question at fault, or "".
        fault: what is wrong.
        next_step: what to type or write next.
    """

    def __init__(self, file: Path | str, question_id: str, fault: str, next_step: str) -> None:
        self.file, self.question_id = str(file), question_id
        self.fault, self.next_step = fault, next_step
        question = f", question {question_id!r}" if question_id else ""
        super().__init__(f"{file}{question}: {fault}\n  Next: {next_step}")


class LockedError(AuthorError):
    """Another run holds a lock of the course."""


@dataclass(frozen=True)
class QuestionCells:
    """The cells of a question in the instructor notebook.

    Args:
        id: the question's id, the `grade_id` of its solution cell.
        points: points of its check cell.
        solution: source of the solution cell, solution markers included.
        check: source of the check cell.
    """

    id: str
    points: float
    solution: str
    check: str


@dataclass(frozen=True)
class Lab:
    """A lab of the course and its instructor notebook."""

    id: str
    folder: Path

    @property
    def path(self) -> Path:
        """The instructor notebook."""
        return self.folder / f"{self.id}.ipynb"

    @cached_property
    def notebook(self) -> NotebookNode:
        """The instructor notebook, read once.

        Raises:
            AuthorError: it is missing or can't be read.
        """
        try:
            notebook: NotebookNode = nbformat.read(self.path, as_version=4)
        except FileNotFoundError:
            step = f"write {self.path}, or remove the folder"
            raise AuthorError(self.path, "", "there is no such notebook", step) from None
        except Exception as error:
            step = "open it in JupyterLab, or restore it with git"
            raise AuthorError(self.path, "", f"it can't be read: {error}", step) from error
        return notebook

    @cached_property
    def questions(self) -> dict[str, QuestionCells]:
        """The lab's questions in the notebook's order, by id.

        Raises:
            AuthorError: a check cell without its question or without points, or two cells of one
                `grade_id`.
        """
        cells = self._cells()
        checks = [name for name in cells if name.endswith(CHECK)]
        found = {name.removesuffix(CHECK): cells[name] for name in checks}
        for name in found:
            if name not in cells:
                fault = f"the check cell {name + CHECK!r} has no solution cell"
                raise AuthorError(
                    self.path, name, fault, f"give a solution cell the grade_id {name!r}"
                )
        return {
            name: QuestionCells(name, self._points(check), cells[name].source, check.source)
            for name, check in found.items()
        }

    def _cells(self) -> dict[str, NotebookNode]:
        cells: dict[str, NotebookNode] = {}
        for cell in self.notebook.cells:
            name = grade_id(cell)
            if name in cells:
                fault = f"two cells have the grade_id {name!r}"
                raise AuthorError(self.path, name.removesuffix(CHECK), fault, "rename one of them")
            if name:
                cells[name] = cell
        return cells

    def _points(self, check: NotebookNode) -> float:
        try:
            return float(check.metadata.nbgrader.points)
        except (AttributeError, TypeError, ValueError):
            fault = f"the check cell {grade_id(check)!r} has no points"
            step = "give it points in JupyterLab's Create Assignment, or in its metadata"
            raise AuthorError(self.path, grade_id(check).removesuffix(CHECK), fault, step) from None

    def find_question(self, question_id: str) -> Question:
        """The probe and judge of a question of this notebook.

        Raises:
            AuthorError: `litcourse` has no such question, or it can't be imported; the error names
                the file to write or to mend.
        """
        try:
            return find_question(self.id, question_id)
        except UnknownNameError as error:
            raise self.no_judge_error(question_id) from error
        except Exception as error:
            file = question_file(self.id, question_id)
            raise not_importable(file, question_id, error) from error

    def no_judge_error(self, question_id: str) -> AuthorError:
        """The error of a question that `litcourse` lacks."""
        file = f"litcourse/labs/{self.id}/{question_id}.py"
        step = f"write {file}, or run: make new LAB={self.id} Q={question_id}"
        return AuthorError(file, question_id, "it has no probe and judge", step)

    def check_versions(self) -> None:
        """Check that what is installed here is new enough to grade this lab.

        Raises:
            AuthorError: naming the distribution, and what to type.
        """
        package = importlib.import_module(f"{labs.__name__}.{self.id}")
        needs: dict[str, str] = getattr(package, "GRADING_NEEDS", {})
        for name, least in needs.items():
            found = version(name)
            if Version(found) < Version(least):
                fault = f"grading needs {name} {least} or newer, and {sys.prefix} has {found}"
                step = f"make setup, or in an environment of yours: pip install '{name}>={least}'"
                raise AuthorError(self.path, "", fault, step)

    def check_parts(self) -> None:
        """Check that every question has all its parts; imports nothing.

        A question of `litcourse` without cells is no fault: an instructor may take one out.

        Raises:
            AuthorError: naming the missing file.
        """
        known = question_ids(self.id) if self.id in lab_ids() else []
        for question_id in self.questions:
            if question_id not in known:
                raise self.no_judge_error(question_id)


@dataclass(frozen=True)
class Course:
    """A course folder.

    Args:
        root: folder that holds `source/`, `release/` and `nbgrader_config.py`.
    """

    root: Path

    @property
    def labs(self) -> dict[str, Lab]:
        """All labs under `source/`, by id, in order."""
        known = lab_ids()
        return {p.name: Lab(p.name, p) for p in self._folders() if p.name in known}

    @property
    def foreign(self) -> list[str]:
        """Assignments under `source/` that are no labs of `litcourse`; nbgrader grades them."""
        known = lab_ids()
        return [p.name for p in self._folders() if p.name not in known]

    def _folders(self) -> list[Path]:
        folders = sorted(p for p in (self.root / "source").glob("*") if p.is_dir())
        return [p for p in folders if not p.name.startswith(".")]

    def lab(self, lab_id: str) -> Lab:
        """The lab `lab_id`.

        Raises:
            AuthorError: `litcourse` does not know this assignment.
            UnknownNameError: there is no such lab; the message lists the labs.
        """
        if lab_id in self.foreign:
            raise no_lab_error(self.root / "source" / lab_id)
        if lab_id not in self.labs:
            raise UnknownNameError("lab", lab_id, self.labs)
        return self.labs[lab_id]


def no_lab_error(folder: Path) -> AuthorError:
    """The error of an nbgrader assignment that `litcourse` does not know."""
    step = (
        "build and grade it with nbgrader, in a course folder of its own with nbgrader's own "
        f"settings; or make it a lab: autograder new {folder.name} QUESTION"
    )
    return AuthorError(folder, "", f"{folder.name} is no lab of litcourse", step)


def unwritable_error(path: Path, error: OSError) -> AuthorError:
    """The error of a file or folder of the course that can't be written."""
    fault = f"it can't be written: {error.strerror or error}"
    step = "work as the user who owns the course, or share it with a group (docs/term.md)"
    return AuthorError(path, "", fault, step)


def find_course(start: Path | None = None) -> Course:
    """The course that holds the folder `start`, by default $LITCOURSE_COURSE or the working folder.

    A folder above it that everybody may write in, such as /tmp, is none: a course's settings are
    code, and anybody could have put them there.

    Raises:
        AuthorError: no folder upwards holds `source/`.
    """
    here = (start or Path(os.environ.get("LITCOURSE_COURSE", "."))).resolve()
    for folder in (here, *here.parents):
        public = folder != here and folder.stat().st_mode & stat.S_IWOTH
        if not public and (folder / "source").is_dir():
            return Course(folder)
    raise AuthorError(here, "", "this is no course: no source/ here or above", "cd into the course")


def question_file(lab_id: str, question_id: str) -> str:
    """The file of a question, there or not: a module, or the `__init__` of a folder."""
    parts = [Path(place) / lab_id / question_id / "__init__.py" for place in labs.__path__]
    folder = any(path.is_file() for path in parts)
    return f"litcourse/labs/{lab_id}/{question_id}{'/__init__' if folder else ''}.py"


def not_importable(file: str, question_id: str, error: Exception) -> AuthorError:
    """The error of a module that raises when it is imported."""
    fault = f"it can't be imported: {where_raised(error)}"
    return AuthorError(file, question_id, fault, f"mend {file}")


def where_raised(error: Exception) -> str:
    """An exception in one line: type, message, and where it was raised."""
    line = (str(error).strip() or "no message").splitlines()[0][:300]
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename[0] != "<"]
    if isinstance(error, SyntaxError) or not frames:  # its message says where
        return f"{type(error).__name__}: {line}"
    place = frames[-1]
    return f"{type(error).__name__}: {line} ({Path(place.filename).name}, line {place.lineno})"


def grade_id(cell: NotebookNode) -> str:
    """The nbgrader id of a cell, or ""."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", "") or "")


def is_demo(cell: NotebookNode) -> bool:
    """Whether grading skips the cell."""
    return DEMO_TAG in cell.metadata.get("tags", [])
