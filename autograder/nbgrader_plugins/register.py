"""Compiles the lab as students get it, and enters it into the gradebook, from `source/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import SaveCells

from autograder.course import Lab, no_lab_error
from litcourse.core.registry import lab_ids

if TYPE_CHECKING:
    from nbgrader.converters.base import BaseConverter


def find_lab(converter: BaseConverter, assignment: str) -> Lab:
    """The lab of an nbgrader assignment.

    Raises:
        AuthorError: `litcourse` does not know this assignment.
    """
    course = converter.coursedir
    folder = Path(course.format_path(course.source_directory, ".", assignment))
    if assignment not in lab_ids():
        raise no_lab_error(folder)
    return Lab(assignment, folder)


def unsolved_notebook(converter: BaseConverter, lab: Lab) -> NotebookNode:
    """The lab's notebook as students get it, compiled in memory by nbgrader's own steps.

    Raises:
        AuthorError: the instructor notebook is missing or can't be read.
    """
    return _compile(converter, lab, save=False)


def register(converter: BaseConverter, lab: Lab) -> None:
    """Enter `lab` into the gradebook, unless it is there with the same points.

    Raises:
        AuthorError: the instructor notebook is missing or can't be read.
        RuntimeError: cells were added or removed after submissions had been graded.
    """
    course = converter.coursedir
    with Gradebook(course.db_url, course.course_id) as gradebook:
        if _is_registered(gradebook, lab):
            return
        gradebook.update_or_create_assignment(lab.id)
    converter.log.info("Registering %s in the gradebook, from %s", lab.id, lab.path)
    _compile(converter, lab, save=True)


def _is_registered(gradebook: Gradebook, lab: Lab) -> bool:
    try:
        notebook = gradebook.find_notebook(lab.id, lab.id)
    except MissingEntry:
        return False
    known = {cell.name: float(cell.max_score) for cell in notebook.grade_cells}
    cells = [cell for cell in lab.notebook.cells if utils.is_grade(cell)]
    return known == {c.metadata.nbgrader.grade_id: float(c.metadata.nbgrader.points) for c in cells}


def _compile(converter: BaseConverter, lab: Lab, *, save: bool) -> NotebookNode:
    steps = GenerateAssignment(coursedir=converter.coursedir, parent=converter).preprocessors
    exporter = NotebookExporter(parent=converter, config=converter.config)
    for step in steps:
        if save or step is not SaveCells:
            exporter.register_preprocessor(step)
    names: dict[str, Any] = {"notebook": lab.id, "assignment": lab.id, "student": "."}
    resources = {"nbgrader": {**names, "db_url": converter.coursedir.db_url}}
    text, _ = exporter.from_notebook_node(lab.notebook, resources)
    made: NotebookNode = nbformat.reads(text, as_version=4)
    return made
