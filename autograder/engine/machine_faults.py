"""Tells faults of the machine from those of a submission.

One rule for every way to grade:

- A kernel that does not start, or is killed from outside (the machine's memory, a lost warm
  process), a time limit while the machine was busy with others, and kernels of one user that took
  what Linux counts for a user from each other (`user_quotas`): a `MachineError`. The
  submission runs once more, alone and for up to three times as long. If that fails too, it gets no
  score.
- A full disk, on which inputs or evidence find no room: an `OSError` of `NO_ROOM`. The run stops.
- A kernel that ends by its own act, or by a limit that is its own: scored, with its finding.
"""

from __future__ import annotations

import errno
import os
import re
import signal
from pathlib import Path

from autograder.engine.client import LOST

STRETCH = 3
"""A submission that runs alone may take so many times its limits in wall-clock time."""
_FAIR_SHARE = 0.5
"""A limit counts if the code had so much of it for itself."""
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT}
"""Signals that others send. In the sandbox the kernel is the first process of its pid namespace, so
that none of them reaches it from inside."""


NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""Numbers of errors that say that a disk is full or can't be written."""
_ROOM = 2**20
"""Bytes that a disk must still take; nearly all evidence is smaller."""


class MachineError(RuntimeError):
    """The machine, not the submission, ended a run; the message says how."""


def was_killed_from_outside(status: int) -> bool:
    """Whether a kernel of this wait status, which exceeded no limit, was killed by others."""
    return status == LOST or (
        os.WIFSIGNALED(status) and signal.Signals(os.WTERMSIG(status)) in _FROM_OUTSIDE
    )


def is_starved(own_seconds: float, seconds: float, limit: float) -> bool:
    """Whether a run at its limit waited for the processor instead of using its time.

    Args:
        own_seconds: seconds that it had for itself (`litcourse.ranks.own_time`).
        seconds: seconds that it took.
        limit: its limit; on a busy machine it may take more.
    """
    return own_seconds < _FAIR_SHARE * min(seconds, limit)


def require_room(folder: Path) -> None:
    """Check that the disk of `folder` can still be written.

    A trial, since a quota shows in no number of free bytes.

    Raises:
        OSError: it can't.
    """
    trial = folder / "trial"
    try:
        trial.write_bytes(bytes(_ROOM))
    finally:
        trial.unlink(missing_ok=True)


def count_memory_kills() -> int:
    """How many processes of this control group Linux has killed because memory was short.

    Of the whole machine where the group tells no number; 0 if nothing does.
    """
    for path, pattern in _memory_counters():
        try:
            found = re.search(pattern, path.read_text(encoding="ascii"), re.MULTILINE)
        except OSError:
            continue
        if found:
            return int(found[1])
    return 0


def _memory_counters() -> list[tuple[Path, str]]:
    """Files with a counter, and its pattern: cgroup v2, cgroup v1, the whole machine."""
    top, found = Path("/sys/fs/cgroup"), []
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        groups = []
    for line in groups:
        _, controllers, group = line.split(":", 2)
        inside = group.lstrip("/")
        if not controllers:
            found.append((top / inside / "memory.events", r"^oom_kill (\d+)"))
        elif "memory" in controllers.split(","):
            found.append((top / "memory" / inside / "memory.oom_control", r"^oom_kill (\d+)"))
    return [*found, (Path("/proc/vmstat"), r"^oom_kill (\d+)")]
