"""Lets a group of instructors share a course, by nbgrader's setting `CourseDirectory.groupshared`.

What a run makes is its own account's alone; this opens it to the group when the run ends. The group
is that of the course's folder, in which it must be allowed to write: who may, could replace the
secret and the gradebook, so nothing is given away.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from autograder.secret import SECRET_FILE, is_shared

_READ_WRITE = stat.S_IRGRP | stat.S_IWGRP


def share(root: Path, folders: Iterable[Path]) -> None:
    """Let the group read and write what is in `folders`, and read the secret.

    Args:
        root: the course folder, in which the group has to be allowed to write.
        folders: folders and files of the course, there or not.
    """
    if not is_shared(root):
        return
    group, me = root.stat().st_gid, os.geteuid()
    for folder in folders:
        _open(folder, group, me)
        for place, names, files in os.walk(folder):
            for name in names + files:
                _open(Path(place, name), group, me)
    secret = root / SECRET_FILE
    with contextlib.suppress(OSError):
        if secret.stat().st_uid == me:
            os.chown(secret, -1, group)
            secret.chmod(0o640)


def _open(path: Path, group: int, me: int) -> None:
    """Open one file or folder of ours to the group; a run may take it away meanwhile."""
    with contextlib.suppress(OSError):
        status = path.lstat()
        if status.st_uid != me or stat.S_ISLNK(status.st_mode):
            return
        more = _READ_WRITE | (stat.S_IXGRP if stat.S_ISDIR(status.st_mode) else 0)
        if status.st_gid != group:
            os.chown(path, -1, group)
        if status.st_mode & more != more:
            path.chmod(stat.S_IMODE(status.st_mode) | more)
