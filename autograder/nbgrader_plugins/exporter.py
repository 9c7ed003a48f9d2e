"""nbconvert's exporter for nbgrader: reads a submission and gives each step its context."""

from __future__ import annotations

import glob
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbconvert.exporters import NotebookExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, base
from nbgrader.converters.base import NbGraderException

from autograder.course import AuthorError, Lab
from autograder.nbgrader_plugins import register, submission_metadata
from autograder.nbgrader_plugins.submission_metadata import KEY, Context
from autograder.nbgrader_plugins.submissions import reading, submission_files
from autograder.nbgrader_plugins.submissions.locate import locate
from autograder.students.roster import read_roster

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from nbgrader.coursedir import CourseDirectory


class SubmissionExporter(NotebookExporter):
    """Reads any submission; for `c.Autograde.exporter_class`.

    nbgrader 0.9.6 creates the exporter after it has listed the submissions and before it grades the
    first. So this is where to register the assignment, and to list submissions that lack the lab's
    notebook.
    """

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)  # type: ignore[no-untyped-call]
        self._unsolved: dict[str, NotebookNode] = {}
        if isinstance(self.parent, Autograde):
            _copy_plain_files_only(self.parent.coursedir)
            try:
                self._prepare(self.parent)
            except (AuthorError, RuntimeError) as error:
                self.log.error("%s", error)  # noqa: TRY400 (the message says it all)
                raise NbGraderException(str(error)) from error

    def from_filename(
        self,
        filename: str,
        resources: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, dict[str, Any]]:
        """Convert a submission, or the notebook that sanitizing made of it."""
        if not isinstance(self.parent, Autograde) or resources is None:
            return super().from_filename(filename, resources, **kwargs)
        lab = register.find_lab(self.parent, resources["nbgrader"]["assignment"])
        resources[KEY] = self._context(self.parent.coursedir, lab, resources["nbgrader"]["student"])
        if not self.parent._sanitizing:  # noqa: SLF001 (nbgrader 0.9.6 keeps its step there)
            return super().from_filename(filename, resources, **kwargs)
        if not Path(filename).exists():
            _take_zeros_back(self.parent.coursedir, resources[KEY])
        notebook = self._read(self.parent, Path(filename), resources[KEY])
        resources["metadata"] = ResourcesDict(name=lab.id, path=str(Path(filename).parent))
        made: tuple[Any, dict[str, Any]] = self.from_notebook_node(  # type: ignore[no-untyped-call]
            notebook, resources, **kwargs
        )
        return made

    def _read(self, converter: Autograde, path: Path, context: Context) -> NotebookNode:
        """Read a submission; if its notebook was not in its place, put its files into theirs."""
        lab = context.lab.id
        with locate(converter.coursedir, path.parent, context.unsolved, lab) as found:
            place = found.contents.files.get(path.name, path)
            notebook = reading.read(place, context.unsolved, found.missing)
            if found.place:
                self.log.warning("%s: the notebook is %r", context.student, found.place)
                files = submission_files.add_master_files(converter, lab, found.contents.files)
                context.files.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(context.files)  # nbgrader has just copied the files as they lay
                context.files.mkdir()
                submission_files.copy_files(files, context.files)
            submission_metadata.note_left_out(notebook, found.contents.left_out)
            submission_metadata.note_moved(notebook, found.place)
        return notebook

    def _context(self, course: CourseDirectory, lab: Lab, student: str) -> Context:
        files = Path(course.format_path(course.autograded_directory, student, lab.id))
        root = Path(course.root)
        return Context(root, lab, self._unsolved[lab.id], student, root / files)

    def _prepare(self, converter: Autograde) -> None:
        course = converter.coursedir
        if read_roster(converter).is_kept:
            converter.create_student = False  # nbgrader then names who is not on it, and goes on
        pattern = converter._format_source(course.assignment_id, course.student_id)  # noqa: SLF001
        for folder in glob.glob(pattern):  # noqa: PTH207 (the keys as nbgrader makes them)
            lab = register.find_lab(converter, Path(folder).name)
            if lab.id not in self._unsolved:
                lab.check_versions()
                self._unsolved[lab.id] = register.unsolved_notebook(converter, lab)
                register.register(converter, lab)
            if course.notebook_id == "*":
                _add_missing(converter.assignments, folder, lab)


def _take_zeros_back(course: CourseDirectory, context: Context) -> None:
    """Empty the scores of a submission whose notebook is not in its place.

    nbgrader 0.9.6 enters zeros for it before any step of ours. They would stay if the machine keeps
    us from grading it.
    """
    lab = context.lab.id
    with Gradebook(course.db_url, course.course_id) as gradebook:
        for grade in gradebook.find_submission_notebook(lab, lab, context.student).grades:
            grade.auto_score, grade.needs_manual_grade = None, grade.manual_score is None
        gradebook.db.commit()


def _list_any_submission(converter: Autograde) -> None:
    """List the submissions also if none of them has a notebook in its folder.

    nbgrader 0.9.6 stops there, before it creates the exporter, which would add them. The
    formgrader's button always grades a single submission.
    """
    course = converter.coursedir
    folders = glob.glob(converter._format_source(course.assignment_id, course.student_id))  # noqa: PTH207, SLF001 (the keys as nbgrader makes them)
    ours = issubclass(converter.exporter_class, SubmissionExporter) and course.notebook_id == "*"
    if ours and folders and not any(list(Path(folder).glob("*.ipynb")) for folder in folders):
        converter.assignments, converter.notebooks = {}, []
    else:
        base.BaseConverter.init_notebooks(converter)


Autograde.init_notebooks = _list_any_submission


def _copy_plain_files_only(course: CourseDirectory) -> None:
    """Have nbgrader copy only the files of a submission that `submission_files.scan` accepts.

    nbgrader 0.9.6 follows links, to another submission or to the gradebook, and fails on a
    submission with a broken one. It finds the function in the module where it is replaced here.
    """

    def plain_files(source: str, _: list[str]) -> list[str]:
        files = submission_files.scan(course, Path(source)).files
        return [f"{source}/{name}" for name in files if not name.endswith(".ipynb")]

    base.find_all_files = plain_files


def _add_missing(assignments: dict[str, list[str]], folder: str, lab: Lab) -> None:
    wanted = str(Path(folder) / f"{lab.id}.ipynb")
    found = assignments.setdefault(folder, [])
    if wanted not in found:
        found.append(wanted)
