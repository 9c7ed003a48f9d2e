"""`autograder collect-zip`: the archives of an LMS, or a folder of clones, as tries.

What can't be mapped to the roster is listed, and nothing of it is touched.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nbgrader.utils import parse_utc

from autograder.course import AuthorError, Course
from autograder.grading.reporting.progress import console, name_few, printable
from autograder.grading.settings import CourseSettings
from autograder.grading.tries.counting import Counting
from autograder.grading.tries.try_store import stamped
from autograder.nbgrader_plugins.submissions import submission_files
from autograder.nbgrader_plugins.submissions.zip_files import ZipFileError, unpack
from autograder.students.roster import Roster, read_roster
from autograder.term.archives import (
    CANVAS,
    GIT,
    MOODLE,
    PLAIN,
    Sent,
    list_members,
    read_names,
)
from autograder.term.lms_tables import TableRow, read_table
from autograder.term.open_course import open_course
from litcourse.core.environment import swept_folder
from litcourse.core.exit_codes import ExitCode
from litcourse.core.names import UnknownNameError

_KILO = 1000  # nbgrader's limits of sizes are in kilobytes
_MOST_MEMBERS = 20_000
_ZONE = re.compile(r"(?:Z|UTC|[+-]\d\d:?\d\d)$")
_JUST_AFTER = timedelta(seconds=1)


@dataclass
class Mapped:
    """What came of archives.

    Args:
        new: student and time of each new try.
        known: number of those that were there before.
        students: whose they are.
        unmapped: persons and files that nobody on the roster is.
        left_out: members of an archive that are no plain files.
        notes: sentences about times.
    """

    new: list[tuple[str, str]] = field(default_factory=list)
    known: int = 0
    students: set[str] = field(default_factory=set)
    unmapped: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def collect_zip(
    course: Course,
    lab_id: str,
    archives: Sequence[Path],
    kind: str,
    *,
    table: Path | None = None,
    timezone: str = "",
    wait: bool = False,
) -> ExitCode:
    """Keep the submissions of archives as tries.

    Args:
        course: the course.
        lab_id: id of the lab.
        archives: zip files, or for `GIT` folders of clones.
        kind: `MOODLE`, `CANVAS`, `PLAIN` or `GIT`.
        table: a table that the LMS exports, which maps its numbers to students; or None.
        timezone: zone of the LMS's times; "" for that of this machine.
        wait: wait for the end of another run.

    Raises:
        AuthorError: an archive can't be read, or there is no roster.
        UnknownNameError: there is no such lab or kind.
    """
    if kind not in (MOODLE, CANVAS, PLAIN, GIT):
        raise UnknownNameError("kind of archive", kind, (MOODLE, CANVAS, PLAIN, GIT))
    lab, zone = course.lab(lab_id).id, _zone(timezone)
    paths, table = [path.absolute() for path in archives], table and table.absolute()
    with open_course(course, wait=wait) as settings:
        roster = read_roster(settings.converter)
        if not roster.students and kind in {MOODLE, CANVAS}:
            step = "nbgrader db student import roster.csv (id, first_name, last_name, email)"
            raise AuthorError(settings.root, "", "there is no roster to find names on", step)
        rows = read_table(table, roster).rows if table else []
        taking = _Taking(settings, lab, kind, roster, rows, zone)
        for path in paths:
            taking.take(path)
        taking.install()
    _print(lab, taking.found)
    return ExitCode.INCOMPLETE if taking.found.unmapped else ExitCode.DONE


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        step = "one of the tz database, such as --timezone Europe/Zurich"
        raise AuthorError(f"--timezone {name}", "", "there is no such time zone", step) from None


def _read_time(text: str, zone: tzinfo | None) -> datetime:
    """A time of a table, UTC; Moodle writes none of the zone."""
    at: datetime = parse_utc(text)
    if _ZONE.search(text):
        return at.replace(tzinfo=UTC)
    return (at.replace(tzinfo=zone) if zone else at.astimezone()).astimezone(UTC)


class _Taking:
    """Takes archives for one lab."""

    def __init__(
        self,
        settings: CourseSettings,
        lab: str,
        kind: str,
        roster: Roster,
        rows: Sequence[TableRow],
        zone: tzinfo | None,
    ) -> None:
        self.settings, self.lab, self.kind = settings, lab, kind
        self.roster, self.zone = roster, zone
        self.by_number = {row.lms_id: row for row in rows if row.lms_id}
        self.counting, self.found = Counting(settings, lab), Mapped()

    def take(self, path: Path) -> None:
        """Take one archive, or a folder of clones."""
        if self.kind == GIT:
            for clone in sorted(path.iterdir() if path.is_dir() else []):
                if (clone / ".git").exists():
                    self._take_clone(clone)
            return
        with self._unpacked(path) as folder:
            members = list_members(path, folder, self.zone)
            persons, unknown = read_names(members, self.kind, self.lab)
            self.found.unmapped += unknown
            for sent in self._newest(persons):
                self._enter(sent[0], folder, sent[1], self._time(sent[1], sent[0]))

    @contextmanager
    def _unpacked(self, path: Path) -> Iterator[Path]:
        with swept_folder("archive") as place:
            room = shutil.disk_usage(place).free // 2
            students = max(10, len(self.roster.students))
            most = min(room, self.settings.course.max_dir_size * _KILO * students)
            try:
                self.found.left_out += unpack(path, place, most, _MOST_MEMBERS)
            except (ZipFileError, OSError) as error:
                fault = f"it is not unpacked: {error}"
                raise AuthorError(path, "", fault, "download it from the LMS again") from error
            yield place

    def _newest(self, persons: Sequence[Sent]) -> list[tuple[str, Sent]]:
        """The newest submission of each student who is found.

        Two persons of an LMS with one name are two students, of whom the roster may hold one.
        """
        found: dict[str, list[Sent]] = {}
        for sent in persons:
            found.setdefault(self._student(sent), []).append(sent)
        for student, several in list(found.items()):
            if not student or len({sent.lms_id for sent in several}) > 1:
                self.found.unmapped += [self._names(sent) for sent in found.pop(student)]
        return [(who, max(found[who], key=lambda one: one.at)) for who in sorted(found)]

    def _names(self, sent: Sent) -> str:
        """What the output calls a person."""
        return sent.who if self.kind in {PLAIN, GIT} else f"{sent.who} ({sent.lms_id})"

    def _student(self, sent: Sent) -> str:
        row = self.by_number.get(sent.lms_id)
        if row is not None and row.student:
            return row.student
        if self.kind == CANVAS and (found := self.roster.find_lms_id(sent.lms_id)):
            return found
        found = self.roster.find(sent.who)
        if found and self.kind == CANVAS and self.roster.students[found].lms_user_id:
            return ""  # somebody else of that name
        if not found and self.kind in {PLAIN, GIT} and not self.roster.is_kept:
            return sent.who  # without a roster, names are ids
        return found

    def _time(self, sent: Sent, student: str) -> datetime:
        """When a submission was handed in, as far as the LMS tells."""
        row = self.by_number.get(sent.lms_id)
        if row is not None and row.time:
            try:
                return _read_time(row.time, self.zone)
            except (ValueError, ArithmeticError):
                self.found.notes.append(f"{student}: the table's time {row.time!r} is not read")
        due = self.counting.due(student)
        if self.kind != CANVAS or due is None:
            return sent.at
        if sent.late:
            self.found.notes.append(f"{student}: late by Canvas's mark, how late it does not say")
            return due + _JUST_AFTER
        return min(sent.at, due)  # the entry's time is that of the download

    def _enter(self, student: str, folder: Path, sent: Sent, at: datetime) -> None:
        with swept_folder("submission") as place:
            for inner, name in sent.files.items():
                target = place / inner
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, target)
            self._keep(student, place, at)

    def _keep(self, student: str, folder: Path, at: datetime, *, exact: bool = False) -> None:
        self.counting.adopt(student)
        self.found.students.add(student)
        contents = submission_files.scan(self.settings.course, folder)
        store = self.counting.store
        made = store.enter(self.lab, student, at, contents, stamped(at), exact=exact)
        if made is None:
            self.found.known += 1
        else:
            self.found.new.append((student, made.key))

    def _take_clone(self, clone: Path) -> None:
        """Take the last commit of a clone; its time is the student's own.

        The settings of a repository are programs to run. If it was copied from a student, they are
        hers, so they are left behind (https://git-scm.com/docs/git#_security).
        """
        student = self._student(Sent(clone.name.removeprefix(f"{self.lab}-")))
        with swept_folder("clone") as place:
            bare, packed, folder = place / "bare", place / "head.zip", place / "head"
            _git("clone", "--quiet", "--bare", "--no-local", str(clone), str(bare))
            told = _git("-C", str(bare), "log", "-1", "--format=%cI")
            if not student or not told:
                self.found.unmapped.append(clone.name)
                return
            folder.mkdir()
            _git("-C", str(bare), "archive", "--format=zip", "-o", str(packed), "HEAD")
            most = self.settings.course.max_dir_size * _KILO
            try:
                at = datetime.fromisoformat(told).astimezone(UTC)
                self.found.left_out += unpack(packed, folder, most, _MOST_MEMBERS)
            except (ZipFileError, ValueError, OverflowError) as error:
                self.found.unmapped.append(f"{clone.name} ({error})")
                return
            inner = folder / self.lab
            self._keep(student, inner if inner.is_dir() else folder, at, exact=True)

    def install(self) -> None:
        """Put the tries that count into `submitted/`."""
        for student in self.found.students:  # a run may have been killed before this
            self.counting.install(student)


def _git(*arguments: str) -> str:
    """What git prints; "" if it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout.strip()


def _print(lab: str, found: Mapped) -> None:
    to = console(json=False)
    students = len({student for student, _ in found.new})
    to.print(f"{len(found.new)} new tries of {students} students, {found.known} known.")
    for note in found.notes:
        to.print(printable(note), soft_wrap=True)
    if found.left_out:
        to.print(f"links and odd names were left out: {name_few(found.left_out)}", soft_wrap=True)
    for name in found.unmapped:
        to.print(f"not mapped: {printable(name)}", style="red", soft_wrap=True)
    if found.unmapped:
        step = (
            "nbgrader db student add ID, with --first-name, --last-name, --email or --lms-user-id; "
            "or --roster with the LMS's own table; then the same again"
        )
        to.print(f"{len(found.unmapped)} not mapped, not touched. Next: {step}", soft_wrap=True)
    to.print(f"Next: autograder grade {lab}")
