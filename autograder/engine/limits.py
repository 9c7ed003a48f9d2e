"""What one kernel may take, and what became of it when it took more."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path

MEBI = 2**20
_GRACE = 10


@dataclass(frozen=True)
class Limits:
    """Limits of one kernel and all the processes that it starts.

    Args:
        cpu_seconds: processor time.
        memory_mib: memory beyond what the warm process shares with it, MiB.
        disk_mib: files under its working folder, home, /tmp and /dev/shm together, beyond
            those that it finds there, MiB.
        file_mib: size of one file, MiB.
        processes: processes and threads.
        open_files: open files of one process.
    """

    cpu_seconds: int = 300
    memory_mib: int = 2048
    disk_mib: int = 256
    file_mib: int = 128
    processes: int = 128
    open_files: int = 512

    def apply(self, *, count_processes: bool) -> None:
        """Set the limits that the kernel of the operating system keeps; `watch` keeps the rest.

        Args:
            count_processes: in a user namespace of its own; elsewhere all processes of the
                user would count.
        """
        limits = {
            resource.RLIMIT_CPU: self.cpu_seconds + _GRACE,
            resource.RLIMIT_DATA: own_data() + self.memory_mib * MEBI,
            resource.RLIMIT_FSIZE: self.file_mib * MEBI,
            resource.RLIMIT_NOFILE: self.open_files,
            resource.RLIMIT_CORE: 0,
        }
        if count_processes:
            limits[resource.RLIMIT_NPROC] = self.processes
        for kind, value in limits.items():
            resource.setrlimit(kind, (value, value))


def own_data() -> int:
    """Bytes of private memory that the process has: it was forked from a large one."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmData"))
    return int(line.split()[1]) * 1024
