"""The hand-ins in nbgrader's exchange: whose they are, and when they came.

Their names say both, and students write the names. What a student can't write is the owner of a
folder, and the times at which inodes changed (ctime). nbgrader 0.9.6 compares the owner, prints
"cheating attempt?" and collects all the same; nobody compares the time.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nbgrader.exchange import Exchange, ExchangeFactory
from nbgrader.exchange.default import ExchangeCollect
from nbgrader.utils import parse_utc
from traitlets import Dict, Enum, Float, Unicode
from traitlets.config import Configurable

from autograder.course import AuthorError
from autograder.grading.settings import CONFIG, CourseSettings, read_section
from autograder.nbgrader_plugins.submissions.private_copy import MOST_ENTRIES, Copied
from autograder.nbgrader_plugins.submissions.submission_files import (
    DEEPEST,
    SUBMISSION_SECRET,
    TIMESTAMP,
)

LAST, BEST, LAST_ON_TIME = "last", "best", "last_on_time"
"""Which try counts: the last one, the one with the most points, or the last before the due date."""
_SETTLED = timedelta(minutes=1)
"""After that long a folder without nbgrader's last file is one of an nbgrader that writes none."""


class HandIns(Configurable):
    """Settings of hand-ins, in `nbgrader_config.py` as `c.HandIns`."""

    minutes_apart = Float(
        5, min=0, help="How far the time of a hand-in may be from its arrival in the exchange."
    ).tag(config=True)
    counts = Enum(
        [LAST, BEST, LAST_ON_TIME], LAST, help="Which try counts, unless `counts_in` names the lab."
    ).tag(config=True)
    counts_in = Dict(
        value_trait=Enum([LAST, BEST, LAST_ON_TIME]),
        key_trait=Unicode(),
        help="Which try counts, by lab.",
    ).tag(config=True)

    def which(self, lab: str) -> str:
        """Which try of `lab` counts: `LAST`, `BEST` or `LAST_ON_TIME`."""
        return str(self.counts_in.get(lab, self.counts))


def hand_in_settings(settings: CourseSettings) -> HandIns:
    """The settings of hand-ins of a course.

    Raises:
        AuthorError: a name or a lab is not there, or a value is none of the valid ones.
    """
    return read_section(settings, HandIns, by_lab=["counts_in"])


@dataclass(frozen=True)
class Arrival:
    """A hand-in in the exchange.

    Args:
        lab: id of the lab.
        student: the student whom its name names.
        at: the time that its name names, UTC.
        folder: the folder in the exchange.
        doubt: why it is not taken, or "".
        complete: whether nbgrader had written all of it.
    """

    lab: str
    student: str
    at: datetime
    folder: Path
    doubt: str = ""
    complete: bool = True


@dataclass(frozen=True)
class Inbound:
    """The inbound folder of a course's exchange.

    Args:
        folder: the folder.
        check_owner: whether the owner of a hand-in has to be its student.
        apart: how far time and arrival may be apart; None: any time is believed.
    """

    folder: Path
    check_owner: bool
    apart: timedelta | None

    def arrivals(self, lab: str, now: datetime | None = None) -> Iterator[Arrival]:
        """The hand-ins for `lab`, the oldest first.

        Args:
            lab: id of the lab.
            now: the time of now, UTC.
        """
        found = []
        for entry in os.scandir(self.folder):
            parts = entry.name.rsplit("+", 3)
            if len(parts) < 3 or not entry.is_dir(follow_symlinks=False):  # noqa: PLR2004 (student, lab, time, and random letters)
                continue
            if parts[1] != lab and len(parts) == 4 and parts[2] == lab:  # noqa: PLR2004  a + in the id, no random letters
                parts = [f"{parts[0]}+{parts[1]}", *parts[2:]]
            if parts[1] == lab:
                found.append(self._arrival(parts, Path(entry.path), now or datetime.now(UTC)))
        return iter(sorted(found, key=lambda one: (one.at, one.folder.name)))

    def _arrival(self, parts: list[str], folder: Path, now: datetime) -> Arrival:
        student, lab = parts[0], parts[1]
        try:
            at = parse_utc(parts[2]).replace(tzinfo=UTC)
        except (ValueError, ArithmeticError):  # dateutil calculates with what stands there
            return Arrival(lab, student, now, folder, "its name holds no time")
        if not student or student.startswith("."):
            return Arrival(lab, student, at, folder, "its name holds no student's id")
        try:
            copied, complete = _look(folder)
        except OSError as error:
            return Arrival(lab, student, at, folder, f"it can't be read: {error.strerror}")
        doubt = self.doubt(student, at, copied, now)
        settled = now.timestamp() - copied.changed > _SETTLED.total_seconds()
        return Arrival(lab, student, at, folder, doubt, complete or settled)

    def doubt(self, student: str, at: datetime, copied: Copied, now: datetime | None = None) -> str:
        """Why a hand-in is not taken, or "".

        Args:
            student: the student whom its name names.
            at: the time that its name names, UTC.
            copied: owners and times of what is there.
            now: the time of now, UTC.
        """
        now, changed = now or datetime.now(UTC), datetime.fromtimestamp(copied.changed, UTC)
        owner = _name_owner(copied.owners)
        if self.check_owner and owner != student:
            return f"it says that it is {student}'s, and its owner is {owner}"
        if self.apart is None:
            return ""
        if at > now + self.apart:
            return f"its time is in the future: {at:%Y-%m-%d %H:%M:%S} UTC"
        if abs(changed - at) > self.apart:
            return (
                f"it says that it was handed in at {at:%Y-%m-%d %H:%M:%S} UTC, and came or was "
                f"changed at {changed:%Y-%m-%d %H:%M:%S} UTC"
            )
        return ""


def _look(folder: Path) -> tuple[Copied, bool]:
    """Owners and times of what is in `folder`, and whether it has nbgrader's files.

    Its student can change it a moment later, so this does no more than leave out what is wrong now.
    """
    found, top = Copied(), str(folder).count(os.sep)
    found.note(folder.lstat())
    count = 0
    for place, folders, names in os.walk(folder):
        for name in folders + names:
            found.note(os.lstat(os.path.join(place, name)))  # noqa: PTH118  many files
        count += len(folders) + len(names)
        if count > MOST_ENTRIES:
            raise OSError(0, f"it holds more than {MOST_ENTRIES:,} files")
        if place.count(os.sep) - top >= DEEPEST:  # os.walk calls itself for each
            folders.clear()
    complete = all((folder / name).is_file() for name in (TIMESTAMP, SUBMISSION_SECRET))
    return found, complete


def _name_owner(owners: set[int]) -> str:
    names = []
    for number in sorted(owners):
        try:
            names.append(pwd.getpwuid(number).pw_name)
        except KeyError:
            names.append(f"the user {number}, who has no name")
    return " and ".join(names)


def open_inbound(settings: CourseSettings, *, trust_times: bool) -> Inbound:
    """The inbound folder of the course's exchange, by nbgrader's settings.

    Args:
        settings: the course's settings.
        trust_times: believe any time, as in an exchange that was restored from a backup.

    Raises:
        AuthorError: there is none, or the exchange is no folder.
    """
    config = settings.root / CONFIG
    kind = ExchangeFactory(parent=settings.app).collect
    if not issubclass(kind, ExchangeCollect):
        step = "nbgrader collect LAB --update, then autograder grade LAB"
        fault = f"the exchange is {kind.__name__}, and no folder"
        raise AuthorError(config, "", fault, step)
    collect: Exchange = kind(coursedir=settings.course, parent=settings.app)
    folder = Path(collect.root, settings.course.course_id, "inbound")
    if not folder.is_dir():
        step = (
            f"nbgrader release_assignment LAB makes it, for course_id and Exchange.root of {config}"
        )
        raise AuthorError(folder, "", "there is no such folder in the exchange", step)
    if not os.access(folder, os.R_OK | os.X_OK):
        step = "collect as the user who released the lab"
        raise AuthorError(folder, "", "you may not read it", step)
    minutes = hand_in_settings(settings).minutes_apart
    apart = None if trust_times else timedelta(minutes=minutes)
    return Inbound(folder, bool(collect.check_owner), apart)
