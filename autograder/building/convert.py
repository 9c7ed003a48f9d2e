"""Converts instructor notebooks into student notebooks, by nbgrader's own converter.

It uses the preprocessors and the `nbgrader_config.py` of `nbgrader generate_assignment`, so the
bytes are the same. It converts all labs in one process and without a gradebook: grading registers
an assignment that its gradebook lacks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from nbgrader.converters import GenerateAssignment, NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config.loader import Config, ConfigFileNotFound, PyFileConfigLoader

from autograder.course import AuthorError, Course, Lab

CONFIG = "nbgrader_config.py"


def student_notebooks(course: Course, labs: Iterable[Lab], folder: Path) -> None:
    """Write `<lab>/<lab>.ipynb` of each lab, and the files beside it, into `folder`.

    Raises:
        AuthorError: nbgrader refuses a notebook; the message says why.
    """
    config = _config(course)
    config.GenerateAssignment.no_database = True
    config.SaveCells.enabled = False
    for lab in labs:
        _convert(course, lab, folder, config)


def _config(course: Course) -> Config:
    """The settings of the course's `nbgrader_config.py`, without a person's own settings."""
    try:
        return PyFileConfigLoader(CONFIG, path=str(course.root)).load_config()
    except ConfigFileNotFound:
        return Config()


def _convert(course: Course, lab: Lab, folder: Path, config: Config) -> None:
    messages = _Messages()
    # A separate logger: nbgrader's would print, and a named one would collect handlers.
    log = logging.Logger("autograder.building.convert")  # noqa: LOG001
    log.addHandler(messages)
    directory = CourseDirectory(
        config=config,
        log=log,
        root=str(course.root),
        assignment_id=lab.id,
        release_directory=str(folder),
    )
    converter = GenerateAssignment(coursedir=directory, config=config, log=log, force=True)
    try:
        converter.start()
    except NbGraderException as error:
        step = "mend the cell in JupyterLab, then: autograder build " + lab.id
        raise AuthorError(lab.path, "", f"nbgrader refuses it: {messages.reason}", step) from error


class _Messages(logging.Handler):
    """Collects nbgrader's error messages."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self.messages.append(record.getMessage())

    @property
    def reason(self) -> str:
        """The exception's line if nbgrader logged a traceback, else the first message."""
        tracebacks = [text for text in self.messages if text.startswith("Traceback")]
        if tracebacks:
            return tracebacks[0].strip().splitlines()[-1]
        return self.messages[0] if self.messages else "it gave no reason"
