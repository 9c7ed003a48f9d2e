"""The loop of `autograder watch`."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from autograder.course import AuthorError, Course
from autograder.engine.machine_faults import NO_ROOM
from autograder.grading import run as grading
from autograder.grading.reporting.progress import printable
from autograder.grading.settings import CourseSettings
from autograder.grading.tries.arrivals import Arrival, open_inbound
from autograder.grading.tries.counting import Counting, copy_evidence
from autograder.grading.tries.try_store import Try
from autograder.nbgrader_plugins.submissions import submission_files
from autograder.nbgrader_plugins.submissions.private_copy import copy_hand_in
from autograder.term.collecting import take
from autograder.term.open_course import open_course
from autograder.term.watching import waiting_page
from autograder.term.watching.inbox import Inbox, Seen
from autograder.term.watching.queue import Queue, Turn, line_up
from autograder.term.watching.released_pages import ReleasedPages
from autograder.term.watching.try_limits import time_of_now, watch_settings
from litcourse.core.environment import swept_folder
from litcourse.core.exit_codes import ExitCode

_AGAIN = timedelta(minutes=10)
"""A try that could not be graded is graded again after so long."""
Say = Callable[[str], None]
Who = tuple[str, str]
"""Ids of a lab and of a student."""


@dataclass(frozen=True)
class HandIn:
    """What stands in a hand-in that waits for its turn: it is not read each time.

    Args:
        seen: the look at it.
        bytes_of: its fingerprint.
        digits: what its `submission_secret.txt` says; "" without one.
    """

    seen: Seen = ()
    bytes_of: str = ""
    digits: str = ""


@dataclass
class Watcher:
    """Watches the hand-ins of a course.

    Args:
        course: the course.
        labs: ids of labs.
        say: tells what was done, a line at a time; no answer stands in it.
        jobs: workers; 0: four per core.
        queue: what waited at the last look.
    """

    course: Course
    labs: Sequence[str]
    say: Say
    jobs: int = 0
    queue: Queue = field(default_factory=Queue)
    _inbox: Inbox = field(default_factory=Inbox)
    _handled: set[Path] = field(default_factory=set)
    _bytes: dict[Path, HandIn] = field(default_factory=dict)
    _told: dict[Path, datetime] = field(default_factory=dict)
    _graded: set[Try] = field(default_factory=set)
    _again: dict[Try, datetime] = field(default_factory=dict)

    def round(self) -> list[Who]:
        """Grade and release what is due; lab and student of what that was.

        Raises:
            AuthorError: something has to be mended first; what was done stays.
        """
        with open_course(self.course, wait=True) as settings:
            counting = {lab: Counting(settings, lab) for lab in self.labs}
            self.queue = self._look(settings, counting)
            most = watch_settings(settings).at_once
            for turn in self.queue.due[:most]:
                self._take(settings, counting[turn.arrival.lab], turn)
            self._tell_who_waits(settings)
            del self.queue.due[:most]
            todo = [who for lab in self.labs for who in self._ungraded(counting[lab])]
        for lab in self.labs:
            if students := [student for name, student in todo if name == lab]:
                self._grade(lab, students)
        self._finish(todo)
        self._again |= dict.fromkeys(self._open(counting, todo), time_of_now() + _AGAIN)
        return todo

    @property
    def unsettled(self) -> bool:
        """Whether the last look saw a complete hand-in for the first time, or changed."""
        return self._inbox.unsettled

    def _open(self, counting: dict[str, Counting], todo: Sequence[Who]) -> set[Try]:
        """The tries of `todo` that could not be graded, though the round went to its end."""
        return {one for lab, who in todo for one in counting[lab].store.of(lab, who)} - self._graded

    def _look(self, settings: CourseSettings, counting: dict[str, Counting]) -> Queue:
        rules = watch_settings(settings)
        self._inbox.unsettled = False
        complete = [
            one
            for lab in self.labs
            for one in self._inbox.find_complete(settings, lab)
            if not self._is_handled(settings, counting[lab], one)
        ]
        for line in self._inbox.news():
            self.say(line)
        limits = {lab: rules.limit(lab) for lab in self.labs}
        free = {one.folder for one in complete if self._is_known(counting[one.lab], one)}
        return line_up(complete, counting, limits, time_of_now(), free)

    def _is_known(self, counting: Counting, one: Arrival) -> bool:
        """Whether the student handed in these bytes before, so that nothing has to run."""
        bytes_of = self._bytes.get(one.folder, HandIn()).bytes_of
        tries = counting.store.of(one.lab, one.student)
        return any(counting.store.contents(made).matches(bytes_of) for made in tries)

    def _is_handled(self, settings: CourseSettings, counting: Counting, one: Arrival) -> bool:
        if one.folder not in self._handled:
            with contextlib.suppress(OSError):  # what can't be read `take` tells
                bytes_of = self._bytes_of(settings, one.folder)
                if counting.store.is_kept(one.lab, one.student, one.at, bytes_of):
                    self._handled.add(one.folder)
        return one.folder in self._handled

    def _bytes_of(self, settings: CourseSettings, folder: Path) -> str:
        seen = self._inbox.seen(folder)
        known = self._bytes.get(folder)
        if known is None or known.seen != seen:
            with swept_folder("collected") as place:
                copy_hand_in(settings.course, folder, place)
                bytes_of = submission_files.scan(settings.course, place).fingerprint()
                known = HandIn(seen, bytes_of, submission_files.read_secret(place))
            self._bytes[folder] = known
        return known.bytes_of

    def _tell_who_waits(self, settings: CourseSettings) -> None:
        """Release a page for each hand-in above the limits, when its turn is known."""
        rules, now = watch_settings(settings), time_of_now()
        new = [
            turn
            for turn in self.queue.later
            if turn.at > now and self._told.get(turn.arrival.folder) != turn.at
        ]
        if not new:
            return
        pages = ReleasedPages(settings)
        for turn in new:
            one = turn.arrival
            page = waiting_page.render(turn, rules.limit(one.lab))
            pages.tell(one.lab, self._bytes.get(one.folder, HandIn()).digits, page)
            self._told[one.folder] = turn.at

    def _take(self, settings: CourseSettings, counting: Counting, turn: Turn) -> None:
        """Copy a hand-in; if its bytes were graded before, their result is its result."""
        one = turn.arrival
        try:
            made, doubt = take(settings, counting, open_inbound(settings, trust_times=False), one)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            made, doubt = None, f"it can't be read: {error.strerror or error}"
        if doubt:
            self.say(f"held back: {printable(one.folder.name)}: {printable(doubt)}")
        self._handled.add(one.folder)
        kept = made and _find_same(counting, made)
        if made and kept:
            copy_evidence(kept.evidence, made.evidence)
        counting.install(one.student)

    def _ungraded(self, counting: Counting) -> list[Who]:
        """The students of a lab with a try that this watcher has not seen through.

        Of those that an earlier one graded it does not know whether they are in the gradebook.
        """
        now, found = time_of_now(), []
        for student in counting.store.students(counting.lab):
            tries = {*counting.store.of(counting.lab, student)} - self._graded
            if any(self._again.get(one, now) <= now for one in tries):
                found.append((counting.lab, student))
        return found

    def _grade(self, lab: str, students: Sequence[str]) -> None:
        options = grading.Options([lab], students, self.jobs, json=True, wait=True)
        said, began = io.StringIO(), time.monotonic()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            code = grading.grade(self.course, options)
        if code == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        result = json.loads(said.getvalue().strip().splitlines()[-1])
        if "error" in result:
            step = f"autograder grade {lab} --student {students[0]}"
            raise AuthorError(self.course.root, "", result["error"], step)
        self.say(f"{lab}: {', '.join(students)} in {time.monotonic() - began:.1f} s")
        for one in result["failed"]:
            self.say(f"{lab}: {one['student']} could not be graded: {one['detail']}")
        for one in result["strangers"]:
            self.say(f"{lab}: {one['student']} is not on the roster, and held back")

    def _finish(self, todo: Sequence[Who]) -> None:
        """Release the pages of `todo`, and note which tries are seen through."""
        if not todo:
            return
        with open_course(self.course, wait=True) as settings:
            pages, counting = ReleasedPages(settings), dict[str, Counting]()
            for lab, student in todo:
                tries = counting.setdefault(lab, Counting(settings, lab))
                pages.release(tries, student)
                self._graded |= {one for one in tries.store.of(lab, student) if tries.load(one)}


def _find_same(counting: Counting, made: Try) -> Try | None:
    """An earlier try of the student with the bytes of `made`, which is graded."""
    bytes_of = counting.store.contents(made).fingerprint()
    for one in counting.store.of(counting.lab, made.student):
        if one != made and counting.store.contents(one).matches(bytes_of) and counting.load(one):
            return one
    return None
