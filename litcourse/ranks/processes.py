"""Reads from /proc what processes do, and ends processes."""

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
"""Whether the system has /proc, as Linux does."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAUSE = 0.002
UTIME = 11
"""Index of utime among the fields of /proc/PID/stat after the name; stime follows (proc(5))."""


def die_with_parent() -> None:
    """On Linux: have the kernel kill this process when its parent ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """On Linux: become the parent of orphaned descendants."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def process_tree(pid: int) -> list[int]:
    """`pid` and its descendants, by /proc/PID/task/TID/children."""
    found = [pid]
    for parent in found:
        for task in tasks(parent):
            found += map(int, read(f"/proc/{parent}/task/{task}/children").split())
    return found


def activity(pid: int) -> tuple[int, bool]:
    """Processor time of a process in clock ticks, and whether a thread of it runs or could run."""
    ticks, runs = 0, False
    for task in tasks(pid):
        fields = stat(f"{pid}/task/{task}")
        if fields:
            ticks += int(fields[UTIME]) + int(fields[UTIME + 1])
            runs = runs or fields[0] in "RDT"
    return ticks, runs


def tasks(pid: int) -> list[str]:
    """Ids of the threads of `pid`; [] if it has ended."""
    try:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 (names alone)
    except OSError:
        return []


def stat(which: str | int) -> list[str]:
    """Fields of /proc/WHICH/stat after the name, which may hold spaces; [] if it has ended."""
    return read(f"/proc/{which}/stat").rpartition(")")[2].split()


def read(path: str) -> str:
    """Text of a file of /proc; "" if the process has ended."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def kill_all(groups: list[int]) -> None:
    """Kill these process groups, and all descendants and adopted orphans of this process."""
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
    """End the child `pid`: send SIGTERM, after `patience` seconds SIGKILL, and wait for it."""
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
    """How a process ended, from its wait status: "signal 9" or "exit code 1"."""
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
