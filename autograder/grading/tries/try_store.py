"""Keeps each hand-in in `tries/<student>/<lab>/<time>/`, and what grading finds out beside it.

`<time>` is the time of the hand-in, UTC. A folder appears there complete, and never changes.
`<time>.evidence` holds its record and evidence, as `evidence/<lab>/<student>` does for the try that
counts. `tries/removed.txt` names those that a person removed, so that none comes back.
"""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from nbgrader.utils import parse_utc

from autograder.grading.records import RecordStore
from autograder.grading.replaced_folder import replace_folder
from autograder.grading.settings import CourseSettings
from autograder.nbgrader_plugins.submissions import submission_files
from autograder.nbgrader_plugins.submissions.private_copy import LEFT_OUT
from autograder.nbgrader_plugins.submissions.submission_files import TIMESTAMP, Contents
from litcourse.core.atomic_write import write_atomically

if TYPE_CHECKING:
    from nbgrader.coursedir import CourseDirectory

TRIES = "tries"
_REMOVED = "removed.txt"
_FORMAT = "%Y-%m-%dT%H-%M-%S.%fZ"
_EVIDENCE = ".evidence"
_SAME_TIME = timedelta(milliseconds=1)
"""`enter` moves a try by a few microseconds if another file came at the same time."""


@dataclass(frozen=True, order=True)
class Try:
    """One hand-in.

    Args:
        lab: id of the lab.
        student: id of the student.
        key: name of its folder, which is its time.
        folder: its files.
    """

    lab: str
    student: str
    key: str
    folder: Path

    @property
    def at(self) -> datetime:
        """When it was handed in, UTC."""
        text = submission_files.read_timestamp(self.folder)
        if text:
            at: datetime = parse_utc(text)
            return at.replace(tzinfo=UTC)
        return datetime.strptime(self.key, _FORMAT).replace(tzinfo=UTC)

    @property
    def evidence(self) -> Path:
        """The folder of its record and evidence."""
        return self.folder.with_name(self.key + _EVIDENCE)


class TryStore:
    """The tries of a course.

    Args:
        course: nbgrader's course.
        root: the course folder.
    """

    def __init__(self, course: CourseDirectory, root: Path) -> None:
        self._course, self.root = course, root / TRIES

    def of(self, lab: str, student: str) -> list[Try]:
        """The tries of a student, the oldest first."""
        folder = self.root / student / lab
        keys = sorted(p.name for p in folder.glob("*Z") if p.is_dir() and p.name[0] != ".")
        return [Try(lab, student, key, folder / key) for key in keys]

    def students(self, lab: str) -> list[str]:
        """Ids of the students with a try for `lab`."""
        return sorted(path.parent.name for path in self.root.glob(f"*/{glob.escape(lab)}"))

    def is_kept(self, lab: str, student: str, at: datetime, fingerprint: str) -> bool:
        """Whether this hand-in is kept, or was removed by a person."""
        if f"{student}/{lab}/{at.strftime(_FORMAT)}" in self.removed():
            return True
        return any(
            abs(one.at - at) < _SAME_TIME and self.contents(one).matches(fingerprint)
            for one in self.of(lab, student)
        )

    def enter(
        self,
        lab: str,
        student: str,
        at: datetime,
        sent: Contents,
        extra: Mapping[str, str],
        *,
        exact: bool = True,
    ) -> Try | None:
        """Keep a hand-in, unless it is kept or was removed.

        Args:
            lab: id of the lab.
            student: id of the student.
            at: its time, UTC.
            sent: its files.
            extra: further files, text by name; they win.
            exact: whether `at` is the time of the hand-in, so that the same bytes at another time
                are another one; else it may be that of a download.

        Returns:
            the try; None if nothing is new.
        """
        fingerprint, known = sent.fingerprint(), self.of(lab, student)
        removed = self.removed()
        last = [] if exact else known[-1:]
        for one in known:
            if (one.at == at or one in last) and self.contents(one).matches(fingerprint):
                return None
        key = at.strftime(_FORMAT)
        while key in {one.key for one in known}:  # another file at the same time
            at += timedelta(microseconds=1)
            key = at.strftime(_FORMAT)
        if f"{student}/{lab}/{key}" in removed:
            return None
        made = Try(lab, student, key, self.root / student / lab / key)

        def fill(folder: Path) -> None:
            submission_files.copy_files(sent.files, folder)
            for name in sent.left_out:
                _leave_mark(folder, name)
            for name, text in extra.items():
                (folder / name).write_text(text, encoding="utf-8")

        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_folder(made.folder, fill)
        return made

    def contents(self, one: Try) -> Contents:
        """The files of a try."""
        return submission_files.scan(self._course, one.folder)

    def removed(self) -> set[str]:
        """`<student>/<lab>/<time>` of the tries that a person removed."""
        try:
            return set((self.root / _REMOVED).read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            return set()

    def forget(self, tries: Iterable[Try]) -> None:
        """Note tries as removed, before somebody deletes them."""
        names = self.removed() | {f"{one.student}/{one.lab}/{one.key}" for one in tries}
        if names:
            self.root.mkdir(parents=True, exist_ok=True)
            text = "".join(f"{name}\n" for name in sorted(names))
            write_atomically(self.root / _REMOVED, text.encode(), durable=True)


def _leave_mark(folder: Path, name: str) -> None:
    """Put a link to nothing where a file was left out, so that the student's page says so."""
    path = folder / name
    if name.startswith("/") or ".." in Path(name).parts or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(LEFT_OUT)


def timestamp_text(at: datetime) -> str:
    """Text of `timestamp.txt`, as nbgrader's exchange writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def stamped(at: datetime) -> dict[str, str]:
    """The file of a hand-in's time, by name."""
    return {TIMESTAMP: timestamp_text(at)}


class TryRecords(RecordStore):
    """The records of one try of each student, and else those of the course.

    Args:
        folder: `evidence/` of the course.
        tries: the tries.
    """

    def __init__(self, folder: Path, tries: Collection[Try]) -> None:
        super().__init__(folder)
        self._places = {(one.lab, one.student): one.evidence for one in tries}

    def folder(self, lab: str, student: str) -> Path:
        """The folder of a try's evidence."""
        return self._places.get((lab, student)) or super().folder(lab, student)


def settings_for(settings: CourseSettings, tries: Collection[Try]) -> CourseSettings:
    """`settings`, by which tries are graded as if they lay in `submitted/`."""
    records = TryRecords(settings.records.folder("", ""), tries)
    return settings.elsewhere({(one.lab, one.student): one.folder for one in tries}, records)
