"""What the tests of building share: a course's files by name, and a change of its notebook."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.course import Course

NOTEBOOK = "source/lab0_tiny/lab0_tiny.ipynb"
Edit = Callable[[dict[str, NotebookNode], NotebookNode], Any]


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def edit(course: Course, change: Edit) -> None:
    """Change the source notebook; `change` gets its cells by id, and the notebook."""
    path = course.root / NOTEBOOK
    notebook = nbformat.read(path, as_version=4)
    change({cell.id: cell for cell in notebook.cells}, notebook)
    nbformat.write(notebook, path)
