"""`autograder extend`: more time for a student, also before she has handed in."""

from __future__ import annotations

from datetime import timedelta

from nbformat import v4

from autograder.course import AuthorError, Course
from autograder.grading.feedback import Pages
from autograder.grading.reporting import table
from autograder.grading.reporting.progress import console, format_points, printable
from autograder.grading.settings import CourseSettings
from autograder.grading.tries.counting import Counting
from autograder.grading.writer import Writer
from autograder.nbgrader_plugins.penalties import EVIDENCE
from autograder.students.extensions import apply_extension, read_extensions, write_extension
from autograder.term.open_course import check_student, open_course, open_gradebook
from litcourse.core.exit_codes import ExitCode

_MOST = timedelta(days=366)


def extend(
    course: Course, lab_id: str, student: str, length: timedelta, *, wait: bool = False
) -> ExitCode:
    """Give a student more time after the due date of a lab; 0 takes it back.

    Args:
        course: the course.
        lab_id: id of the lab.
        student: id of the student.
        length: time after the due date; it replaces an earlier extension.
        wait: wait for the end of another run.

    Raises:
        AuthorError: the length is negative, or more than a year.
        UnknownNameError: there is no such lab or student.
    """
    lab, to = course.lab(lab_id).id, console(json=False)
    if not timedelta() <= length <= _MOST:
        raise AuthorError(f"--days {length.days}", "", "it is not from 0 to 366", "--days 2")
    with open_course(course, wait=wait) as settings:
        check_student(settings, student)
        write_extension(settings.root, lab, student, length)
        with open_gradebook(settings) as gradebook:
            apply_extension(gradebook, read_extensions(settings.root), lab, student)
        before, after = _renew(settings, lab, student)
        due = Counting(settings, lab).due(student)
        record = settings.records.load(lab, student)
    text = f"due {due:%Y-%m-%d %H:%M} UTC" if due else "the lab has no due date yet"
    to.print(f"{lab} {printable(student)}: {text}", soft_wrap=True)
    if before != after:
        to.print(f"late penalty {format_points(before)} -> {format_points(after)}")
    if record is not None and not record.written:
        to.print(f"With that, another try counts. Next: autograder grade {lab}")
    return ExitCode.DONE


def _renew(settings: CourseSettings, lab: str, student: str) -> tuple[float, float]:
    """Assign the penalty anew, with a new page; penalties before and after, 0 without any."""
    row = table.read_rows(settings, lab).get(student)
    if row is None:
        return 0.0, 0.0
    counting = Counting(settings, lab)
    if counting.store.of(lab, student):
        counting.install(student)  # with more time another try may count
        record = settings.records.load(lab, student)
        if record is not None and not record.written:
            return row.late_penalty, row.late_penalty  # the next grade enters that one
    if settings.penalties is not None:
        resources = settings.resources(lab, student)
        resources[EVIDENCE] = settings.records.folder(lab, student)
        settings.penalties.preprocess(v4.new_notebook(), resources)
    after = table.read_rows(settings, lab)[student]
    if after.late_penalty != row.late_penalty and after.record and after.record.feedback:
        head = counting.describe(student)
        Writer(settings, Pages(settings, lambda _lab, _who: head)).write_page(after.record)
    return row.late_penalty, after.late_penalty
