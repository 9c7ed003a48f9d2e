"""Decides which try of a student counts, and puts it where all else looks for it.

That is `submitted/` for its files, `evidence/<lab>/<student>/` for its record. The gradebook has
one submission of a student; what a person entered there belongs to the question and stays.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.utils import parse_utc

from autograder.grading import plan as planning
from autograder.grading.records import NOTEBOOK, RECORD, Record
from autograder.grading.replaced_folder import replace_folder
from autograder.grading.settings import CourseSettings
from autograder.grading.tries.arrivals import BEST, LAST_ON_TIME, hand_in_settings
from autograder.grading.tries.try_store import Try, TryStore, settings_for
from autograder.nbgrader_plugins.penalties import FILE as PENALTY_FILE
from autograder.nbgrader_plugins.submissions import submission_files
from autograder.nbgrader_plugins.submissions.submission_files import Submission
from autograder.students.extensions import Extensions, read_extensions
from litcourse.core.atomic_write import write_atomically

_TIME_OF_SUBMISSION = "%Y-%m-%d %H:%M"


@dataclass(frozen=True)
class GradedTry:
    """A try and what it is worth.

    Args:
        hand_in: the try.
        record: its record; None if it is not graded yet.
        late_seconds: seconds after the due date, extension included.
        penalty: the late penalty in points that it has by itself.
    """

    hand_in: Try
    record: Record | None
    late_seconds: float = 0.0
    penalty: float = 0.0

    @property
    def total(self) -> float:
        """Automatic points without the penalty; less than any if it is not graded."""
        return max(0.0, self.record.total - self.penalty) if self.record else -1.0


class Counting:
    """The tries of a lab, and which of them counts.

    Args:
        settings: the course's settings.
        lab: id of the lab.
    """

    def __init__(self, settings: CourseSettings, lab: str) -> None:
        self._settings, self.lab = settings, lab
        self.store = TryStore(settings.course, settings.root)
        self.which = hand_in_settings(settings).which(lab)
        self._extensions: Extensions = read_extensions(settings.root)
        self._due, self._granted = self._read_due()

    def _read_due(self) -> tuple[datetime | None, dict[str, timedelta]]:
        course = self._settings.course
        with Gradebook(course.db_url, course.course_id) as gradebook:
            try:
                assignment = gradebook.find_assignment(self.lab)
            except MissingEntry:
                return None, {}
            granted = {s.student_id: s.extension for s in assignment.submissions if s.extension}
            due = assignment.duedate
        return (due.replace(tzinfo=UTC) if due else None), granted

    def due(self, student: str) -> datetime | None:
        """The student's due date, extension included; None if the lab has none."""
        if self._due is None:
            return None
        return self._due + self.extension(student)

    def extension(self, student: str) -> timedelta:
        """The student's time beyond the due date."""
        granted = self._granted.get(student, timedelta())
        return self._extensions.get((self.lab, student), granted)

    def graded(self, student: str) -> list[GradedTry]:
        """The tries of a student, the oldest first."""
        return [self._graded(one) for one in self.store.of(self.lab, student)]

    def _graded(self, one: Try) -> GradedTry:
        due = self.due(one.student)
        late = max(0.0, (one.at - due).total_seconds()) if due else 0.0
        record = self.load(one)
        step, penalty = self._settings.penalties, 0.0
        if record and late and step:
            penalty = step.due(one.student, record.total, late) or 0.0
        return GradedTry(one, record, late, penalty)

    def load(self, one: Try) -> Record | None:
        """The record of a try, if it is complete."""
        there = settings_for(self._settings, [one])
        return planning.load_result(there, Submission(self.lab, one.student, one.folder))

    def choose(self, tries: Sequence[GradedTry]) -> GradedTry:
        """The try that counts."""
        if self.which == BEST:
            return max(tries, key=lambda one: one.total)  # of equal ones the first
        if self.which == LAST_ON_TIME:
            return ([one for one in tries if not one.late_seconds] or tries)[-1]
        return tries[-1]

    def adopt(self, student: str) -> None:
        """Keep what lies in `submitted/` as a try, if somebody put it there by another road."""
        folder = self._settings.submitted_folder(self.lab, student)
        if not folder.is_dir():
            return
        sent = submission_files.scan(self._settings.course, folder)
        try:
            fingerprint = sent.fingerprint()
        except OSError:
            return  # grading will say so
        # The same bytes at another time are another hand-in: she went back to an earlier answer.
        known = map(self.store.contents, self.store.of(self.lab, student))
        if any(o.timestamp == sent.timestamp and o.matches(fingerprint) for o in known):
            return
        at = parse_utc(sent.timestamp).replace(tzinfo=UTC) if sent.timestamp else None
        made = self.store.enter(self.lab, student, at or _changed(folder), sent, {})
        record = self._settings.records.load(self.lab, student)
        if made and record and record.fingerprint == fingerprint:
            copy_evidence(self._settings.records.folder(self.lab, student), made.evidence)

    def install(self, student: str) -> bool:
        """Put the try that counts into `submitted/` and `evidence/`; whether anything changed."""
        tries = self.graded(student)
        if not tries:
            return False
        chosen = self.choose(tries)
        changed = self._install_files(chosen.hand_in)
        if chosen.record is not None:
            changed |= self._install_record(chosen.hand_in, chosen.record)
        self._note(student, chosen.hand_in.key, len(tries))
        return changed

    def _install_files(self, one: Try) -> bool:
        folder = self._settings.submitted_folder(self.lab, one.student)
        if folder.is_dir() and _same(one.folder, folder):
            return False

        def fill(target: Path) -> None:
            shutil.copytree(one.folder, target, symlinks=True, dirs_exist_ok=True)

        replace_folder(folder, fill)
        return True

    def _install_record(self, one: Try, record: Record) -> bool:
        """Put the try's evidence into place, unless it or a later judgement of it is there."""
        records = self._settings.records
        known = records.load(self.lab, one.student)
        is_there = known and known.fingerprint == record.fingerprint and records.notebook(known)
        if is_there and known and known.graded_at >= record.graded_at:
            return False  # its time may be another one: planning sees to that
        copy_evidence(one.evidence, records.folder(self.lab, one.student), but=(RECORD,))
        record.written = record.feedback = False
        record.history = []
        record.follow(known)
        records.update(record)
        return True

    def _note(self, student: str, key: str, count: int) -> None:
        """Note the number of tries in the record; if it changed, the page is written again."""
        record = self._settings.records.load(self.lab, student)
        if record is not None and (record.tries, record.try_key) != (count, key):
            record.tries, record.try_key, record.feedback = count, key, False
            self._settings.records.update(record)

    def describe(self, student: str) -> str:
        """A sentence for the student's page: which of several tries counts; or ""."""
        tries = self.graded(student)
        if len(tries) <= 1:
            return ""
        chosen = self.choose(tries)
        place = tries.index(chosen) + 1
        rule = {BEST: "the best one", LAST_ON_TIME: "the last one on time"}.get(
            self.which, "the last one"
        )
        lines = [f"**You handed in {len(tries)} times. Number {place} counts: {rule}.**"]
        for number, one in enumerate(tries, start=1):
            points = f"{one.total:g} points" if one.record else "not graded yet"
            late = f", {one.penalty:g} taken off for being late" if one.penalty else ""
            lines.append(
                f"{number}. {one.hand_in.at.strftime(_TIME_OF_SUBMISSION)} UTC: {points}{late}"
            )
        return lines[0] + "\n\n" + "\n".join(lines[1:])


def _changed(folder: Path) -> datetime:
    """When a folder without a time was changed last."""
    return datetime.fromtimestamp(folder.stat().st_mtime, UTC)


def _same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same plain files."""
    left, right = _bytes(one), _bytes(other)
    return left == right


def _bytes(folder: Path) -> dict[str, bytes]:
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            link = path.is_symlink()
            key = str(path.relative_to(folder))
            found[key] = os.fsencode(path.readlink()) if link else path.read_bytes()
    return found


def copy_evidence(source: Path, target: Path, but: Collection[str] = ()) -> None:
    """Copy the evidence of a try, and its record last; a record of other files does not count.

    Args:
        source: the folder of evidence.
        target: another one, which may hold evidence already.
        but: names of files that stay out.
    """
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    left_out = {PENALTY_FILE, *but}
    names = [p.name for p in source.iterdir() if p.is_file() and p.name not in left_out]
    for name in sorted(names, key=lambda name: (name == RECORD, name == NOTEBOOK)):
        part = target / f"_{name}.part"
        part.unlink(missing_ok=True)
        try:
            part.hardlink_to(source / name)  # evidence is replaced and never changed in place
        except OSError:
            write_atomically(target / name, (source / name).read_bytes())
        else:
            part.replace(target / name)
