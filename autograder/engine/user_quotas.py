"""Tries what Linux counts for a user of the machine, to tell whether another process took it all.

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
