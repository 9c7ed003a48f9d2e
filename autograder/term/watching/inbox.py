"""The hand-ins in the exchange that are complete, genuine and not kept yet."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from autograder.course import AuthorError
from autograder.grading.reporting.progress import printable
from autograder.grading.settings import CourseSettings
from autograder.grading.tries.arrivals import Arrival, open_inbound

Seen = tuple[tuple[str, int, int, int], ...]
"""What a look at a folder saw: name, size, and times of each entry, in nanoseconds."""


@dataclass
class Inbox:
    """The inbound folder of the exchange, over all looks at it.

    Args:
        unsettled: whether the last look saw a complete hand-in for the first time, or changed.
    """

    unsettled: bool = False

    _seen: dict[Path, Seen] = field(default_factory=dict)
    _doubts: dict[str, str] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _closed: str = ""

    def find_complete(self, settings: CourseSettings, lab: str) -> list[Arrival]:
        """The hand-ins that two looks found complete and unchanged, the oldest first.

        `news` then says which others are held back.
        """
        try:
            inbound = open_inbound(settings, trust_times=False)
        except AuthorError as error:  # none yet, or hand-ins come by another road
            self._closed = str(error)
            return []
        found = []
        for one in inbound.arrivals(lab):
            if one.doubt:
                self._doubts[one.folder.name] = one.doubt
            elif one.complete and self._is_settled(one.folder):
                found.append(one)
            elif one.complete:
                self.unsettled = True
        return found

    def news(self) -> list[str]:
        """A line for each hand-in that is held back, and why there are none at all, once."""
        closed = [self._closed] if self._closed and self._closed not in self._told else []
        self._told |= {*closed}
        new = [name for name in self._doubts if name not in self._told]
        self._told |= {*new}
        held = [f"held back: {printable(name)}: {printable(self._doubts[name])}" for name in new]
        return [*(f"no hand-in is read: {why}" for why in closed), *held]

    def seen(self, folder: Path) -> Seen:
        """What the last look at a hand-in saw: if it is the same, so are its bytes."""
        return self._seen.get(folder, ())

    def _is_settled(self, folder: Path) -> bool:
        """Whether the last look saw the same; on a network file system nothing else tells."""
        before, now = self._seen.get(folder), _look(folder)
        self._seen[folder] = now
        return bool(now) and before == now


def _look(folder: Path) -> Seen:
    found = []
    try:
        for place, _, names in os.walk(folder):
            for name in sorted(names):
                status = os.lstat(os.path.join(place, name))  # noqa: PTH118  many files
                key = os.path.join(os.path.relpath(place, folder), name)  # noqa: PTH118
                found.append((key, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    except (OSError, RecursionError):  # it is being removed, or os.walk can't follow it
        return ()
    return tuple(sorted(found))
