"""Gives the ranks of a job a loopback of their own, where Linux allows that.

Ranks meet at a port, and torch authenticates nobody there: another user of the machine, or of the
network, could connect, spoil the job, and with effort send a rank a pickle that it loads.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import os
import socket
import struct
import sys
from pathlib import Path

_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_CAPABILITY_VERSION_3 = 0x20080522


@functools.cache
def is_possible() -> bool:
    """Whether a fork of this process can leave the machine's network; a fork tries it once."""
    if sys.platform != "linux" or _most_user_namespaces() == "0":  # as in the grader's sandbox
        return False
    pid = os.fork()
    if not pid:
        code = 1
        try:
            leave_network()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def _most_user_namespaces() -> str:
    try:
        return Path("/proc/sys/user/max_user_namespaces").read_text(encoding="ascii").strip()
    except OSError:
        return ""


@functools.cache
def leave_if_possible() -> None:
    """Do so, once in a process; what has more than one thread may have to stay."""
    if is_possible():
        with contextlib.suppress(OSError):
            leave_network()


def leave_network() -> None:
    """Leave the machine's network for one with a loopback alone; for a process of one thread.

    Raises:
        OSError: Linux does not allow one of the steps, and the process may have no network now.
    """
    try:
        _unshare(_NEWNET)  # root
    except OSError:
        _leave_as_user()
    else:
        _start_loopback()


def _leave_as_user() -> None:
    user, group = os.geteuid(), os.getegid()
    _unshare(_NEWUSER | _NEWNET)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    _start_loopback()
    # The capabilities that came with the namespace would open files that are closed to the user.
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _check(ctypes.CDLL(None, use_errno=True).capset(header, struct.pack("6I", *[0] * 6)))


def _start_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _unshare(flags: int) -> None:
    _check(ctypes.CDLL(None, use_errno=True).unshare(ctypes.c_int(flags)))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
