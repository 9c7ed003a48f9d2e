"""`autograder collect`: every hand-in of nbgrader's exchange, none lost and none twice."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autograder.course import Course
from autograder.engine.machine_faults import NO_ROOM
from autograder.grading.reporting.progress import console, printable
from autograder.grading.settings import CourseSettings
from autograder.grading.tries.arrivals import Arrival, Inbound, open_inbound
from autograder.grading.tries.counting import Counting
from autograder.grading.tries.try_store import Try, stamped
from autograder.nbgrader_plugins.submissions import submission_files
from autograder.nbgrader_plugins.submissions.private_copy import copy_hand_in
from autograder.term.open_course import open_course
from litcourse.core.environment import swept_folder
from litcourse.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from rich.console import Console


@dataclass
class Collected:
    """What came of a collection.

    Args:
        new: student and time of each new try.
        known: number of those that were there before.
        students: whose they are.
        held_back: those that were not taken, and why.
        unfinished: those that a student is writing at this moment.
    """

    new: list[tuple[str, str]] = field(default_factory=list)
    known: int = 0
    students: set[str] = field(default_factory=set)
    held_back: list[Arrival] = field(default_factory=list)
    unfinished: list[Arrival] = field(default_factory=list)


def collect(
    course: Course,
    lab_id: str,
    students: Collection[str] = (),
    *,
    trust_times: bool = False,
    wait: bool = False,
) -> ExitCode:
    """Collect all hand-ins for a lab from the exchange.

    Args:
        course: the course.
        lab_id: id of the lab.
        students: only those of these students; empty for all.
        trust_times: believe any time.
        wait: wait for the end of another run.

    Raises:
        AuthorError: there is no exchange.
        UnknownNameError: there is no such lab.
    """
    lab = course.lab(lab_id).id
    to = console(json=False)
    with open_course(course, wait=wait) as settings:
        found = collect_tries(settings, lab, students, trust_times=trust_times)
    _print(to, lab, found)
    return ExitCode.INCOMPLETE if found.held_back or found.unfinished else ExitCode.DONE


def collect_tries(
    settings: CourseSettings, lab: str, students: Collection[str], *, trust_times: bool
) -> Collected:
    """Keep what is new in the exchange; the try that counts then stands in `submitted/`."""
    counting, found = Counting(settings, lab), Collected()
    inbound = open_inbound(settings, trust_times=trust_times)
    for arrival in inbound.arrivals(lab):
        if students and arrival.student not in students:
            continue
        if arrival.doubt:
            found.held_back.append(arrival)
        elif not arrival.complete:
            found.unfinished.append(arrival)
        else:
            _take(settings, counting, inbound, arrival, found)
    for student in found.students:  # also of those known: a run may have been killed before this
        counting.install(student)
    return found


def take(
    settings: CourseSettings, counting: Counting, inbound: Inbound, arrival: Arrival
) -> tuple[Try | None, str]:
    """Keep a hand-in: what is looked at, and then kept, is a copy, which nobody changes.

    Returns:
        the try, None if it is kept already or was removed; and why it is not taken, or "".

    Raises:
        OSError: it can't be read, or with a number of `NO_ROOM` there is no room for it.
    """
    lab, student, at = arrival.lab, arrival.student, arrival.at
    with swept_folder("collected") as place:
        copied = copy_hand_in(settings.course, arrival.folder, place)
        if doubt := inbound.doubt(student, at, copied):
            return None, doubt
        counting.adopt(student)
        sent = submission_files.scan(settings.course, place)
        return counting.store.enter(lab, student, at, sent, stamped(at)), ""


def _take(
    settings: CourseSettings,
    counting: Counting,
    inbound: Inbound,
    arrival: Arrival,
    found: Collected,
) -> None:
    try:
        made, doubt = take(settings, counting, inbound, arrival)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise  # of our disk: all others would fail, too
        doubt = f"it can't be read: {error.strerror or error}"
        found.held_back.append(replace(arrival, doubt=doubt))
        return
    if doubt:
        found.held_back.append(replace(arrival, doubt=doubt))
        return
    found.students.add(arrival.student)
    if made is None:
        found.known += 1
    else:
        found.new.append((arrival.student, made.key))


def _print(to: Console, lab: str, found: Collected) -> None:
    students = len({student for student, _ in found.new})
    to.print(f"{len(found.new)} new tries of {students} students, {found.known} known.")
    for arrival in found.held_back:
        to.print(
            f"held back: {printable(arrival.folder.name)}: {printable(arrival.doubt)}",
            style="red", soft_wrap=True,
        )  # fmt: skip
    if found.held_back:
        step = (
            "ask who handed it in. If the exchange was restored: --trust-times. If all students "
            "are one user here: c.ExchangeCollect.check_owner = False"
        )
        to.print(f"{len(found.held_back)} held back, not collected. Next: {step}", soft_wrap=True)
    for arrival in found.unfinished:
        to.print(f"not complete yet: {printable(arrival.folder.name)}", soft_wrap=True)
    to.print(f"Next: autograder grade {lab}")
