"""Fills a lab's notebook with answers, submits it, and reads the gradebook."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from autograder.course import CHECK, Course, Lab, grade_id


def copy_course(course: Course, folder: Path, lab: Lab, question_ids: Collection[str]) -> Course:
    """Make a course in `folder`, with one lab and only some of its questions."""
    shutil.copy(course.root / "nbgrader_config.py", folder)
    notebook = copy.deepcopy(lab.notebook)
    dropped = {name for name in lab.questions if name not in question_ids}
    kept = [c for c in notebook.cells if grade_id(c).removesuffix(CHECK) not in dropped]
    notebook.cells = kept
    path = folder / "source" / lab.id / lab.path.name
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return Course(folder)


def fill_notebook(unsolved: NotebookNode, answers: Mapping[str, str]) -> NotebookNode:
    """A copy of the unsolved notebook with `answers`, which are sources by question id."""
    notebook = copy.deepcopy(unsolved)
    for cell in notebook.cells:
        if grade_id(cell) in answers:
            cell.source = answers[grade_id(cell)]
    return notebook


def hand_in(root: Path, student: str, lab: str, content: NotebookNode | bytes) -> Path:
    """Put a submission where `nbgrader autograde` looks for it, and return its path."""
    path = root / "submitted" / student / lab / f"{lab}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = content if isinstance(content, bytes) else nbformat.writes(content).encode()
    path.write_bytes(made)
    return path


def nbgrader(
    root: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command `nbgrader` in the course `root`, and keep its output.

    Args:
        root: the course folder.
        arguments: what follows `nbgrader` on the command line.
        variables: further environment variables.
    """
    return subprocess.run(
        _command(arguments),
        cwd=root,
        env=_environment() | dict(variables or {}),
        check=False,
        capture_output=True,
        text=True,
    )


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "nbgrader", *arguments]


def _environment() -> dict[str, str]:
    # nbgrader 0.9.6 starts alembic by name when it makes a gradebook.
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": programs}


def read_points(
    root: Path, lab: str, students: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Automatic points in the gradebook, by student and question; None without a score."""
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as gradebook:
        return {student: _points_of(gradebook, lab, student) for student in students}


def _points_of(gradebook: Gradebook, lab: str, student: str) -> dict[str, float | None]:
    notebook = gradebook.find_submission_notebook(lab, lab, student)
    return {grade.name.removesuffix(CHECK): grade.auto_score for grade in notebook.grades}
