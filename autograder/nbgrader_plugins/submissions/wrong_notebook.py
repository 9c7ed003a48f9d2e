"""Recognizes a wrong notebook: an untouched one beside answers, or one of another lab.

It is graded all the same. A notice says what was mixed up, so that a person can submit, or grade,
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
"""Limits of the notebooks that are read beside the lab's: their number, and bytes of each."""


def find_wrong_notebook(
    path: Path,
    notebook: NotebookNode,
    unsolved: NotebookNode,
    read: Callable[[Path], NotebookNode],
) -> list[Notice]:
    """A notice if the notebook is a wrong one, as far as that can be seen.

    Args:
        path: the submitted notebook.
        notebook: its content.
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
    """The lab whose check cells the notebook has, if it has none of the right lab; or ""."""
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
