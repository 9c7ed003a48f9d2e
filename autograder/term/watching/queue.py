"""Whose turn it is: round robin over students, the newest hand-in of a student first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from autograder.grading.tries.arrivals import Arrival
from autograder.grading.tries.counting import Counting
from autograder.term.watching.try_limits import TryLimit

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Turn:
    """A hand-in that waits.

    Args:
        arrival: the hand-in.
        at: when it may be graded.
        served: when a hand-in of this student was graded last.
    """

    arrival: Arrival
    at: datetime
    served: datetime = _LONG_AGO


@dataclass
class Queue:
    """What waits.

    Args:
        due: hand-ins that may be graded now, one of each student, in their order.
        later: hand-ins whose student has to wait, or has a newer one before.
    """

    due: list[Turn] = field(default_factory=list)
    later: list[Turn] = field(default_factory=list)


def line_up(
    arrivals: Iterable[Arrival],
    counting: Mapping[str, Counting],
    limits: Mapping[str, TryLimit],
    now: datetime,
    free: Collection[Path] = (),
) -> Queue:
    """Order what is not kept yet.

    Args:
        arrivals: hand-ins that are complete, of any labs.
        counting: the tries of each lab.
        limits: the limit of each lab.
        now: the time of now, UTC.
        free: folders of hand-ins that no limit holds, since their result is known.
    """
    waiting: dict[str, list[Arrival]] = defaultdict(list)
    for one in arrivals:
        waiting[one.student].append(one)
    queue = Queue()
    for student, found in waiting.items():
        served = {lab: graded_at(counting[lab], student) for lab in counting}
        last = max((at for times in served.values() for at in times), default=_LONG_AGO)
        newest = sorted(found, key=lambda one: (one.at, one.folder.name), reverse=True)
        turns = [
            Turn(
                one,
                now if one.folder in free else limits[one.lab].next_turn(served[one.lab], now),
                min(last, now),
            )
            for one in newest
        ]
        first = next((turn for turn in turns if turn.at <= now), None)
        queue.due += [first] if first else []
        queue.later += [turn for turn in turns if turn is not first]
    queue.due.sort(key=lambda turn: (turn.served, turn.arrival.at, turn.arrival.student))
    queue.later.sort(key=lambda turn: (turn.at, turn.arrival.at, turn.arrival.student))
    return queue


def graded_at(counting: Counting, student: str) -> Sequence[datetime]:
    """When the tries of a student were graded, UTC; the same bytes again count once."""
    times, seen = [], set()
    for one in counting.store.of(counting.lab, student):
        record = counting.load(one)
        if record is not None and record.fingerprint not in seen:
            seen.add(record.fingerprint)
            times.append(datetime.fromisoformat(record.graded_at))
    return times
