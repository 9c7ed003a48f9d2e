"""Reads the names in an LMS's archive of submissions: whose each file is, and what it says of time.

- Moodle, "Download all submissions": `Ada Lovelace_12345_assignsubmission_file_/lab.ipynb`, with or
  without folders. The number is the participant's in this assignment, not the user's.
- Canvas, "Download submissions": `lovelaceada_LATE_4711_815_lab-1.ipynb`: the sortable name, a mark
  if it was late, the user's number, the attachment's number, the name of the file with the number
  of the submission. All entries have the time of the download.
- plain: a folder, a notebook or a zip file for each student, named by id, address or name.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path, PurePosixPath

MOODLE, CANVAS, PLAIN, GIT = "moodle", "canvas", "plain", "git"
_MOODLE = re.compile(
    r"(?P<who>.+?)_(?P<id>\d+)_assignsubmission_file(?:_?/(?P<inner>.+)|_(?P<flat>[^/]+))"
)
_CANVAS = re.compile(r"(?P<who>[^_/]+)_(?:(?P<late>LATE)_)?(?P<id>\d+)_(?P<file>\d+)_(?P<inner>.+)")
_AGAIN = re.compile(r"-\d+(?=\.[^.]+$)")
"""What Canvas puts behind the name of a file that is handed in again."""
_NEVER = datetime.min.replace(tzinfo=UTC)
_UNIX_TIME = 0x5455
"""Extra field of a zip file's entry: seconds since 1970 (Info-ZIP)."""


@dataclass
class Sent:
    """The files of one person in an archive.

    Args:
        who: the person, as the LMS writes her.
        lms_id: number of the person, or "".
        files: name in the archive by name in the submission.
        late: whether the LMS marks it as late.
        at: the time of the newest entry.
        order: number of the newest file, by name in the submission.
    """

    who: str
    lms_id: str = ""
    files: dict[str, str] = field(default_factory=dict)
    late: bool = False
    at: datetime = _NEVER
    order: dict[str, int] = field(default_factory=dict)

    def add(self, inner: str, name: str, at: datetime, order: int) -> None:
        """Add a file; of two with one name the newest stays."""
        if inner not in self.files or (order, at) >= (self.order[inner], self.at):
            self.files[inner], self.order[inner] = name, order
        self.at = max(self.at, at)


def read_names(
    members: Iterable[tuple[str, datetime]], kind: str, lab: str
) -> tuple[list[Sent], list[str]]:
    """The persons in an archive, and the names that say nothing of a person.

    Args:
        members: name and time of each file.
        kind: `MOODLE`, `CANVAS` or `PLAIN`.
        lab: id of the lab.
    """
    found: dict[str, Sent] = {}
    unknown = []
    read = {MOODLE: _moodle, CANVAS: _canvas}.get(kind, _plain)
    for name, at in members:
        parsed = read(name, lab)
        if parsed is None:
            unknown.append(name)
            continue
        who, number, inner, late, order = parsed
        sent = found.setdefault(f"{who}\0{number}", Sent(who, number))
        sent.add(inner, name, at, order)
        sent.late |= late
    return list(found.values()), unknown


_Parsed = tuple[str, str, str, bool, int]
"""Person, number of the person, name in the submission, late, number of the file."""


def _moodle(name: str, _: str) -> _Parsed | None:
    found = _MOODLE.fullmatch(name)
    if found is None:
        return None
    return found["who"], found["id"], found["inner"] or found["flat"], False, 0


def _canvas(name: str, lab: str) -> _Parsed | None:
    found = _CANVAS.fullmatch(name)
    if found is None:
        return None
    inner = found["inner"]
    if _AGAIN.sub("", inner) == f"{lab}.ipynb":
        inner = f"{lab}.ipynb"
    return found["who"], found["id"], inner, bool(found["late"]), int(found["file"])


def _plain(name: str, lab: str) -> _Parsed | None:
    path = PurePosixPath(name)
    if len(path.parts) > 1:
        return path.parts[0], "", str(path.relative_to(path.parts[0])), False, 0
    who = path.stem.removesuffix(f"_{lab}").removeprefix(f"{lab}_")
    inner = f"{lab}.ipynb" if path.suffix == ".ipynb" else name
    return who, "", inner, False, 0


def time_of(info: zipfile.ZipInfo, zone: tzinfo | None) -> datetime:
    """The time of an entry, UTC.

    Args:
        info: the entry.
        zone: the zone of times without one; None for that of this machine.
    """
    extra = info.extra
    while len(extra) >= 4:  # noqa: PLR2004  (kind and size of a field)
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == _UNIX_TIME and size >= 5 and extra[4] & 1:  # noqa: PLR2004  (flags, a time)
            return datetime.fromtimestamp(struct.unpack("<i", extra[5:9])[0], UTC)
        extra = extra[4 + size :]
    try:
        local = datetime(*info.date_time)  # noqa: DTZ001  (a zip file has no zone)
    except ValueError:
        local = datetime(1980, 1, 1)  # noqa: DTZ001
    return (local.replace(tzinfo=zone) if zone else local.astimezone()).astimezone(UTC)


def list_members(path: Path, folder: Path, zone: tzinfo | None) -> list[tuple[str, datetime]]:
    """Name and time of each file that came out of a zip file into `folder`.

    Args:
        path: the zip file.
        folder: the folder, which alone says which files there are.
        zone: the zone of its times; None for that of this machine.
    """
    with zipfile.ZipFile(path) as archive:
        times = {str(_name(info)): time_of(info, zone) for info in archive.infolist()}
    files = (str(p.relative_to(folder)) for p in sorted(folder.rglob("*")) if p.is_file())
    return [(name, times[name]) for name in files if name in times]


def _name(info: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(info.filename.replace("\\", "/"))
