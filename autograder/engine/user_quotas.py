"""Tells whether others took all of what Linux counts, for a user or for the whole machine.

Where an ordinary user grades, all kernels are this user's. One of them can then take what the
others need; who has failed for that must not pay for it. Where root grades, each kernel has a user
of its own (`sandbox.own_user`).
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import socket

from litcourse.ranks.processes import read

_CROWDED = 0.9
"""A machine with so much of the processes that it can have is about to refuse the next one."""


def is_crowded(running: str, most: int) -> bool:
    """Whether the machine has nearly all processes, threads included, that it can have.

    Another user may start them; then a submission's own are refused with the error that it gets
    for too many of its own.

    Args:
        running: text of /proc/loadavg.
        most: from `most_processes`.
    """
    count = running.split()[3].partition("/")[2] if running.count(" ") > 2 else ""  # noqa: PLR2004 (fields)
    return count.isdecimal() and int(count) > _CROWDED * most


def most_processes() -> int:
    """How many processes and threads the machine can have, as far as Linux tells."""
    found = [read(f"/proc/sys/kernel/{name}").strip() for name in ("pid_max", "threads-max")]
    return min((int(text) for text in found if text.isdecimal()), default=2**22)


def find_exhausted(open_files: int) -> str:
    """What this user has no more of, or "".

    Args:
        open_files: the limit of a kernel: Linux holds descriptors in flight against it.
    """
    trials = {
        "epoll watches": _watch,
        "descriptors in flight": lambda: _send_descriptor(open_files),
        "inotify instances": _start_inotify,
    }
    for name, trial in trials.items():
        try:
            trial()
        except OSError:
            return name
    return ""


def _watch() -> None:
    ends = os.pipe()
    try:
        with select.epoll() as poll:
            poll.register(ends[0], select.EPOLLIN)
    finally:
        for end in ends:
            os.close(end)


def _send_descriptor(open_files: int) -> None:
    """Send a descriptor, as a kernel may; a process of one thread, since the limit is lowered."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, open_files), hard))
        try:
            socket.send_fds(ours, [b"-"], [ours.fileno()])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _start_inotify() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(os.O_CLOEXEC)
    if handle < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    os.close(handle)
