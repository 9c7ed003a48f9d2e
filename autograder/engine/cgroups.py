"""A control group for each kernel: it counts the processor time of every process that was in it.

/proc tells nothing of a process that begins and ends between two looks, if its parent ignores it. A
control group does. Its hierarchy can be of version 2 or of version 1
(https://docs.kernel.org/admin-guide/cgroup-v2.html, `cpu.stat`; `cpuacct.usage`), and has to be
writable: for root that is usual, for an ordinary user where systemd delegates it. Where there is
none, the counts of `watch` have to do. Memory is counted there too: a group is charged for files
as well, and for what the warm process has touched first, so that limits would differ by machine.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from litcourse.ranks.processes import read

_PREFIX = "autograder-"
_numbers = count()


def make_group() -> Path | None:
    """A new group below that of this process, or None if there can be none."""
    for folder in _own_groups():
        _remove_abandoned(folder)
        made = folder / f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
        try:
            made.mkdir()
        except OSError:
            continue
        if (made / "cgroup.procs").exists() and cpu_seconds(made) is not None:
            return made
        remove(made)
    return None


def enter(group: Path) -> None:
    """Put this process, and all that it will start, into `group`, if that is allowed."""
    with contextlib.suppress(OSError):
        (group / "cgroup.procs").write_text("0", encoding="ascii")


def cpu_seconds(group: Path) -> float | None:
    """Processor seconds of all processes that are or were in `group`, or None."""
    for line in read(f"{group}/cpu.stat").splitlines():  # version 2
        if line.startswith("usage_usec "):
            return int(line.split()[1]) / 1e6
    nanoseconds = read(f"{group}/cpuacct.usage").strip()  # version 1
    return int(nanoseconds) / 1e9 if nanoseconds else None


def remove(group: Path) -> None:
    """Remove `group`; one with a process in it stays."""
    with contextlib.suppress(OSError):
        group.rmdir()


def remove_all() -> None:
    """Remove the groups that this process made, once their processes have ended."""
    for folder in _own_groups():
        for group in folder.glob(f"{_PREFIX}{os.getpid()}-*"):
            remove(group)


def _remove_abandoned(folder: Path) -> None:
    """Remove the groups of warm processes that were killed."""
    for group in folder.glob(f"{_PREFIX}*"):
        owner = group.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path(f"/proc/{owner}").exists():
            remove(group)


def _own_groups() -> Iterator[Path]:
    """Folders of the groups of this process that count processor time."""
    places = {}  # of each hierarchy: where it is mounted, and which group its root is
    for line in read("/proc/self/mountinfo").splitlines():
        fields, _, kind = line.partition(" - ")
        root, folder = fields.split()[3:5]
        name, _, options = kind.split()[:3]
        if name == "cgroup2":
            places[""] = folder, root
        elif name == "cgroup" and "cpuacct" in options.split(","):
            places["cpuacct"] = folder, root
    for line in read("/proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        key = "cpuacct" if "cpuacct" in controllers.split(",") else controllers
        if key in places:
            folder, root = places[key]
            if Path(group).is_relative_to(root):
                yield Path(folder) / Path(group).relative_to(root)
