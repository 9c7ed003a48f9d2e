"""The environment of a process: its variables, and temporary folders that no kill leaves for good.

A temporary folder is in use as long as a process holds the lock of the file `.lock` in it, or a
fork of that process does. The next program removes those of which nobody does. One without that
file is nobody's that we know, and stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

_JOB_PREFIXES = (
    "SLURM_", "PMI", "PL_", "TORCHELASTIC_", "OMPI_", "LSB_", "JSM_", "GLOO_", "LITCOURSE_DATA",
)  # fmt: skip
_RANK_VARIABLES = {
    "RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE",
    "GROUP_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
}  # fmt: skip

LOCK = ".lock"
"""Name of the file that the processes of a folder hold a lock of."""
_PREFIX = "litcourse-"
_swept: set[Path] = set()
"""Where this process, or the one that it is a fork of, has swept."""


@contextlib.contextmanager
def only_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Make `variables` the whole environment while the context lasts; restore it afterwards."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def drop_job_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without the variables of a job, an allocation or a rank."""
    return {
        key: value
        for key, value in environment.items()
        if key not in _RANK_VARIABLES and not key.startswith(_JOB_PREFIXES)
    }


# --- temporary folders ---------------------------------------------------------------------------


@contextlib.contextmanager
def swept_folder(name: str) -> Iterator[Path]:
    """An empty, private temporary folder; removed at the end.

    Args:
        name: what it is for, a part of the name of the folder around it.
    """
    place = Path(tempfile.gettempdir())
    if place not in _swept:
        _swept.add(place)
        sweep(place, _PREFIX)
    around = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{name}-")
    handle = hold(Path(around.name))
    try:
        with around:
            folder = Path(around.name, name)
            folder.mkdir()
            yield folder
    finally:
        with contextlib.suppress(OSError):  # a student's code may have closed it
            os.close(handle)


def hold(folder: Path) -> int:
    """Lock `folder`, a new one, for as long as this process or a fork of it lives."""
    made = folder / f"{LOCK}-"
    handle = os.open(made, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(OSError):  # a disk without locks, as some of clusters: nobody sweeps
        fcntl.flock(handle, fcntl.LOCK_EX)
        made.rename(folder / LOCK)  # now: so that nobody finds it without the lock
    return handle


def sweep(place: Path, prefix: str) -> None:
    """Remove from `place` what killed programs left there: folders of this user, by their prefix.

    Everybody may write in `place`. So no link is followed, and nothing that lies there stops it.
    """
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(prefix):
                with contextlib.suppress(OSError, RecursionError):
                    _remove_abandoned(Path(entry.path))


def _remove_abandoned(folder: Path) -> None:
    """Remove `folder` if it is this user's, has a lock, and nobody holds that.

    Raises:
        OSError: it is not, has none, or somebody does.
    """
    found = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(found).st_uid != os.geteuid():
            return
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        handle = os.open(LOCK, flags, dir_fd=found)
    finally:
        os.close(found)
    try:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)
