"""Grades the tries that are not graded yet, in rounds: one of each student at a time.

A worker grades a try as it grades what lies in `submitted/`; only the folders are others. Nothing
enters the gradebook here: that gets the try that counts, from the run around this one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from autograder.grading.records import GRADE, REJUDGE, Record
from autograder.grading.reporting.progress import Meter
from autograder.grading.session import Session
from autograder.grading.settings import CourseSettings
from autograder.grading.submission_grader import PreparedLab, Task
from autograder.grading.tries.counting import Counting, copy_evidence
from autograder.grading.tries.try_store import Try, settings_for
from autograder.grading.writer import Writer

if TYPE_CHECKING:
    from rich.console import Console


class RecordsOnly(Writer):
    """Writes nothing: results stay where the workers put them."""

    def __init__(self) -> None:
        self.strangers = []

    def write(self, record: Record, notebook: str) -> bool:  # noqa: ARG002  the arguments of Writer.write
        """Count the result as done."""
        return True

    def lacks_page(self, record: Record) -> bool:  # noqa: ARG002  as above
        """No: the run that writes also writes feedback."""
        return False


@dataclass
class Rounds:
    """The tries of some labs.

    Args:
        settings: the course's settings.
        labs: the labs, by id.
        students: the students whose tries are graded, by lab.
        regrade: also grade tries that are done.
        graded: lab and student of those whose tries were graded, all without a fault of ours.
    """

    settings: CourseSettings
    labs: Mapping[str, PreparedLab]
    students: Mapping[str, Collection[str]]
    regrade: bool = False
    graded: set[tuple[str, str]] = field(default_factory=set)
    _tried: set[Try] = field(default_factory=set)
    _failed: set[tuple[str, str]] = field(default_factory=set)

    def run(self, jobs: int, to: Console) -> None:
        """Grade all tries, then put those that count into place.

        Args:
            jobs: number of workers.
            to: shows the progress.
        """
        counting = {lab: Counting(self.settings, lab) for lab in self.labs}
        with_tries = [
            (lab, student)
            for lab, students in self.students.items()
            for student in students
            if counting[lab].store.of(lab, student)
        ]
        for lab, student in with_tries:
            counting[lab].adopt(student)
        while waiting := [
            one for lab, who in with_tries if (one := self._next(counting[lab], who))
        ]:
            with Meter(to, len(waiting), "tries graded") as meter:
                self._grade(waiting, jobs, meter)
        for lab, student in with_tries:
            counting[lab].install(student)

    def rejudge(self, jobs: int, to: Console) -> None:
        """Judge the evidence of all tries again: the best one is the best by the judges of now.

        Args:
            jobs: number of workers.
            to: shows the progress.
        """
        for lab, students in self.students.items():
            counting = Counting(self.settings, lab)
            columns = [
                [one for one in counting.store.of(lab, student) if counting.load(one)]
                for student in students
            ]
            for row in zip_longest(*columns):
                waiting = [one for one in row if one]
                with Meter(to, len(waiting), "tries judged") as meter:
                    self._work(waiting, REJUDGE, jobs, meter)

    def install(self) -> list[Record]:
        """Put the tries that count into place; the records that the gradebook lacks now."""
        changed = []
        for lab, students in self.students.items():
            counting = Counting(self.settings, lab)
            for student in students:
                if counting.store.of(lab, student) and counting.install(student):
                    record = self.settings.records.load(lab, student)
                    changed += [record] if record and not record.written else []
        return changed

    def _next(self, counting: Counting, student: str) -> Try | None:
        """The oldest try of a student that is to be graded."""
        for one in counting.store.of(counting.lab, student):
            if one in self._tried:
                continue
            if not self.regrade and (counting.load(one) or self._same_bytes(counting, one)):
                continue
            return one
        return None

    def _same_bytes(self, counting: Counting, one: Try) -> bool:
        """Take the result of an earlier try that holds the same bytes; whether there is one."""
        contents = counting.store.contents(one)
        for other in counting.store.of(one.lab, one.student):
            record = counting.load(other) if other.key < one.key else None
            if record and contents.matches(record.fingerprint):
                copy_evidence(other.evidence, one.evidence)
                return counting.load(one) is not None
        return False

    def _grade(self, waiting: list[Try], jobs: int, meter: Meter) -> None:
        failed = self._work(waiting, GRADE, jobs, meter)
        self._tried |= set(waiting)  # one that failed is tried again in `submitted/`, if it counts
        self._failed |= failed
        self.graded = (self.graded | {(one.lab, one.student) for one in waiting}) - self._failed

    def _work(
        self, waiting: list[Try], action: str, jobs: int, meter: Meter
    ) -> set[tuple[str, str]]:
        """Do one task for each try; lab and student of those that failed."""
        session = Session(settings_for(self.settings, waiting), self.labs, RecordsOnly())
        tasks = deque(Task(action, one.lab, one.student) for one in waiting)
        session.work(tasks, jobs, meter)
        return set(session.failed)
