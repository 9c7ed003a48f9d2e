"""Counts the time that processes had for themselves, however busy the machine is.

A limit on wall-clock time is unfair on a busy machine, where a process waits for the processor; one
on processor time never ends a process that sleeps. This clock stands only while processes wait for
the processor: Linux counts that per thread, in /proc/PID/task/TID/schedstat.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from litcourse.ranks.processes import CAN_SEE, TICKS, activity, read, tasks

_NANO = 1e-9


@dataclass
class OwnTime:
    """A clock of some processes; it begins when it is made.

    Attributes:
        seconds: time in which they had the processor, slept, or waited for a disk or a peer. Where
            their threads wait for each other because they are more than the processors, the time
            counts too: at least as much as they used of one processor.
    """

    seconds: float = 0.0
    _looked: float = field(default_factory=time.monotonic)
    _seen: dict[tuple[int, str], tuple[float, float]] = field(default_factory=dict)

    def count(self, pids: Iterable[int]) -> None:
        """Advance by the time since the last call; `pids` are the processes of now.

        What a process does between its last sample and its end is not seen, so call it often.
        """
        now = time.monotonic()
        passed, self._looked = now - self._looked, now
        before, self._seen = self._seen, {}
        worked = waited = 0.0
        for pid in pids:
            for thread, (used, queued) in _thread_times(pid).items():
                key = (pid, thread)
                self._seen[key] = (used, queued)
                used_before, queued_before = before.get(key, (0.0, 0.0))
                worked += max(0.0, used - used_before)
                waited += max(0.0, queued - queued_before)
        if not CAN_SEE:
            self.seconds += passed
            return
        self.seconds += min(passed, max(passed - waited, worked))


def _thread_times(pid: int) -> dict[str, tuple[float, float]]:
    """For each thread, seconds on a processor and seconds in which it waited for one."""
    found = {}
    for thread in tasks(pid):
        fields = read(f"/proc/{pid}/task/{thread}/schedstat").split()
        if len(fields) > 1:
            found[thread] = (int(fields[0]) * _NANO, int(fields[1]) * _NANO)
    return found or _guess_times(pid)


def _guess_times(pid: int) -> dict[str, tuple[float, float]]:
    """The same where Linux does not count it: a process that could run is taken to wait."""
    ticks, runs = activity(pid)
    return {"": (ticks / TICKS, time.monotonic() if runs else 0.0)}
