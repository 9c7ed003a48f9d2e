"""What a kernel and all that it started take, as /proc tells it from outside."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.limits import MEBI, Limits

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME = 11
"""Place of utime in /proc/PID/stat behind the name; stime, cutime and cstime follow."""


@dataclass(frozen=True)
class Usage:
    """Processor seconds so far, and bytes of memory beyond what the warm process shares."""

    cpu_seconds: float = 0.0
    memory: int = 0


def tree(pid: int) -> list[int]:
    """`pid` and its descendants; in a pid namespace of their own they can't leave it."""
    found = [pid]
    for parent in found:
        for task in _tasks(parent):
            found += [int(child) for child in _read(f"/proc/{parent}/task/{task}/children").split()]
    return found


def usage(pid: int, baseline: int) -> Usage:
    """What `pid` and its descendants take.

    Args:
        pid: the kernel.
        baseline: bytes that each fork has from the warm process, `own_memory` of that.
    """
    pids = tree(pid)
    memory = sum(max(0, _memory(each) - baseline) for each in pids)
    return Usage(sum(map(_cpu_seconds, pids)), memory)


def exceeded(used: Usage, limits: Limits) -> str:
    """The limit that is exceeded, "cpu" or "memory", or ""."""
    if used.cpu_seconds > limits.cpu_seconds:
        return "cpu"
    return "memory" if used.memory > limits.memory_mib * MEBI else ""


def own_memory() -> int:
    """Bytes of memory of this process that no file backs."""
    return _memory(os.getpid())


def _tasks(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 (names alone)
    except OSError:  # it has ended
        return []


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _memory(pid: int) -> int:
    kinds = ("RssAnon:", "RssShmem:")
    lines = [line.split() for line in _read(f"/proc/{pid}/status").splitlines()]
    return sum(int(line[1]) * 1024 for line in lines if line and line[0] in kinds)


def _cpu_seconds(pid: int) -> float:
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[_UTIME : _UTIME + 4])) / _TICKS
