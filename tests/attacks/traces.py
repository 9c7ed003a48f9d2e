"""What a submission may have left behind: processes, folders, changed files of the course."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from autograder.engine import client
from autograder.engine.sandbox import FIRST_USER, NOBODY
from tests.attacks.arena import Arena

DAEMON = "86397"
"""An argument by which the daemon of `daemon_left` is recognised wherever it went."""
_GONE = 20.0
"""Seconds in which what was killed must have ended."""


@dataclass(frozen=True)
class Traces:
    """The state of what a submission could have changed.

    Args:
        processes: descendants of the warm process, and daemons, by pid and command.
        entries: of temporary folders, the grader's own and the machine's.
        files: digests of what in the course is none of a submission's business.
    """

    processes: frozenset[str]
    entries: frozenset[str]
    files: Mapping[str, str]

    @classmethod
    def of(cls, arena: Arena) -> Traces:
        """Now, once what was killed has ended."""
        psutil.wait_procs(_processes(), timeout=_GONE)
        files = sorted(_protected(arena))
        digests = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        return cls(frozenset(map(str, _processes())), frozenset(_entries()), digests)


def _processes() -> list[psutil.Process]:
    server = client.engine().pid
    below = psutil.Process(server).children(recursive=True)
    # Judge servers stay, in the warm process's session; whatever runs a submission has its own.
    found: list[psutil.Process] = [each for each in below if _session(each.pid) != _session(server)]
    for process in psutil.process_iter(["cmdline", "uids", "ppid"]):
        orphan = process.info["ppid"] == 1 and any(map(_outside, process.info["uids"] or ()))
        if orphan or DAEMON in (process.info["cmdline"] or ()):
            found.append(process)
    return found


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:  # it has just ended
        return 0


def _entries() -> Iterator[str]:
    """All of the grader's temporary folders, and what a sandbox's user owns elsewhere."""
    for own in (Path(tempfile.gettempdir()), client.engine().folder):
        yield from map(str, own.iterdir())
    for place in map(Path, ("/tmp", "/var/tmp", "/dev/shm")):  # noqa: S108 (looked at)
        for path in place.iterdir():
            if _outside(_owner(path)):
                yield str(path)


def _outside(user: int) -> bool:
    """Whether a sandbox is this user outside, where the grader runs as root."""
    return user == NOBODY or user >= FIRST_USER


def _owner(path: Path) -> int:
    try:
        return path.lstat().st_uid
    except FileNotFoundError:  # somebody else's, and gone meanwhile
        return os.getuid()


def _protected(arena: Arena) -> Iterator[Path]:
    names = ("secret", "source", "bank", "other", "record", "marker")
    places = [Path(arena.targets[name]) for name in names]
    return (path for path in places if path.is_file())
