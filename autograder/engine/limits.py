"""The limits of one kernel: processor time, memory, disk, processes, open files."""

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
        memory_mib: memory beyond what it shares with the warm process, MiB.
        disk_mib: files under its working folder, home, /tmp and /dev/shm together, beyond
            those of the submission, MiB.
        file_mib: size of one file, MiB.
        processes: processes and threads.
        open_files: open files of one process.
        all_files: open files of all its processes together; bounds the epoll watches, of which a
            user of the machine has a number, to a million.
    """

    cpu_seconds: int = 300
    memory_mib: int = 2048
    disk_mib: int = 256
    file_mib: int = 128
    processes: int = 128
    open_files: int = 512
    all_files: int = 8192

    def apply(self, *, count_processes: bool) -> None:
        """Set the limits that the operating system enforces; the server enforces the rest.

        Args:
            count_processes: also limit processes; only in a user namespace of its own, since
                elsewhere all processes of the user count.
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
    """Bytes of private memory that the process has already: it is a fork of a large one."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmData"))
    return int(line.split()[1]) * 1024
