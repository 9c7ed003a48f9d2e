"""`autograder grade --shard I/N`: grades one part of a class, on one machine of several.

A shard runs its submissions and leaves results on disk, in `evidence/`. It neither reads nor writes
the gradebook, `autograded/` and `feedback/`. The next `autograder grade` without a shard writes the
results, as the only writer, and grades the submissions that have none. So it does not matter how a
class was divided, or whether a shard was killed: the same command again does the rest.

Shards may run at the same time, on all nodes of a shared file system. A run that writes refuses to
start beside one.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from autograder.course import AuthorError, Course, Lab, LockedError
from autograder.grading import plan as planning
from autograder.grading.records import GRADE
from autograder.grading.reporting.progress import Meter, console
from autograder.grading.run import NO_SCORE, Options
from autograder.grading.session import (
    CanaryError,
    Session,
    StoppedError,
    check_versions,
    end_on_sigterm,
    lock_file,
    run_engine,
    without_collector,
)
from autograder.grading.settings import CourseSettings, open_settings
from autograder.grading.shared_folder import close
from autograder.grading.submission_grader import PreparedLab, Task
from autograder.grading.tries.rounds import RecordsOnly
from autograder.nbgrader_plugins import register
from autograder.nbgrader_plugins.submissions.submission_files import Submission
from litcourse.core.exit_codes import ExitCode

LOCK_SECONDS = 15.0
"""Seconds that workers of a killed run may need to end."""


@dataclass(frozen=True)
class Shard:
    """One of the parts of a class.

    Args:
        index: number of the part, from 1.
        count: number of parts.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `I/N`.

        Raises:
            AuthorError: `text` has another form.
        """
        first, slash, second = text.partition("/")
        if slash and first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
            return cls(int(first), int(second))
        fault = "a shard is I/N with I from 1 to N"
        raise AuthorError(f"--shard {text}", "", fault, "--shard 1/8 for the first of eight")

    def of(self, sent: Sequence[Submission]) -> list[Submission]:
        """The submissions of this part; each submission is in exactly one part."""
        return sorted(sent, key=lambda s: s.student)[self.index - 1 :: self.count]


def grade_shard(course: Course, options: Options, shard: Shard) -> int:
    """Grade one part of a class; skip submissions that are graded.

    Returns:
        the exit code.

    Raises:
        AuthorError: the instructor has to mend something first.
        UnknownNameError: there is no such lab.
    """
    if options.csv is not None or options.json:
        fault = "a part of a class has no scores to tell: the run that writes them has"
        step = "leave --csv and --json to the autograder grade after all shards"
        raise AuthorError(f"--shard {shard.index}/{shard.count}", "", fault, step)
    to = console(json=False)
    with (
        end_on_sigterm(),
        open_settings(course, sandbox=options.sandbox) as settings,
        _hold_shard_lock(settings, shard, wait=options.wait),
        run_engine(),
    ):
        submissions = planning.choose_submissions(settings, course, options.labs, options.students)
        check_versions(course, submissions)
        with without_collector():
            labs = {lab: _prepare_lab(settings, course.lab(lab)) for lab in submissions}
        mine = [s for sent in submissions.values() for s in shard.of(sent)]
        new = [s for s in mine if options.regrade or planning.load_result(settings, s) is None]
        tasks = deque(Task(GRADE, s.lab, s.student) for s in new)
        to.print(f"shard {shard.index}/{shard.count}: {len(new)} to grade,"
                 f" {len(mine) - len(new)} done already")  # fmt: skip
        session = Session(settings, labs, RecordsOnly())
        try:
            with Meter(to, len(tasks), "graded") as meter:
                session.work(tasks, options.workers, meter)
        except StoppedError as error:
            to.print(f"Stopped: {error}", soft_wrap=True)
            return ExitCode.MISTAKE
        except CanaryError as error:
            for line in (f"Stopped: {error}", NO_SCORE):
                to.print(line, soft_wrap=True, markup=False)
            return ExitCode.INCOMPLETE
    for (lab, student), why in session.failed.items():
        to.print(f"not graded: {lab}, {student}: {why}", soft_wrap=True)
    for line in session.canary_lines():
        to.print(line, soft_wrap=True, markup=False)
    to.print("Next, when all shards have ended: autograder grade")
    incomplete = session.failed or session.held_back
    return ExitCode.INCOMPLETE if incomplete else ExitCode.DONE


def _prepare_lab(settings: CourseSettings, lab: Lab) -> PreparedLab:
    """The lab, without its entry into the gradebook."""
    lab.check_parts()
    return PreparedLab(lab, register.unsolved_notebook(settings.converter, lab))


@contextlib.contextmanager
def _hold_shard_lock(settings: CourseSettings, shard: Shard, *, wait: bool) -> Iterator[None]:
    """Hold the lock of the course, shared with other shards, and the lock of this shard alone.

    Raises:
        LockedError: a run that writes is under way, or the same shard.
        AuthorError: the course can't be written.
    """
    folder = settings.records.folder("", "")
    own = folder / f".lock-{shard.index}-of-{shard.count}"
    if not settings.course.groupshared:
        close([folder])
    with lock_file(folder / ".lock") as common, lock_file(own) as mine:
        _lock(
            common,
            fcntl.LOCK_SH,
            "autograder grade or rejudge is running in this course",
            wait=wait,
        )
        _lock(mine, fcntl.LOCK_EX, "this very shard is running already", wait=wait)
        yield


def _lock(file: Any, kind: int, fault: str, *, wait: bool) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline and not wait:
                step = "wait for its end (--wait does), or end it"
                raise LockedError(file.name, "", fault, step) from None
            time.sleep(0.1)
        else:
            return
