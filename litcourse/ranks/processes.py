"""Processes of this machine: what they do, and their end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
CAN_SEE = Path("/proc/self/task").is_dir()
"""Whether the system tells what processes do."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAUSE = 0.002
UTIME = 11
"""Place of utime in /proc/PID/stat behind the name; stime follows."""


def die_with_parent() -> None:
    """Be killed when the process that forked this one ends, where Linux is below."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of whatever the children leave behind, where Linux is below."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def process_tree(pid: int) -> list[int]:
    """`pid` and its descendants; in a pid namespace of their own they can't leave it."""
    found = [pid]
    for parent in found:
        for task in tasks(parent):
            found += map(int, read(f"/proc/{parent}/task/{task}/children").split())
    return found


def activity(pid: int) -> tuple[int, bool]:
    """Ticks of processor time that a process has used, and whether a thread of it would run."""
    ticks, runs = 0, False
    for task in tasks(pid):
        fields = stat(f"{pid}/task/{task}")
        if fields:
            ticks += int(fields[UTIME]) + int(fields[UTIME + 1])
            runs = runs or fields[0] in "RDT"
    return ticks, runs


def tasks(pid: int) -> list[str]:
    """Ids of its threads; none if it has ended."""
    try:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 (names alone)
    except OSError:
        return []


def stat(which: str | int) -> list[str]:
    """What /proc/WHICH/stat tells behind the name, which may hold anything; [] if it has ended."""
    return read(f"/proc/{which}/stat").rpartition(")")[2].split()


def read(path: str) -> str:
    """Text of a file of /proc; "" if the process has ended."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def kill_all(groups: list[int]) -> None:
    """Kill these process groups, and every descendant and adopted orphan of this process."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    while True:
        for pid in process_tree(os.getpid())[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_PAUSE)


def terminate(pid: int, patience: float) -> None:
    """Have a child end: ask it, wait for `patience` seconds, then kill it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + patience
        while time.monotonic() < until:
            try:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    return
                os.kill(pid, number)
            except (ChildProcessError, ProcessLookupError):
                return
            time.sleep(_PAUSE)


def describe_exit(status: int) -> str:
    """How a process ended, by what waiting for it told."""
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
