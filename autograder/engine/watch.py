"""Measures time and memory of a kernel and its descendants, through /proc."""

from __future__ import annotations

import math
import os
import time
from bisect import bisect_right
from dataclasses import dataclass, field

from autograder.engine.limits import MEBI, Limits
from litcourse.ranks.own_time import OwnTime
from litcourse.ranks.processes import TICKS, UTIME, process_tree, read, stat, tasks

_START, _STACK = 19, 25
"""Fields of /proc/PID/stat, counted behind the name: the start time and the start of the stack.
stime, cutime and cstime follow utime."""
_SAMPLE = 0.5
"""Seconds between two samples of the time that a kernel has for itself."""


@dataclass(frozen=True)
class Usage:
    """Processor seconds so far, and bytes of memory beyond what the warm process shares."""

    cpu_seconds: float = 0.0
    memory: int = 0


@dataclass
class Watch:
    """Measures one kernel.

    Args:
        pid: process id of the kernel.
        baseline: bytes that a fork shares with the warm process, `own_memory` of that. Memory that
            forks of the kernel share with it counts for each of them.
    """

    pid: int
    baseline: int
    _seconds_by_process: dict[tuple[int, str], float] = field(default_factory=dict)
    _fork_stack: str = field(default_factory=lambda: _stack_start(os.getpid()))
    _clock: OwnTime = field(default_factory=OwnTime)
    _samples: list[tuple[float, float]] = field(default_factory=lambda: [(time.monotonic(), 0.0)])

    def usage(self) -> Usage:
        """Processor time and memory of the kernel and its descendants."""
        pids = process_tree(self.pid)
        if time.monotonic() - self._samples[-1][0] > _SAMPLE:
            self._sample(pids)
        memory = sum(max(0, _memory(pid) - self._inherited_memory(pid)) for pid in pids)
        return Usage(self._cpu_seconds(pids), memory)

    def _sample(self, pids: list[int]) -> None:
        self._clock.count(pids)
        self._samples.append((time.monotonic(), self._clock.seconds))

    def own_seconds(self, since: float) -> float:
        """Seconds that the kernel had for itself, see `OwnTime`.

        Args:
            since: a moment of `time.monotonic`, which all processes of a machine share.
        """
        self._sample(process_tree(self.pid))
        position = bisect_right(self._samples, (since, math.inf))
        if position in {0, len(self._samples)}:
            before = self._samples[min(position, len(self._samples) - 1)][1]
        else:
            (start, low), (end, high) = self._samples[position - 1 : position + 1]
            before = low + (high - low) * (since - start) / max(end - start, 1e-9)
        return self._clock.seconds - before

    def _inherited_memory(self, pid: int) -> int:
        """Bytes that the process shares with the warm process: only forks do, programs do not."""
        return self.baseline if _stack_start(pid) == self._fork_stack else 0

    def _cpu_seconds(self, pids: list[int]) -> float:
        """CPU seconds of all processes ever seen.

        A parent that ignores SIGCHLD does not get those of its children.
        """
        total = 0.0
        for pid in pids:
            fields = stat(pid)
            if len(fields) <= _START:  # it has ended
                continue
            own, of_children = fields[UTIME : UTIME + 2], fields[UTIME + 2 : UTIME + 4]
            self._seconds_by_process[pid, fields[_START]] = sum(map(int, own)) / TICKS
            total += sum(map(int, own + of_children)) / TICKS
        return max(total, sum(self._seconds_by_process.values()))


def exceeded_limit(usage: Usage, limits: Limits) -> str:
    """The limit that `usage` exceeds, "cpu" or "memory", or ""."""
    if usage.cpu_seconds > limits.cpu_seconds:
        return "cpu"
    return "memory" if usage.memory > limits.memory_mib * MEBI else ""


def own_memory() -> int:
    """Bytes of memory of this process that no file backs, page tables included."""
    return _memory(os.getpid())


def _memory(pid: int) -> int:
    """Bytes of memory that no file backs, with the page tables."""
    names = ("RssAnon:", "RssShmem:", "VmPTE:")
    # If the first thread has ended, another one still shows the numbers.
    for folder in (f"/proc/{pid}", *(f"/proc/{pid}/task/{task}" for task in tasks(pid))):
        lines = [line.split() for line in read(f"{folder}/status").splitlines()]
        found = [int(line[1]) * 1024 for line in lines if line and line[0] in names]
        if found:
            return sum(found)
    return 0


def _stack_start(pid: int) -> str:
    """Where the stack begins: forks share that address, and a new program draws another one."""
    fields = stat(pid)
    return fields[_STACK] if len(fields) > _STACK else ""
