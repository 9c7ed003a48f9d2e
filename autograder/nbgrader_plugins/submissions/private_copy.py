"""Copies a hand-in out of the exchange, where its student can change it at any moment.

Between two looks a student can put a link in place of a folder, so that the files of whoever
collects are read; hand in something else after its time was looked at; or let a file grow while it
is read. So nothing in it is opened by its path: each folder is entered from the one around it, and
no link is followed. Owners and times are those of the very files that were copied, read afterwards.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.nbgrader_plugins.submissions.submission_files import DEEPEST, LONGEST_NAME

if TYPE_CHECKING:
    from nbgrader.coursedir import CourseDirectory

MOST_ENTRIES = 20_000
"""Files and folders of a hand-in: each costs whoever collects a moment, and room."""
LEFT_OUT = "left-out-when-it-was-collected"
"""Where a link leads that stands for a file which does not count; there is no such file."""
_KILO = 1000  # nbgrader's limits of sizes are in kilobytes
_CHUNK = 2**20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass
class Copied:
    """What was copied.

    Args:
        owners: user ids of its files and folders.
        changed: the last change of any of them, or of a link (ctime), in seconds.
    """

    owners: set[int] = field(default_factory=set)
    changed: float = 0.0

    def note(self, status: os.stat_result) -> None:
        """Note a file, a folder or a link."""
        self.changed = max(self.changed, status.st_ctime)
        if not stat.S_ISLNK(status.st_mode):
            self.owners.add(status.st_uid)


def copy_hand_in(course: CourseDirectory, source: Path, target: Path) -> Copied:
    """Copy the plain files of a hand-in; a link to `LEFT_OUT` stands for whatever else is there.

    Args:
        course: nbgrader's course, whose limits of sizes and ignored names hold.
        source: the hand-in, a folder that somebody else may write.
        target: an empty folder of ours.

    Raises:
        OSError: it is no folder, a file can't be read, there are too many, or ours has no room.
    """
    copying = _Copying(course)
    handle = os.open(source, _FOLDER)
    copying.copy_folder(handle, target, "", 0)
    return copying.copied


class _Copying:
    def __init__(self, course: CourseDirectory) -> None:
        self.copied, self._entries, self._ignored = Copied(), 0, list(course.ignore)
        self._room = course.max_dir_size * _KILO
        self._most = course.max_file_size * _KILO

    def copy_folder(self, handle: int, target: Path, relative: str, depth: int) -> None:
        """Copy the open folder `handle`, and close it: first its files, so that these have room."""
        try:
            inner = []
            for name in self._names(handle):
                status = os.stat(name, dir_fd=handle, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    inner.append(name)
                elif not stat.S_ISREG(status.st_mode):
                    self._leave_out(target / name, status)
                else:
                    self._copy_file(name, handle, target / name)
            for name in inner:
                path = f"{relative}/{name}"
                if depth + 1 >= DEEPEST or len(os.fsencode(path)) > LONGEST_NAME:
                    self._leave_out(target / name)
                else:
                    self._enter(name, handle, target / name, path, depth + 1)
            self.copied.note(os.fstat(handle))
        finally:
            os.close(handle)

    def _names(self, handle: int) -> list[str]:
        found = []
        with os.scandir(handle) as entries:
            for entry in entries:
                self._entries += 1
                if self._entries > MOST_ENTRIES:
                    raise OSError(0, f"it holds more than {MOST_ENTRIES:,} files")
                if not any(fnmatch(entry.name, pattern) for pattern in self._ignored):
                    found.append(entry.name)
        return sorted(found)

    def _enter(self, name: str, handle: int, target: Path, relative: str, depth: int) -> None:
        try:
            inner = os.open(name, _FOLDER, dir_fd=handle)
        except OSError:  # it may not be listed, or is a link by now
            self._leave_out(target)
            return
        target.mkdir()
        self.copy_folder(inner, target, relative, depth)

    def _copy_file(self, name: str, handle: int, target: Path) -> None:
        with os.fdopen(os.open(name, _FILE, dir_fd=handle), "rb", buffering=0) as file:
            left = most = min(self._room, self._most)
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > most:
                self._leave_out(target, status)
                return
            with target.open("xb") as copy:
                while left >= 0 and (chunk := file.read(_CHUNK)):
                    left -= len(chunk)
                    copy.write(chunk)
            if left < 0:  # it has grown meanwhile
                target.unlink()
                self._leave_out(target)
            else:
                self._room -= most - left
            self.copied.note(os.fstat(file.fileno()))

    def _leave_out(self, target: Path, status: os.stat_result | None = None) -> None:
        target.symlink_to(LEFT_OUT)
        if status is not None:
            self.copied.note(status)
