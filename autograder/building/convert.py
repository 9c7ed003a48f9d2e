"""From instructor notebooks to student notebooks, by nbgrader's own converter.

Same preprocessors and same `nbgrader_config.py` as the command `nbgrader
generate_assignment`, so the same bytes; all labs in one process, and no gradebook: grading
registers an assignment that its gradebook does not know.
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
    """Write `<lab>/<lab>.ipynb` of each lab, and what lies beside it, into `folder`.

    Raises:
        AuthorError: nbgrader refuses a notebook; the error says why.
    """
    config = _config(course)
    config.GenerateAssignment.no_database = True
    config.SaveCells.enabled = False
    for lab in labs:
        _convert(course, lab, folder, config)


def _config(course: Course) -> Config:
    """What `nbgrader_config.py` of the course says, and nothing of a person's own settings."""
    try:
        return PyFileConfigLoader(CONFIG, path=str(course.root)).load_config()
    except ConfigFileNotFound:
        return Config()


def _convert(course: Course, lab: Lab, folder: Path, config: Config) -> None:
    messages = _Messages()
    # A logger of its own: nbgrader's would print, and one by name would collect journals.
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
    """Remembers what nbgrader logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self.messages.append(record.getMessage())

    @property
    def reason(self) -> str:
        """The exception's own line if nbgrader logged a traceback, else its first message."""
        tracebacks = [text for text in self.messages if text.startswith("Traceback")]
        if tracebacks:
            return tracebacks[0].strip().splitlines()[-1]
        return self.messages[0] if self.messages else "it gave no reason"
