"""Keeps a course from other users of the machine, and lets a group of instructors share it.

What a run makes is its own account's alone. Older files, and those that nbgrader made, are closed
when a run begins: who could read `evidence/` could also hold its lock, and stop every run.

By nbgrader's setting `CourseDirectory.groupshared`, what a run made is opened to a group when the
run ends. The group is that of the course's folder, in which it must be allowed to write: who may,
could replace the secret and the gradebook, so nothing is given away.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from autograder.secret import SECRET_FILE, is_shared

_READ_WRITE = stat.S_IRGRP | stat.S_IWGRP
_OTHERS, _ALL_BUT_ME = 0o007, 0o077


@contextlib.contextmanager
def private_files(*, shared: bool) -> Iterator[None]:
    """In this context, new files and folders are this account's alone, or also a group's."""
    before = os.umask(_OTHERS if shared else _ALL_BUT_ME)
    try:
        yield
    finally:
        os.umask(before)


def close(paths: Iterable[Path]) -> None:
    """Take from all other users what they may do with `paths`, as far as these are ours."""
    for path in paths:
        with contextlib.suppress(OSError):
            status = path.lstat()
            ours = status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode)
            if ours and status.st_mode & _ALL_BUT_ME:
                path.chmod(stat.S_IMODE(status.st_mode) & ~_ALL_BUT_ME)


def is_open(folder: Path) -> bool:
    """Whether other users of the machine can read `folder`: it, and all above it, lets them in."""
    if not folder.is_dir():
        return False
    above = [folder, *folder.absolute().parents]
    enter = stat.S_IXOTH
    return bool(folder.stat().st_mode & stat.S_IROTH) and all(
        p.stat().st_mode & enter for p in above
    )


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
