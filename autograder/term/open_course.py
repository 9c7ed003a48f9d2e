"""Opens a course for a command that changes it: its settings, under its lock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from nbgrader.api import Gradebook
from sqlalchemy.exc import OperationalError

from autograder.course import AuthorError, Course
from autograder.engine.machine_faults import NO_ROOM
from autograder.grading.session import end_on_sigterm, hold_run_lock
from autograder.grading.settings import CourseSettings, open_settings
from autograder.students.roster import read_roster
from litcourse.core.names import UnknownNameError


@contextlib.contextmanager
def open_course(course: Course, *, wait: bool, locked: bool = True) -> Iterator[CourseSettings]:
    """The settings of `course`; in this context its folder is the working folder.

    Args:
        course: the course.
        wait: wait for the end of another run.
        locked: whether no other command may write meanwhile.

    Raises:
        LockedError: another run is under way.
        AuthorError: the settings can't be read, the course can't be written, or the disk is full.
    """
    with (
        end_on_sigterm(),
        open_settings(course, sandbox=True) as settings,
        hold_run_lock(settings, wait=wait) if locked else contextlib.nullcontext(),
    ):
        try:
            yield settings
        except OperationalError as error:
            step = "end what else uses it, then type the same again: nothing is half done"
            raise AuthorError("the gradebook", "", f"{error.orig}", step) from error
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            step = "make room, then type the same again: what was done stays"
            raise AuthorError(course.root, "", f"{error.strerror}", step) from error


@contextlib.contextmanager
def open_gradebook(settings: CourseSettings) -> Iterator[Gradebook]:
    """The course's gradebook."""
    with Gradebook(settings.course.db_url, settings.course.course_id) as gradebook:
        yield gradebook


def check_student(settings: CourseSettings, student: str) -> None:
    """Check that a student is on the roster, where there is one.

    Raises:
        UnknownNameError: she is not; the message names the nearest.
    """
    roster = read_roster(settings.converter)
    if roster.is_stranger(student):
        raise UnknownNameError("student", student, roster.students, "the roster")
