"""A throw-away Slurm on this machine: virtual nodes with names and GPUs of their own.

Needs root and Debian's slurm-wlm; no systemd, no munge, no cgroups. Everything listens on the
loopback interface only, because without munge whoever reaches the daemons is root. Each daemon
lives in a PID namespace of its own: killing that ends jobs and job steps too, which outlive slurmd
otherwise. They also end with the process that started them, however that ends.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.slurm.slurm_conf import FOLDERS, GPUS, write_configuration

NULL = (1, 3)
"""Device number of /dev/null: a GPU's file has to be a character device."""

NAMESPACES = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--uts", "--pid", "--fork",
              "--mount-proc", "--kill-child=KILL")  # fmt: skip

CONFIG = """\
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthInfo=cred_expire=5
SelectTypeParameters=CR_Core
PartitionName=batch Nodes=ALL Default=YES MaxTime=1-0 DefaultTime=10:00 State=UP
"""


@dataclass
class Job:
    """What `scontrol show job` says."""

    id: str
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """PENDING, RUNNING, COMPLETED, FAILED, ..."""
        return self.fields.get("JobState", "")


class MiniSlurm:
    """The cluster; as a context it is up within.

    Args:
        folder: an empty folder, whose path should be short: sockets lie in it.
        nodes: how many there are, named n1, n2, ...
    """

    def __init__(self, folder: Path, nodes: int = 8) -> None:
        self.folder, self.nodes = folder, nodes
        self.port = _free_ports(nodes + 1)
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def variables(self) -> dict[str, str]:
        """What a shell that submits has to have in its environment."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for daemon in self._daemons.values():
            daemon.kill()  # the namespace's first process: the kernel ends all others with it
        for daemon in self._daemons.values():
            daemon.wait()
        self._daemons.clear()

    def _start(self) -> None:
        for name in FOLDERS:
            (self.folder / name).mkdir()
        for index in range(GPUS):
            os.mknod(self.folder / f"gpu{index}", stat.S_IFCHR | 0o600, os.makedev(*NULL))
        write_configuration(self.folder, CONFIG, address="127.0.0.1", port=self.port,
                            nodes=self.nodes, user="root")  # fmt: skip
        names = "".join(f"127.0.0.1 n{n}\n" for n in range(1, self.nodes + 1))
        (self.folder / "hosts").write_text(Path("/etc/hosts").read_text() + names)
        self._daemon("slurmctld", "slurmctld -D -c")
        for n in range(1, self.nodes + 1):
            self._node(f"n{n}")
        self._wait_until_up()

    def _node(self, name: str) -> None:
        # Ranks find each other by the names of the nodes.
        hosts = f"mount --bind {self.folder}/hosts /etc/hosts"
        stepd = shutil.which("slurmstepd") or "/usr/sbin/slurmstepd"
        self._daemon(name, f"{hosts}; hostname {name}; slurmd -D -N {name} -d {stepd}")

    def lose(self, node: str) -> None:
        """End a node and all that runs there, as if its power had failed.

        The controller would notice after SlurmdTimeout; here it is told at once.
        """
        self._daemons[node].kill()
        self._daemons[node].wait()
        self.run("scontrol", "update", f"nodename={node}", "state=down", "reason=power")

    def restore(self, node: str) -> None:
        """Start a lost node again."""
        self._node(node)
        self.run("scontrol", "update", f"nodename={node}", "state=resume")
        self._wait_until_up(busy="idle,alloc,mix,comp")

    def _daemon(self, name: str, script: str) -> None:
        # A rank that dies at its end would leave a gigabyte of memory in the checkout. The shell
        # stays, as the first process of the namespace, and reaps what job steps leave.
        command = [*NAMESPACES, "bash", "-ec", f"ulimit -c 0; {script}; exit"]
        # What jobs see must not depend on who runs the tests.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH"))}
        with (self.folder / "log" / f"{name}.boot").open("wb") as log:
            self._daemons[name] = subprocess.Popen(
                command, env=kept | self.variables, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _wait_until_up(self, busy: str = "idle") -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            idle = self.run("sinfo", "-h", "-N", "-t", busy, "-o", "%N", check=False)
            if set(idle.split()) == {f"n{n}" for n in range(1, self.nodes + 1)}:
                return
            time.sleep(0.1)
        logs = "".join(path.read_text()[-800:] for path in (self.folder / "log").iterdir())
        raise RuntimeError(f"Slurm's nodes did not come up:\n{logs}")

    def run(self, *command: str, check: bool = True, **variables: str) -> str:
        """What a command of Slurm's prints; errors included where it may fail."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, **self.variables, **variables}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout if check else done.stdout + done.stderr

    def submit(self, *arguments: str, folder: Path, **variables: str) -> str:
        """Submit a job from `folder`; its id."""
        command = ("sbatch", "--parsable", f"--chdir={folder}", *arguments)
        return self.run(*command, check=True, **variables).strip()

    def job(self, job_id: str) -> Job:
        """What is known of a job, or of one task of an array."""
        text = self.run("scontrol", "-d", "-o", "show", "job", job_id)
        words = text.splitlines()[0].split()
        return Job(job_id, dict(word.split("=", 1) for word in words if "=" in word))

    def wait(self, job_id: str, seconds: float = 150) -> Job:
        """Wait until a job has ended in whatever way; what is known of it then."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            waiting = self.run("squeue", "-h", "-j", job_id, "-o", "%i").strip()
            if not waiting:
                return self.job(job_id)
            time.sleep(0.25)
        text = self.run("scontrol", "show", "job", job_id)
        self.run("scancel", job_id)
        raise TimeoutError(f"job {job_id} did not end within {seconds:.0f} s:\n{text}")

    def kill(self) -> None:
        """End all jobs."""
        self.run("scancel", "--signal=KILL", "--user=root", check=False)


def _free_ports(count: int) -> int:
    """The first of `count` free ports in a row, below those that the system gives out."""
    for first in range(17000 + os.getpid() % 500 * 20, 32000, count + 3):
        try:
            for port in range(first, first + count):
                with socket.socket() as held:
                    held.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError(f"found no {count} free ports in a row")


def refusal() -> str:
    """Why a cluster can't be started here, or ""."""
    if os.geteuid() != 0:
        return "needs root; to enable: sudo make test TESTS=tests/slurm"
    if subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False).returncode:
        return "needs namespaces; to enable: run the tests where `unshare --pid` is allowed"
    return ""


__all__ = ["GPUS", "MiniSlurm", "refusal"]
