"""Writes the gradebook, `autograded/` and `feedback/`; nothing else does.

Each write can be repeated, in case that a run is killed in the middle of one. What a person entered
stays: nbgrader's SaveAutoGrades keeps manual scores, extra credit and comments, and our `penalties`
keeps a late penalty.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from nbformat import v4
from nbgrader.utils import parse_utc
from sqlalchemy.exc import SAWarning

from autograder.grading.feedback import Pages
from autograder.grading.gradebook import OneCommit, read_shown
from autograder.grading.records import FAILED, REJUDGE, Record
from autograder.grading.replaced_folder import replace_folder
from autograder.grading.settings import CourseSettings
from autograder.nbgrader_plugins.penalties import EVIDENCE
from autograder.nbgrader_plugins.submissions import submission_files
from autograder.nbgrader_plugins.submissions.locate import relocate
from autograder.students.roster import Roster
from litcourse.core.atomic_write import write_atomically


class Writer:
    """Writes results.

    Args:
        settings: the course's settings.
        pages: writes feedback; None without feedback.
        roster: the roster; None enters everybody.

    Attributes:
        strangers: results that were held back, as the student is not on the roster.
    """

    def __init__(
        self, settings: CourseSettings, pages: Pages | None, roster: Roster | None = None
    ) -> None:
        self._settings, self._pages = settings, pages
        self._roster, self.strangers = roster or Roster(), list[Record]()
        self._saving = settings.chain(settings.saving)

    def write(self, record: Record, notebook: str) -> bool:
        """Write a result, without its feedback, unless it is written already.

        Args:
            record: the record; it is updated.
            notebook: its graded notebook, as text.

        Returns:
            whether it was written now.
        """
        if self._roster.is_stranger(record.student):
            self.strangers.append(record)
            return False
        if record.written:
            return False
        with _ignore_sqlalchemy_warnings():
            self._enter_submission(record)
            text = self._save(record, notebook)
            self._write_autograded(record, text)
            record.written, record.feedback = True, False
            self._settings.records.update(record)
        return True

    def lacks_page(self, record: Record) -> bool:
        """Whether the feedback of a result is still to be written."""
        return record.written and self._pages is not None and not record.feedback

    def write_page(self, record: Record) -> None:
        """Write the feedback of a result, and update its record."""
        if self._pages is not None:
            with _ignore_sqlalchemy_warnings():
                with self._gradebook() as gradebook:
                    shown = read_shown(gradebook, record.lab, record.student)
                self._write_folder(record, self._pages)
            record.feedback, record.page = True, shown.get(record.student, "")
            self._settings.records.update(record)

    def _gradebook(self) -> OneCommit:
        return OneCommit(self._settings.course.db_url, self._settings.course.course_id)

    def _enter_submission(self, record: Record) -> None:
        """Enter the student and the submission, as nbgrader's Autograde does."""
        with self._gradebook() as gradebook:
            gradebook.update_or_create_student(record.student)
            # A rejudge may have no timestamp; then the gradebook keeps the one that it has.
            fields = {"timestamp": parse_utc(record.timestamp)} if record.timestamp else {}
            gradebook.update_or_create_submission(record.lab, record.student, **fields)

    def _save(self, record: Record, notebook: str) -> str:
        """Save the points in the gradebook by nbgrader's own steps; the graded notebook as text."""
        resources = self._settings.resources(record.lab, record.student)
        resources[EVIDENCE] = self._settings.records.folder(record.lab, record.student)
        node = v4.reads(notebook)  # our own notebook: no need to validate it
        saved, _ = self._saving(node, resources)
        return str(v4.writes(saved)) + "\n"

    def _write_autograded(self, record: Record, text: str) -> None:
        """Write the graded notebook and the other files of the submission into `autograded/`."""
        target = self._settings.autograded_folder(record.lab, record.student)
        name = f"{record.lab}.ipynb"

        def fill(folder: Path) -> None:
            source = self._settings.submitted_folder(record.lab, record.student)
            # If grading failed, no file is read: one of them may be the reason.
            failed = record.state == FAILED
            converter, course = self._settings.converter, self._settings.course
            with relocate(course, source, record.lab, record.place) as found:
                sent = {} if failed else found.files
                files = submission_files.add_master_files(converter, record.lab, sent)
                submission_files.copy_files(files, folder)
            (folder / name).write_text(text, encoding="utf-8")

        if record.cause == REJUDGE and target.is_dir():
            write_atomically(
                target / name, text.encode(), durable=True
            )  # a newer submission may wait for grading
        else:
            replace_folder(target, fill)
        self._settings.converter.set_permissions(record.lab, record.student)

    def _write_folder(self, record: Record, pages: Pages) -> None:
        lab, student = record.lab, record.student
        replace_folder(pages.folder(lab, student), lambda to: pages.write(lab, student, to))
        pages.finish(lab, student)


@contextlib.contextmanager
def _ignore_sqlalchemy_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        # nbgrader 0.9.6 with SQLAlchemy 2: on each first submission, without effect.
        warnings.simplefilter("ignore", SAWarning)
        yield
