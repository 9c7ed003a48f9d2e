"""Notebooks that are readable and the wrong ones: an untouched one, or one of another lab.

They are graded as they are. A notice tells what was mixed up, so that a person can send, or grade,
the right one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.course import CHECK, grade_id
from autograder.nbgrader_plugins.submission_metadata import Notice
from litcourse.core.registry import lab_ids, question_ids

if TYPE_CHECKING:
    from nbformat import NotebookNode

UNTOUCHED = "LIT917"
OTHER_LAB = "LIT918"
_MOST, _LARGEST = 5, 10 * 2**20
"""How many notebooks are read beside the one of the lab's name, and of how many bytes."""


def find_wrong_notebook(
    path: Path,
    notebook: NotebookNode,
    unsolved: NotebookNode,
    read: Callable[[Path], NotebookNode],
) -> list[Notice]:
    """What was mixed up, as far as that can be told.

    Args:
        path: the notebook of the lab's name.
        notebook: what is in it.
        unsolved: the lab as students got it.
        read: reads another notebook.
    """
    lab = _other_lab(notebook, unsolved)
    if lab:
        return [Notice(OTHER_LAB, "", "", f"it is {lab}")]
    if _sources(notebook) <= _sources(unsolved):
        copy = _solved_copy(path, unsolved, read)
        if copy:
            return [Notice(UNTOUCHED, "", "", f"answers are in {copy}")]
    return []


def _ids(notebook: NotebookNode) -> set[str]:
    return {grade_id(cell) for cell in notebook.cells if grade_id(cell)}


def _sources(notebook: NotebookNode) -> set[str]:
    return {cell.source.strip() for cell in notebook.cells if cell.cell_type == "code"}


def _other_lab(notebook: NotebookNode, unsolved: NotebookNode) -> str:
    """The lab whose checks the notebook has, if it has none of its own."""
    found, own = _checks(notebook), _checks(unsolved)
    if not found or found & own:
        return ""
    return next((lab for lab in lab_ids() if found & set(question_ids(lab))), "")


def _checks(notebook: NotebookNode) -> set[str]:
    return {name.removesuffix(CHECK) for name in _ids(notebook) if name.endswith(CHECK)}


def _solved_copy(path: Path, unsolved: NotebookNode, read: Callable[[Path], NotebookNode]) -> str:
    """The name of a notebook beside `path` that holds answers to this lab, or ""."""
    others = sorted(other for other in path.parent.glob("*.ipynb") if other.name != path.name)
    for other in others[:_MOST]:
        if other.lstat().st_size > _LARGEST:
            continue
        with contextlib.suppress(Exception):  # a damaged file may break any part of a reader
            found = read(other)
            if _ids(found) & _ids(unsolved) and not _sources(found) <= _sources(unsolved):
                return other.name
    return ""
