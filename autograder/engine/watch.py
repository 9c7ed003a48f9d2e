"""Measures time, memory and open files of a kernel and its descendants, through /proc.

What is cheap is looked at first. A fork shares the memory of the warm process until it writes to
it, and two forks may share what one of them wrote; only the walk through all its pages that
`smaps_rollup` takes tells how much of that is its own. It is taken where the answer decides.
"""

from __future__ import annotations

import math
import os
import sys
import time
from bisect import bisect_right
from dataclasses import dataclass, field

from autograder.engine.limits import MEBI, Limits
from litcourse.ranks.own_time import OwnTime
from litcourse.ranks.processes import TICKS, UTIME, process_tree, read, stat, tasks

_START, _STACK = 19, 25
"""Fields of /proc/PID/stat, counted behind the name: the start time and the start of the stack.
stime, cutime and cstime follow utime."""
_SHARE = 20
"""The exact measurement of memory may take one part in so many of the time, ..."""
_UNSEEN = 1.0
"""... but seconds without one may be no more: meanwhile memory can grow that nobody sees."""
_LONGEST = 1.0
"""Processor seconds that one exact measurement may take; what takes more is too much. Honest code
takes a tenth. A hundred forks with thousands of maps take many, in which nobody else is measured
and no kernel starts."""
_SAMPLE = 0.5
"""Seconds between two samples of the time that a kernel has for itself."""


@dataclass(frozen=True)
class Usage:
    """Processor seconds so far, bytes of memory beyond what the warm process shares, open files."""

    cpu_seconds: float = 0.0
    memory: int = 0
    files: int = 0


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
    _next_walk: float = 0.0

    def usage(self, allowed: float = math.inf) -> Usage:
        """Processor time, memory and open files of the kernel and its descendants.

        Args:
            allowed: bytes of memory; more counts only if the pages of all processes, each counted
                once and the warm process's left out once, are more than that.
        """
        pids = process_tree(self.pid)
        if time.monotonic() - self._samples[-1][0] > _SAMPLE:
            self._sample(pids)
        memory = self._memory_used(pids, allowed)
        return Usage(self._cpu_seconds(pids), memory, sum(map(_open_files, pids)))

    def _memory_used(self, pids: list[int], allowed: float) -> int:
        """Bytes of memory beyond what the warm process shares."""
        found = {pid: _memory(pid) for pid in pids}
        memory = sum(max(0, of - self._inherited_memory(pid)) for pid, of in found.items())
        now = time.monotonic()
        if memory > allowed or sum(found.values()) - self.baseline <= allowed:
            return memory
        if now < self._next_walk:  # see `_SHARE`
            return memory
        exact = self._exact_memory(pids)
        took = time.monotonic() - now
        self._next_walk = now + took + min(_UNSEEN, _SHARE * took)
        return max(memory, exact)

    def _exact_memory(self, pids: list[int]) -> int:
        """As `_memory_used`, by a look at each page; what takes too long to look at is too much."""
        began, total = time.thread_time(), -self.baseline
        for pid in pids:
            total += _own_pages(pid)
            if time.thread_time() - began > _LONGEST:
                return sys.maxsize
        return total

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
    """The limit that `usage` exceeds, "cpu", "files" or "memory", or ""."""
    if usage.cpu_seconds > limits.cpu_seconds:
        return "cpu"
    if usage.files > limits.all_files:
        return "files"
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


def _own_pages(pid: int) -> int:
    """Bytes of memory that no file backs: of each page the share of this process."""
    for folder in (f"/proc/{pid}", *(f"/proc/{pid}/task/{task}" for task in tasks(pid))):
        lines = [line.split() for line in read(f"{folder}/smaps_rollup").splitlines()]
        found = [int(line[1]) * 1024 for line in lines if line[0] in {"Pss_Anon:", "Pss_Shmem:"}]
        if found:
            return sum(found)
    return 0


def _open_files(pid: int) -> int:
    folder = f"/proc/{pid}/fd"
    try:
        # Since Linux 6.2 the size of the folder is the number; before that it is 0.
        return os.stat(folder).st_size or len(os.listdir(folder))  # noqa: PTH116, PTH208 (often)
    except OSError:  # it has ended
        return 0


def _stack_start(pid: int) -> str:
    """Where the stack begins: forks share that address, and a new program draws another one."""
    fields = stat(pid)
    return fields[_STACK] if len(fields) > _STACK else ""
