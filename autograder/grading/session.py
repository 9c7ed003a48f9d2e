"""Does the tasks of a plan: locks the course, gives tasks to workers, writes their results.

If a run ends early, its results stay, and the next run continues.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from sqlalchemy.exc import OperationalError

from autograder.course import AuthorError, Course, Lab, LockedError, unwritable_error
from autograder.engine.client import engine, stop
from autograder.engine.machine_faults import NO_ROOM
from autograder.grading.records import GRADE, GRADED, REJUDGE, Record
from autograder.grading.reporting.progress import Meter
from autograder.grading.settings import CourseSettings
from autograder.grading.shared_folder import close, share
from autograder.grading.signals import raising
from autograder.grading.submission_grader import (
    AUTHOR,
    CANARY,
    DONE,
    FULL,
    GIVE_UP,
    SAME,
    PreparedLab,
    SubmissionGrader,
    Task,
    describe_full_disk,
)
from autograder.grading.worker_pool import FinishedTask, WorkerPool, freeze_objects
from autograder.grading.writer import Writer
from autograder.nbgrader_plugins import canary, register
from autograder.nbgrader_plugins.submissions import submission_files

_contexts = 0
"""Number of contexts of `run_engine` that this program is in."""
_LOCK_SECONDS = 15
"""Seconds that workers of a killed run may need to end."""


class StoppedError(Exception):
    """The run can't continue; the message says why and what to do."""


class CanaryError(Exception):
    """The instructor's own solution earns nothing, so nobody gets a score; the message says why."""


@contextlib.contextmanager
def hold_run_lock(settings: CourseSettings, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock of the course. Workers share it, so those of a killed run still hold it.

    Args:
        settings: the course's settings.
        wait: wait for the end of another run, however long that takes.

    Raises:
        LockedError: another run is under way.
        AuthorError: the course can't be written.
    """
    path = settings.records.folder("", "") / ".lock"
    if not settings.course.groupshared:
        close(settings.made())
    with lock_file(path) as file:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline and not wait:
                    fault = "another autograder grade or rejudge is running in this course"
                    step = "wait for its end (--wait does), or end it"
                    raise LockedError(path, "", fault, step) from None
                time.sleep(0.1)
        try:
            yield
        finally:
            if settings.course.groupshared:
                share(settings.root, settings.made())


def lock_file(path: Path) -> TextIO:
    """Open a file to lock.

    Raises:
        AuthorError: the course can't be written.
    """
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise unwritable_error(path, error) from error


def end_on_sigterm() -> contextlib.AbstractContextManager[object]:
    """Let SIGTERM do what Ctrl-C does in this context, so that everything is cleaned up."""
    return raising(signal.SIGTERM, KeyboardInterrupt)


def prepare(settings: CourseSettings, lab: Lab) -> PreparedLab:
    """Enter `lab` into the gradebook, with its points of now.

    Raises:
        AuthorError: its cells do not fit the gradebook.
    """
    unsolved = register.unsolved_notebook(settings.converter, lab)
    try:
        register.register(settings.converter, lab)
    except RuntimeError as error:
        step = "undo that, or grade this version of the lab in a course folder of its own"
        raise AuthorError(lab.path, "", str(error), step) from error
    return PreparedLab(lab, unsolved)


def check_versions(course: Course, names: Iterable[str]) -> None:
    """Stop before anybody is graded, if what is installed is too old for one of the labs `names`.

    Raises:
        AuthorError: naming the distribution, and what to type.
    """
    for name in names:
        course.lab(name).check_versions()


@dataclass
class Session:
    """The work and the results of one run.

    Args:
        settings: the course's settings.
        labs: the labs, by id.
        writer: writes results.
        failed: why there is no score, by lab and student.
        judged: points before and after a rejudge, by lab and student.
        done: lab and student of the results that were written.
        held_back: why nobody gets a score for a question, by lab and question id.
        unproven: labs without a solution, so that nothing shows faults of the grader.
    """

    settings: CourseSettings
    labs: Mapping[str, PreparedLab]
    writer: Writer
    failed: dict[tuple[str, str], str] = field(default_factory=dict)
    judged: dict[tuple[str, str], tuple[dict[str, float], dict[str, float]]] = field(
        default_factory=dict
    )
    done: set[tuple[str, str]] = field(default_factory=set)
    held_back: dict[tuple[str, str], str] = field(default_factory=dict)
    unproven: list[str] = field(default_factory=list)
    _pages: deque[Record] = field(default_factory=deque)

    def write(self, records: Sequence[Record], meter: Meter) -> None:
        """Write results of an earlier run."""
        for record in records:
            notebook = self.settings.records.notebook(record)
            if notebook is not None:
                self._write(record, notebook)
            meter.add(self._drop_if_failed(record), record.student, record.lab)

    def work(self, tasks: deque[Task], jobs: int, meter: Meter) -> None:
        """Have workers do `tasks`, and write the results.

        Raises:
            AuthorError: a part of a lab is missing.
            StoppedError: the disk is full, something can't be written, or the instructor has to
                mend something.
            CanaryError: the solution of a lab earns nothing.
        """
        if not tasks:
            return
        labs = dict(self.labs)
        for prepared in labs.values():
            prepared.lab.check_parts()
        make_grader, seconds = (
            lambda: SubmissionGrader(self.settings, labs).run,
            self.settings.most_seconds(),
        )
        pool = WorkerPool(make_grader, min(jobs, len(tasks)), seconds)
        with freeze_objects(), pool:
            self._fly_canaries(pool, sorted({t.lab for t in tasks if t.action == GRADE}))
            tasks = deque(replace(t, skipped=self._skipped(t.lab)) for t in tasks)
            for done in pool.run(tasks):
                if done is None:
                    meter.tick()
                    self._write_next_page()
                    continue
                again = self._handle_result(done)
                if again is not None:
                    tasks.append(again)
                    continue
                key = (done.task.lab, done.task.student)
                record = self.settings.records.load(*key)
                meter.add(self._drop_if_failed(record), done.task.student, done.task.lab)

    def _fly_canaries(self, pool: WorkerPool, labs: Sequence[str]) -> None:
        """Grade the solutions of `labs` that no earlier run has graded, before anybody else's."""
        tasks = deque(Task(CANARY, lab, canary.CANARY) for lab in labs if self._needs_canary(lab))
        for done in pool.run(tasks):
            if done is None:
                continue
            reply, lab = done.reply, self.labs[done.task.lab].lab
            if reply is not None and reply.outcome in {FULL, AUTHOR}:
                raise StoppedError(reply.detail)
            if reply is not None and reply.outcome == DONE:
                failed = reply.failed
            elif not done.task.alone:
                tasks.append(replace(done.task, alone=True))
                continue
            else:
                failed = dict.fromkeys(lab.questions, reply.detail if reply else done.death)
            if set(failed) == set(lab.questions):
                raise CanaryError(canary.describe(lab.id, failed))
            self.held_back |= {(lab.id, name): why for name, why in failed.items()}

    def _needs_canary(self, name: str) -> bool:
        lab, evidence = self.labs[name].lab, self.settings.records.folder("", "")
        if not canary.has_solutions(lab):
            self.unproven.append(name)
            return False
        return not canary.is_kept(self.settings.runner(), evidence, lab)

    def canary_lines(self) -> list[str]:
        """Lines about the questions that nobody gets a score for, and labs without a solution."""
        return [
            *(f"{lab}: no canary, since its notebook in source/ has no solution"
              for lab in self.unproven),
            *(f"{lab}, {question}: nobody gets a score, as the solution failed twice: {why}"
              for (lab, question), why in self.held_back.items()),
        ]  # fmt: skip

    def _skipped(self, lab: str) -> tuple[str, ...]:
        return tuple(question for of, question in self.held_back if of == lab)

    def pages(self) -> None:
        """Write the remaining feedback, after all scores."""
        while self._pages:
            self._write_next_page()

    def _write_next_page(self) -> None:
        """Write one page while no score waits: a large notebook takes long."""
        if self._pages:
            record = self._pages.popleft()
            with self._note_failure(record):
                self.writer.write_page(record)
                self.done.add((record.lab, record.student))

    def _drop_if_failed(self, record: Record | None) -> Record | None:
        written = record is not None and (record.lab, record.student) not in self.failed
        return record if written else None

    def _handle_result(self, done: FinishedTask) -> Task | None:
        """Write the result of a task; returns another task if one has to take its place."""
        task, reply = done.task, done.reply
        if reply is not None and reply.outcome in {FULL, AUTHOR}:
            raise StoppedError(reply.detail)
        record = self.settings.records.load(task.lab, task.student)
        if reply is None or reply.outcome not in {DONE, SAME} or record is None:
            return self._retry(done)
        if task.action == GIVE_UP:
            self.failed[task.lab, task.student] = task.detail
        if task.action == REJUDGE:
            after = reply.before if reply.outcome == SAME else record.points
            self.judged[task.lab, task.student] = (reply.before, after)
        notebook = self.settings.records.notebook(record)
        if notebook is not None:
            self._write(record, notebook)
        return None

    def _retry(self, done: FinishedTask) -> Task | None:
        """The same task once more, alone; after that, or after no end at all, none or `GIVE_UP`."""
        task, died = done.task, done.reply is None
        if not (task.alone or done.late) and (died or task.action != REJUDGE):
            return replace(task, alone=True)
        detail = done.reply.detail if done.reply else done.death
        self.failed[task.lab, task.student] = detail
        if task.action != GRADE or self._has_score(task):
            return None
        return Task(GIVE_UP, task.lab, task.student, detail)

    def _has_score(self, task: Task) -> bool:
        """Whether an earlier run scored exactly these files: then that score stays."""
        record = self.settings.records.load(task.lab, task.student)
        if record is None or not record.written or record.state != GRADED:
            return False
        folder = self.settings.submitted_folder(task.lab, task.student)
        return submission_files.scan(self.settings.course, folder).matches(record.fingerprint)

    def _write(self, record: Record, notebook: str) -> None:
        with self._note_failure(record):
            if self.writer.write(record, notebook):
                self.done.add((record.lab, record.student))
            if self.writer.lacks_page(record):
                self._pages.append(record)

    @contextlib.contextmanager
    def _note_failure(self, record: Record) -> Iterator[None]:
        """Note an error that concerns one result; stop the run at one that concerns all."""
        try:
            yield
        except OperationalError as error:
            raise StoppedError(f"the gradebook can't be written: {error.orig}") from error
        except OSError as error:
            if error.errno in NO_ROOM:
                raise StoppedError(describe_full_disk(error)) from error
            self.failed[record.lab, record.student] = f"not written: {error}"
        except Exception as error:
            self.settings.app.log.exception("%s, %s: not written", record.lab, record.student)
            line = (str(error).strip() or type(error).__name__).splitlines()[0]
            self.failed[record.lab, record.student] = f"not written: {line}"


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Disable the garbage collector, which slows imports down."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def run_engine() -> Iterator[None]:
    """Start the warm process that the workers share; it imports while this one continues.

    Inside of another such context it is that one's, which ends it.
    """
    global _contexts  # noqa: PLW0603 (one engine per program)
    engine()
    _contexts += 1
    try:
        yield
    finally:
        _contexts -= 1
        if not _contexts:
            stop()
