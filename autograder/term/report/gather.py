"""Reads what a report tells about a class; changes nothing but kept comparisons of answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nbgrader.api import Gradebook

from autograder.course import AuthorError, Course, Lab
from autograder.grading import plan as planning
from autograder.grading.gradebook import read_shown
from autograder.grading.records import FAILED, Record
from autograder.grading.reporting import table
from autograder.grading.reporting.notices import find_gone
from autograder.grading.reporting.table import Row
from autograder.grading.settings import CourseSettings
from autograder.grading.tries.arrivals import open_inbound
from autograder.grading.tries.counting import Counting
from autograder.nbgrader_plugins.submissions import submission_files
from autograder.students.roster import Roster, read_roster
from autograder.term.report import misconceptions, question_facts, stuck
from autograder.term.report.class_facts import Attendance, ClassFacts, LabFacts, Look
from autograder.term.report.similarity import find_similar


def gather(
    course: Course, settings: CourseSettings, labs: Sequence[Lab], *, skip_empty: bool
) -> ClassFacts:
    """The facts of a class.

    Args:
        course: the course.
        settings: its settings.
        labs: the labs to tell about.
        skip_empty: leave labs out for which nothing was handed in.
    """
    roster, now = read_roster(settings.converter), stuck.time_of_now()
    found = [_gather_lab(settings, lab, roster) for lab in labs]
    names = {who.id: who.name for who in roster.students.values() if who.name}
    return ClassFacts(
        settings.course.course_id or course.root.name,
        _format_time(now),
        names,
        [lab for lab in found if lab.totals or lab.attendance.ungraded or not skip_empty],
    )


def _gather_lab(settings: CourseSettings, lab: Lab, roster: Roster) -> LabFacts:
    rows = table.read_rows(settings, lab.id)
    listed = list(rows.values())
    records = [row.record for row in listed if row.record is not None]
    results = _read_results(settings, lab, listed)
    counting = Counting(settings, lab.id)
    expected = roster.named() if roster.is_kept else []
    return LabFacts(
        lab.id,
        _attendance(settings, lab.id, rows, roster, counting),
        _format_time(counting.due("")),
        sum(cells.points for cells in lab.questions.values()),
        {student: row.total for student, row in sorted(rows.items())},
        question_facts.gather_questions(lab, listed, results),
        misconceptions.gather_misconceptions(results),
        misconceptions.gather_not_tried(results, list(lab.questions)),
        stuck.find_stuck(rows, expected, counting, stuck.time_of_now()),
        [*_look_at(settings, lab, rows), *find_similar(lab, records, settings.records)],
    )


def _format_time(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else ""


def _read_results(
    settings: CourseSettings, lab: Lab, rows: Sequence[Row]
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The kept verdicts of the submissions, by student and question."""
    found = {}
    for row in rows:
        folder = settings.records.folder(lab.id, row.student)
        for name in lab.questions:
            try:
                entry = json.loads((folder / f"{name}.json").read_bytes())
            except (OSError, ValueError):  # of a question that came later, or being written now
                continue
            if row.record is None or entry.get("submission") == row.record.submission:
                found[row.student, name] = entry
    return found


def _attendance(
    settings: CourseSettings,
    lab: str,
    rows: Mapping[str, Row],
    roster: Roster,
    counting: Counting,
) -> Attendance:
    sent = submission_files.discover(settings.course, lab)
    there = {one.student for one in sent} | set(counting.store.students(lab)) | set(rows)
    named = set(roster.named()) if roster.is_kept else set()
    with Gradebook(settings.course.db_url, settings.course.course_id) as gradebook:
        shown = read_shown(gradebook, lab)
    complete = {one.student: planning.load_result(settings, one) for one in sent}
    students = named | set(rows)
    return Attendance(
        on_roster=len(roster.students) if roster.is_kept else None,
        handed_in=sorted(who for who in there if who in rows or not roster.is_stranger(who)),
        late=sorted(student for student, row in rows.items() if row.late_seconds > 0),
        extended=sorted(who for who in students if counting.extension(who)),
        strangers=sorted(filter(roster.is_stranger, there)),
        no_shows=sorted(named - there),
        ungraded=sorted(
            who for who, record in complete.items()
            if record is None and not roster.is_stranger(who)
        ),
        stale_pages=sorted(
            who for who, row in rows.items() if _is_stale(row.record, shown.get(who, ""))
        ),
        open=sorted(who for who, row in rows.items() if row.undecided or row.look_again),
    )  # fmt: skip


def _is_stale(record: Record | None, shown: str) -> bool:
    """Whether there is a page of feedback, of another state of the gradebook."""
    return bool(record and record.feedback and record.page != shown)


def _look_at(settings: CourseSettings, lab: Lab, rows: Mapping[str, Row]) -> list[Look]:
    """What a person should look at, in the records of a lab."""
    looks = [
        Look([student], what, question)
        for student, row in sorted(rows.items())
        for what, question in _doubts_of(row)
    ]
    looks += _doubts(settings, lab.id)
    looks += [
        Look([student], "graded once, and gone from submitted/")
        for _, student in find_gone(settings, lab.id, dict(rows))
    ]
    return looks


def _doubts_of(row: Row) -> Iterator[tuple[str, str]]:
    """What there is to look at in one submission, each with its question or ""."""
    record, unread = row.record, row.due and not row.submitted_at
    general = {
        "points by hand, and graded again since": row.look_again,
        "no readable time, so it counts as on time": unread,
        "graded by nbgrader alone, so there is no record": record is None,
    }
    if record is not None:
        parts = ", ".join(record.suspicious_imports)
        general |= {
            f"names parts of litcourse that no answer needs: {parts}": bool(parts),
            "graded without a sandbox": not record.sandbox,
            f"grading failed: {record.detail}": record.state == FAILED,
        }
    yield from ((what, "") for what, is_so in general.items() if is_so)
    for name, why in row.undecided.items():
        yield f"no score, a person decides: {why}", name


def _doubts(settings: CourseSettings, lab: str) -> list[Look]:
    """The hand-ins in the exchange whose owner or time does not fit their names."""
    try:
        inbound = open_inbound(settings, trust_times=False)
        return [Look([one.student], one.doubt) for one in inbound.arrivals(lab) if one.doubt]
    except (AuthorError, OSError):  # no exchange, or one that this account may not read
        return []
