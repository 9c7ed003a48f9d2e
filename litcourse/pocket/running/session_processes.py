"""The processes of a job: whether all of them sleep, what they have used, and their end.

Linux tells it in /proc. A process is the job's if it is of the session of the batch shell, or a
descendant of one that is, or has the stand-ins' folder in its environment. What was there before
the job began is not even looked at, so a look costs little on a crowded machine.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from litcourse.ranks.processes import CAN_SEE, TICKS

_STATE, _PARENT, _SESSION, _TIMES, _THREADS = 0, 1, 3, 11, 17
_PAUSE = 0.002


@dataclass(frozen=True)
class Seen:
    """A process at one moment."""

    parent: int
    asleep: bool
    runs: str
    """Changes whenever the process has run in between."""
    seconds: float
    """Of the processor, its ended children included."""


class SessionProcesses:
    """The processes of one run of a batch script.

    Args:
        mark: text that their environments hold.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self._others = _listed()
        self._known: set[int] = set()
        self._awake = 0
        self.leader = 0

    def look(self) -> dict[int, Seen]:
        """All processes of the job that there are now; those that ended are left out."""
        if not CAN_SEE:
            return self._by_ps()
        listed = _listed()
        self._others &= listed
        found: dict[int, Seen] = {}
        for pid in sorted(listed - self._others):
            fields = _fields(pid)
            if fields is None:
                continue
            if not self._is_ours(pid, fields):
                self._others.add(pid)
            elif fields[_STATE] not in {"Z", "X"}:
                found[pid] = _seen(pid, fields)
        self._awake = next((pid for pid, seen in found.items() if not seen.asleep), 0)
        return found

    def still_busy(self) -> bool:
        """Whether a process that was awake at the last look is so still: a cheap question."""
        fields = _fields(self._awake) if self._awake and CAN_SEE else None
        return fields is not None and fields[_STATE] in {"R", "D"}

    def _is_ours(self, pid: int, fields: list[str]) -> bool:
        session, parent = int(fields[_SESSION]), int(fields[_PARENT])
        ours = (
            pid in self._known
            or (self.leader and session == self.leader)
            or session in self._known
            or (parent in self._known and parent != os.getpid())
        )
        if not ours:
            with contextlib.suppress(OSError):
                ours = self._mark in Path(f"/proc/{pid}/environ").read_bytes()
        if ours:
            self._known.add(pid)
        return bool(ours)

    def _by_ps(self) -> dict[int, Seen]:
        """The same by `ps`, of the batch shell's process group alone."""
        command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,stat=,time="]
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        found = {}
        for line in text.splitlines():
            pid, parent, group, state, spent = line.split(None, 4)
            if int(group) == self.leader and state[0] != "Z":
                minutes, _, seconds = spent.strip().rpartition(":")
                used = 60 * float(minutes.rpartition(":")[2] or 0) + float(seconds)
                found[int(pid)] = Seen(int(parent), state[0] in "SI", spent, used)
        return found

    def end(self) -> None:
        """Kill all of them, and see that none is left."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if self.leader:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.leader, signal.SIGKILL)
            left = self.look()
            if not left:
                return
            for pid in left:
                send(pid, signal.SIGKILL)
            time.sleep(_PAUSE)


def _listed() -> set[int]:
    if not CAN_SEE:
        return set()
    return set(map(int, filter(str.isdigit, os.listdir("/proc"))))  # noqa: PTH208


def _fields(pid: int) -> list[str] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  (asked very often)
            text = file.read()
    except OSError:
        return None
    return text.rpartition(b")")[2].decode("ascii").split()


def _seen(pid: int, fields: list[str]) -> Seen:
    used = sum(map(int, fields[_TIMES : _TIMES + 4])) / TICKS
    states, runs = [fields[_STATE]], []
    threads = [str(pid)]
    with contextlib.suppress(OSError):
        if int(fields[_THREADS]) > 1:
            threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
            states += [(_fields_of_thread(pid, thread) or ["S"])[0] for thread in threads]
        runs = [_runs(f"/proc/{pid}/task/{thread}") for thread in threads]
    return Seen(int(fields[_PARENT]), all(s in "SIZ" for s in states), " ".join(runs), used)


def _fields_of_thread(pid: int, thread: str) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/task/{thread}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _runs(task: str) -> str:
    """How often a thread has been on a processor, as the kernel counts it."""
    try:
        return Path(f"{task}/schedstat").read_text(encoding="ascii")
    except OSError:
        lines = Path(f"{task}/status").read_text(encoding="utf-8").splitlines()
        return " ".join(line for line in lines if "ctxt_switches" in line)


def quiet(before: dict[int, Seen], after: dict[int, Seen]) -> bool:
    """Whether at some moment between two looks all processes slept at once.

    Each slept in both looks and did not run in between, so between the end of the first and the
    beginning of the second none of them ran.
    """
    return before == after and all(seen.asleep for seen in after.values())


def descendants(processes: dict[int, Seen], roots: set[int]) -> set[int]:
    """`roots` and what they started, directly or not."""
    found = {pid for pid in roots if pid in processes}
    while True:
        more = {p for p, seen in processes.items() if seen.parent in found} - found
        if not more:
            return found
        found |= more


def send(pid: int, number: int) -> None:
    """Send a signal to a process, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
