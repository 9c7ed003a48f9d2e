"""Decides which submissions to grade or judge, and which results only to write."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.utils import is_grade

from autograder.course import CHECK, AuthorError, Course
from autograder.grading.feedback import Pages
from autograder.grading.gradebook import read_shown
from autograder.grading.records import GRADE, GRADED, REJUDGE, Record
from autograder.grading.reporting import table
from autograder.grading.reporting.progress import name_few
from autograder.grading.reporting.table import Row
from autograder.grading.settings import CourseSettings
from autograder.grading.submission_grader import PreparedLab, Task
from autograder.nbgrader_plugins.penalties import is_assigned, is_same, read_assigned
from autograder.nbgrader_plugins.submissions import submission_files
from autograder.nbgrader_plugins.submissions.submission_files import Submission
from litcourse.core.names import UnknownNameError

SubmissionsByLab = Mapping[str, Sequence[Submission]]
"""Submissions by lab."""


@dataclass
class Plan:
    """The work of a run.

    Args:
        tasks: tasks for workers.
        write: results of an earlier run that are not written yet.
        skipped: number of submissions that are done, or for a rejudge not graded yet.
        stale_points: number of done submissions whose lab has other maximum points now.
        stale_penalties: number of done submissions whose late penalty would be another one now.
        stale_pages: number of pages that are older than the gradebook; they are written again.
        penalties: for a rejudge, late penalties before it, by lab and student.
    """

    tasks: deque[Task] = field(default_factory=deque)
    write: list[Record] = field(default_factory=list)
    skipped: int = 0
    stale_points: int = 0
    stale_penalties: int = 0
    stale_pages: int = 0
    penalties: dict[tuple[str, str], float] = field(default_factory=dict)


def choose_submissions(
    settings: CourseSettings, course: Course, names: Sequence[str], students: Sequence[str]
) -> SubmissionsByLab:
    """The submissions that the command line names.

    Args:
        settings: the course's settings.
        course: the course.
        names: ids of labs; empty for all labs that have submissions.
        students: ids of students; empty for all students.

    Raises:
        AuthorError: there is no submission.
        UnknownNameError: there is no such lab or student.
    """
    labs = [course.lab(name).id for name in names] or list(course.labs)
    found = {lab: submission_files.discover(settings.course, lab) for lab in labs}
    for lab in names:
        if not found[lab]:
            raise _nothing_error(settings, lab)
    if not any(found.values()):
        raise _nothing_error(settings, labs[0] if labs else "LAB")
    if students:
        known = {submission.student for sent in found.values() for submission in sent}
        for student in students:
            if student not in known:
                raise UnknownNameError("submission by the student", student, known, " ".join(labs))
        found = {lab: [s for s in sent if s.student in students] for lab, sent in found.items()}
    return {lab: sent for lab, sent in found.items() if sent}


def _nothing_error(settings: CourseSettings, lab: str) -> AuthorError:
    folder = Path(settings.course.format_path(settings.course.submitted_directory, "*", lab))
    step = f"autograder collect {lab}, or: autograder collect-zip {lab} ARCHIVE --from moodle"
    passed_over = submission_files.find_passed_over(settings.course, lab)
    but = f" but {name_few(passed_over)}" if passed_over else ""
    return AuthorError(folder, "", f"nothing was handed in{but}", step)


def plan_grading(
    settings: CourseSettings,
    submissions: SubmissionsByLab,
    labs: Mapping[str, PreparedLab],
    *,
    regrade: Collection[tuple[str, str]],
    pages: Pages | None,
) -> Plan:
    """The submissions that have no complete result, and the results that are not written.

    Args:
        settings: the course's settings.
        submissions: submissions by lab.
        labs: the labs, by id.
        regrade: lab and student of those to grade although they are done.
        pages: writes feedback, or None without feedback.
    """
    plan = Plan()
    for lab, sent in submissions.items():
        rows = table.read_rows(settings, lab)
        with Gradebook(settings.course.db_url, settings.course.course_id) as gradebook:
            shown = read_shown(gradebook, lab)
        for submission in sent:
            again = (lab, submission.student) in regrade
            record = None if again else load_result(settings, submission)
            if record is None:
                plan.tasks.append(Task(GRADE, lab, submission.student))
                continue
            plan.stale_points += record.maximum != _points(labs[lab])
            graded = settings.autograded_folder(lab, record.student) / f"{lab}.ipynb"
            row = rows.get(record.student)
            if row is None or not graded.is_file() or not _has_scores(row, record):
                record.written = False
            if pages is not None and not pages.folder(lab, record.student).is_dir():
                record.feedback = False
            if pages is not None and record.feedback and record.page != shown.get(record.student):
                record.feedback = False
                plan.stale_pages += 1
            if record.written and (record.feedback or pages is None):
                plan.skipped += 1
                plan.stale_penalties += row is not None and _penalty_changed(settings, row)
            else:
                plan.write.append(record)
    return plan


def load_result(settings: CourseSettings, submission: Submission) -> Record | None:
    """The result of exactly the files that are submitted now, if it is complete, else None.

    None also if a file can't be read: the task that grades them reports it.
    """
    record = settings.records.load(submission.lab, submission.student)
    if record is None or record.state != GRADED or record.held_back:
        return None
    if settings.records.notebook(record) is None:
        return None
    found = submission_files.scan(settings.course, submission.folder)
    if not found.matches(record.fingerprint):
        return None
    if found.timestamp != record.timestamp:
        record.timestamp, record.written = found.timestamp, False
    return record


def _has_scores(row: Row, record: Record) -> bool:
    """Whether the gradebook has automatic scores where the record has points, and none elsewhere.

    An earlier version entered 0 where a person has to decide.
    """
    return row.automatic >= record.points.keys() and row.automatic.isdisjoint(record.undecided)


def _penalty_changed(settings: CourseSettings, row: Row) -> bool:
    """Whether the plugin would now assign another late penalty, and no person entered it."""
    step = settings.penalties
    if step is None or (row.late_seconds <= 0 and row.penalty is None):
        return False
    try:
        due = step.due(row.student, sum(row.points.values()), row.late_seconds)
    except Exception:  # noqa: BLE001 (the course's plugin; the step that assigns it reports the error)
        return True
    known = read_assigned(settings.records.folder(row.lab, row.student), row.notebook)
    return is_assigned(row.penalty, due, known) and not is_same(row.penalty, due)


def _points(prepared: PreparedLab) -> dict[str, float]:
    cells = [cell.metadata.nbgrader for cell in prepared.unsolved.cells if is_grade(cell)]
    return {c.grade_id.removesuffix(CHECK): float(c.points) for c in cells}


def plan_rejudging(settings: CourseSettings, submissions: SubmissionsByLab) -> Plan:
    """All submissions that are graded; `grade` does the others."""
    plan = Plan()
    for lab, sent in submissions.items():
        rows = table.read_rows(settings, lab)
        for submission in sent:
            row = rows.get(submission.student) or Row(submission.student, lab)
            if (settings.autograded_folder(lab, submission.student) / f"{lab}.ipynb").is_file():
                penalty = _penalty_changed(settings, row)
                plan.tasks.append(Task(REJUDGE, lab, row.student, penalty=penalty))
                plan.penalties[lab, row.student] = row.late_penalty
            else:
                plan.skipped += 1
    return plan
