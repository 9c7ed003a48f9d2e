"""Loads nbgrader's settings of a course; divides its steps between workers and the writer."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nbgrader.apps import AutogradeApp
from nbgrader.converters import Autograde
from nbgrader.preprocessors import (
    AssignLatePenalties,
    NbGraderPreprocessor,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from traitlets import TraitError
from traitlets.config import Config, Configurable
from traitlets.utils.importstring import import_item

from autograder.course import AuthorError, Course, unwritable_error
from autograder.grading.gradebook import commit_once
from autograder.grading.records import NOTEBOOK, RecordStore
from autograder.grading.shared_folder import private_files
from autograder.nbgrader_plugins.execute import RunSubmission
from autograder.nbgrader_plugins.grade import GradeEvidence, SaveScores
from autograder.nbgrader_plugins.penalties import LatePenalties
from autograder.nbgrader_plugins.submission_metadata import KEY, Context
from autograder.secret import is_shared
from litcourse.core.names import UnknownNameError

if TYPE_CHECKING:
    from nbformat import NotebookNode

CONFIG = "nbgrader_config.py"
LOG = "grading.log"
"""File in `evidence/` for the warnings of nbgrader and of the workers."""

_OTHER_SECONDS = 600.0
"""Seconds for draws, verdicts and files of one submission; they take about one."""

Section = TypeVar("Section", bound=Configurable)
Chain = Callable[["NotebookNode", dict[str, Any]], tuple["NotebookNode", dict[str, Any]]]
"""Takes a notebook and nbconvert's resources, applies nbgrader's steps, returns both."""


class CourseSettings:
    """The settings of `nbgrader_config.py`, with the steps and folders that they name.

    Args:
        app: nbgrader's application, which has read the settings.
        sandbox: whether submissions run in the sandbox.

    Raises:
        AuthorError: the settings do not name the course's own nbgrader steps.
    """

    def __init__(self, app: AutogradeApp, *, sandbox: bool) -> None:
        self.app, self.course, self.sandbox = app, app.coursedir, sandbox
        self.root = Path(self.course.root)
        self.converter = Autograde(coursedir=self.course, parent=app)
        steps = [_import_step(step) for step in self.converter.autograde_preprocessors]
        # Settings of an older course name nbgrader's own: one overwrites a person's penalty, the
        # other enters 0 where a person has to decide.
        ours = {AssignLatePenalties: LatePenalties, SaveAutoGrades: SaveScores}
        steps = [ours.get(step, step) for step in steps]
        for needed in (RunSubmission, GradeEvidence, SaveScores):
            if not any(issubclass(step, needed) for step in steps):
                raise self._other_steps_error(needed.__name__)
        first = next(i for i, step in enumerate(steps) if issubclass(step, SaveScores))
        self.running, self.saving = steps[:first], steps[first:]
        sanitizing = [_import_step(step) for step in self.converter.sanitize_preprocessors]
        self.sanitizing = [KeepKernelspec if s is OverwriteKernelspec else s for s in sanitizing]
        penalties = [step for step in self.saving if issubclass(step, LatePenalties)]
        self.penalties = penalties[0](parent=self.converter) if penalties else None
        self.records = RecordStore(self.root / GradeEvidence(parent=self.converter).folder)
        self._places: Mapping[tuple[str, str], Path] = {}

    def elsewhere(
        self, places: Mapping[tuple[str, str], Path], records: RecordStore
    ) -> CourseSettings:
        """These settings, for submissions in folders of their own.

        Args:
            places: folder by lab and student.
            records: the records of those submissions.
        """
        made = copy.copy(self)
        made._places, made.records = places, records  # noqa: SLF001 (it is one of us)
        return made

    def runner(self) -> RunSubmission:
        """The step that runs submissions."""
        step = next(step for step in self.running if issubclass(step, RunSubmission))
        made: RunSubmission = step(parent=self.converter)
        return made

    def most_seconds(self) -> float:
        """Time limit of one submission in seconds, with all work around its own code."""
        limits = self.runner()
        starts = (limits.restarts + 1) * limits.startup_seconds
        return float(limits.notebook_seconds + starts + _OTHER_SECONDS)

    def _other_steps_error(self, lacking: str) -> AuthorError:
        path = self.root / CONFIG
        if not path.is_file():
            step = f"copy the course repository's {CONFIG} to {path}"
            return AuthorError(self.root, "", f"no {CONFIG} here", step)
        fault = f"c.Autograde.autograde_preprocessors lacks {lacking}"
        step = f"take the list from the {CONFIG} of the course's repository"
        return AuthorError(path, "", fault, step)

    def chain(self, steps: Sequence[type]) -> Chain:
        """Chain nbgrader's steps, for any number of notebooks.

        nbconvert's exporter also copies, validates and formats the notebook around each step, which
        takes longer than the steps.
        """
        made = [step(parent=self.converter) for step in steps]

        def run_steps(
            notebook: NotebookNode, resources: dict[str, Any]
        ) -> tuple[NotebookNode, dict[str, Any]]:
            for step in made:
                notebook, resources = step(notebook, resources)
            return notebook, resources

        return run_steps

    def resources(self, lab: str, student: str) -> dict[str, Any]:
        """The resources that nbgrader's steps need for a notebook."""
        names = {"student": student, "assignment": lab, "notebook": lab}
        return {
            "unique_key": lab,
            "output_files_dir": f"{lab}_files",
            "nbgrader": {**names, "db_url": self.course.db_url},
        }

    def made(self) -> list[Path]:
        """Folders and files that runs make in the course."""
        course = self.course
        names = (course.submitted_directory, course.autograded_directory, course.feedback_directory)
        folders = [self.root / name for name in (*names, "tries", "extensions.csv", "gradebook.db")]
        return [*folders, self.records.folder("", "")]

    def submitted_folder(self, lab: str, student: str) -> Path:
        """Folder of a student's submission."""
        return self._places.get((lab, student)) or Path(
            self.course.format_path(self.course.submitted_directory, student, lab)
        )

    def autograded_folder(self, lab: str, student: str) -> Path:
        """Folder of a student's graded submission."""
        return Path(self.course.format_path(self.course.autograded_directory, student, lab))

    def graded_notebook(self, lab: str, student: str) -> Path:
        """The graded notebook; of a submission elsewhere, that beside its record."""
        if (lab, student) in self._places:
            return self.records.folder(lab, student) / NOTEBOOK
        return self.autograded_folder(lab, student) / f"{lab}.ipynb"


def read_section(
    settings: CourseSettings, kind: type[Section], *, by_lab: Sequence[str] = ()
) -> Section:
    """The settings of `kind` in `nbgrader_config.py`.

    Args:
        settings: the course's settings.
        kind: the class that has them.
        by_lab: those that are dicts by lab.

    Raises:
        AuthorError: a name or a lab is not there, or a value is none of the valid ones.
    """
    try:
        _check_names(settings.app.config, kind)
        made = kind(parent=settings.app)
        _check_labs(settings, made, by_lab)
    except (TraitError, UnknownNameError) as error:
        step = f"mend that line; docs/term.md tells what stands in c.{kind.__name__}"
        raise AuthorError(settings.root / CONFIG, "", str(error), step) from None
    return made


def _check_labs(settings: CourseSettings, made: Configurable, by_lab: Sequence[str]) -> None:
    source = settings.root / settings.course.source_directory
    labs = [path.name for path in source.glob("*/")]
    for option in by_lab:
        for lab in getattr(made, option):
            if lab not in labs:
                raise UnknownNameError(
                    "lab", lab, labs, f"c.{type(made).__name__}.{option}: source/"
                )


def _check_names(config: Config, kind: type[Configurable]) -> None:
    """Refuse mistyped names: traitlets only warns of a setting, and ignores another class."""
    name, known = kind.__name__, kind.class_trait_names(config=True)
    for section in config:
        if section != name and section.lower() == name.lower():
            raise UnknownNameError("class", section, [name], "c")
    for option in config.get(name, {}):
        if option not in known:
            raise UnknownNameError("setting", option, known, f"c.{name}")


class KeepKernelspec(NbGraderPreprocessor):
    """nbgrader's OverwriteKernelspec, without a look into the gradebook."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Give `nb` the kernel of the lab."""
        context: Context = resources[KEY]
        kernelspec = context.unsolved.metadata.get("kernelspec")
        if kernelspec:
            nb.metadata["kernelspec"] = kernelspec
        return nb, resources


def _import_step(step: type | str) -> type:
    found: type = import_item(step) if isinstance(step, str) else step
    return found


@contextlib.contextmanager
def open_settings(course: Course, *, sandbox: bool) -> Iterator[CourseSettings]:
    """The settings of `course`, read as `nbgrader autograde` reads them in the course's folder.

    In this context that is the working folder, since settings may hold relative paths, and log
    messages go to `evidence/grading.log`.

    Raises:
        AuthorError: nbgrader can't read its settings, or they name other steps.
    """
    before, path, programs = Path.cwd(), list(sys.path), os.environ.get("PATH", "")
    os.chdir(course.root)
    # nbgrader 0.9.6 starts alembic by name when it makes a gradebook.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), programs])
    try:
        settings = CourseSettings(_application(course.root, sandbox=sandbox), sandbox=sandbox)
        shared = settings.course.groupshared and is_shared(settings.root)
        with private_files(shared=shared), _log_to_file(settings), commit_once():
            yield settings
    finally:
        os.chdir(before)
        sys.path[:] = path
        os.environ["PATH"] = programs


def _application(root: Path, *, sandbox: bool) -> AutogradeApp:
    app = AutogradeApp(raise_config_file_errors=True)
    step = "mend it until this command does not complain: nbgrader autograde --help"
    try:
        app.initialize([], root=str(root))
    except SystemExit:
        raise AuthorError(root / CONFIG, "", "a setting has no valid value", step) from None
    except Exception as error:
        fault = f"it can't be read: {type(error).__name__}: {error}"
        if isinstance(error, ImportError) and str(error.name).startswith("autograder."):
            step = f"take the list of steps from the {CONFIG} of the course's repository"
        raise AuthorError(root / CONFIG, "", fault, step) from error
    if not sandbox:
        app.update_config(Config({"RunSubmission": {"sandbox": False}}))
    return app


@contextlib.contextmanager
def _log_to_file(settings: CourseSettings) -> Iterator[None]:
    """Log warnings of nbgrader, its steps and the judge to a file, not to the terminal."""
    path = settings.records.folder("", "") / LOG
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise unwritable_error(path.parent, error) from error
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(logging.WARNING)
    loggers = (settings.app.log, logging.getLogger("autograder"))
    before = [(log.handlers[:], log.propagate) for log in loggers]
    for log in loggers:
        log.handlers[:], log.propagate = [handler], False
    try:
        yield
    finally:
        for log, (handlers, propagate) in zip(loggers, before, strict=True):
            log.handlers[:], log.propagate = handlers, propagate
        handler.close()
