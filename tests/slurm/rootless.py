"""A real Slurm without root: all daemons in one unprivileged user namespace.

The cluster of the course, with eight nodes. Needs Debian's slurm-wlm and user namespaces. Three
things make it work: an address on `lo` that is not 127.0.0.1, a line for the only user in
/etc/passwd, and GPUs that are links to /dev/null. Commands run inside, by a small server on a pipe.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.slurm.recording import write_programs
from tests.slurm.slurm_conf import FOLDERS, GPUS, host_name, write_configuration

NODES = 8
ADDRESS = "10.9.9.1"
HEAVY = 60
"""Seconds that a cluster may take to come up on a busy machine."""

# A job that is queued again starts as soon as its credentials have expired.
CONFIG = """\
AuthInfo=cred_expire=5
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=2000
JobRequeue=0
FirstJobId=47110
PartitionName=gpu Nodes=ALL Default=YES MaxTime=1-0 DefaultTime=10:00 State=UP
PartitionName=debug Nodes=n[1-2] MaxTime=30:00 DefaultTime=10:00 State=UP
"""
SETUP = """\
mount --bind passwd /etc/passwd; mount --bind group /etc/group; mount --bind hosts /etc/hosts
{python} -S - <<'PY'
import fcntl, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8914, struct.pack("16sh22x", b"lo", 0x49))
address = socket.inet_aton("{address}")
fcntl.ioctl(s, 0x8916, struct.pack("16sH2s4s16x", b"lo:1", socket.AF_INET, b"\\0\\0", address))
PY
exec unshare --user --map-user=1000 --map-group=1000 bash inside.sh
"""
INSIDE = """\
export SLURM_CONF={folder}/slurm.conf PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LANG=C
slurmctld -D -c >log/c.boot 2>&1 &
ulimit -c 0
for i in 1 2 3 4 5 6 7 8; do slurmd -D -N n$i -d /usr/sbin/slurmstepd >log/d$i.boot 2>&1 & done
# Not `exec`: the shell is the first process of the namespace, and reaps what job steps leave.
{python} -S server.py
"""
SERVER = """\
import json, os, subprocess, sys
base = {k: v for k, v in os.environ.items() if k in ("SLURM_CONF", "LANG")}
for line in sys.stdin:
    asked = json.loads(line)
    try:
        done = subprocess.run(asked["words"], cwd=asked["cwd"], env={**base, **asked["env"]},
            input=asked["stdin"], capture_output=True, text=True, timeout=60, errors="replace")
        answer = [done.returncode, done.stdout, done.stderr]
    except Exception as error:
        answer = [127, "", repr(error)]
    print(json.dumps(answer), flush=True)
"""


def refusal() -> str:
    """Why a cluster can't be started here, or ""."""
    if not all(map(shutil.which, ("slurmctld", "unshare", "setpriv"))):
        return "needs slurm-wlm; to enable: sudo apt-get install slurm-wlm"
    words = [*_unprivileged(), "unshare", "-Urnm", "true"]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        return "needs user namespaces; to enable: sysctl kernel.unprivileged_userns_clone=1"
    return ""


def _unprivileged() -> list[str]:
    """Nobody's rights, where the tests run as root."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return nobody if os.geteuid() == 0 else []


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    rc: int
    stdout: str
    stderr: str


class RootlessSlurm:
    """The cluster; as a context it is up within.

    Args:
        folder: an empty folder with a short path that anybody may enter.
        reads_checkout: whether jobs run programs of this checkout, which may lie in root's own
            folders: then the cluster keeps the caller's rights, still without being root inside.
    """

    def __init__(self, folder: Path, *, reads_checkout: bool = False) -> None:
        self._rights = [] if reads_checkout else _unprivileged()
        self.folder, self.record, self.bin = folder, folder / "rec", folder / "bin"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._write()
        path = "PATH=/usr/bin:/bin:/usr/sbin:/sbin"
        apart = ["unshare", "-Urnpfm", "--mount-proc", "--kill-child"]
        words = [*self._rights, "env", "-i", path, *apart, "bash", "setup.sh"]
        self._process = subprocess.Popen(
            words, cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + HEAVY
        while time.monotonic() < deadline:
            idle = self.run("sinfo", "-h", "-N", "-p", "gpu", "-t", "idle", "-o", "%N")
            if len(idle.stdout.split()) == NODES:
                return self
            time.sleep(0.1)
        logs = "".join(p.read_text()[-800:] for p in (self.folder / "log").iterdir())
        self.__exit__()
        raise RuntimeError(f"Slurm's nodes did not come up:\n{logs}")

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()  # the namespace's first process: all others end with it
            self._process.communicate()

    def _write(self) -> None:
        for name in (*FOLDERS, "rec", "bin", "w"):
            (self.folder / name).mkdir()
            (self.folder / name).chmod(0o777)
        for index in range(GPUS):
            (self.folder / f"gpu{index}").symlink_to("/dev/null")
        home = self.folder
        write_configuration(self.folder, CONFIG, address=ADDRESS, port=26817, nodes=NODES,
                            user="student", gpu_type="a100")  # fmt: skip
        nodes = "".join(f"{ADDRESS} n{n}\n" for n in range(1, NODES + 1))
        texts = {
            "passwd": f"root:x:0:0::/:/bin/sh\nstudent:x:1000:1000::{home}:/bin/bash\n",
            "group": "root:x:0:\nstudent:x:1000:\n",
            "hosts": Path("/etc/hosts").read_text() + nodes + f"{ADDRESS} {host_name()}\n",
            "setup.sh": SETUP.format(python="/usr/bin/python3", address=ADDRESS),
            "inside.sh": INSIDE.format(folder=self.folder, python="/usr/bin/python3"),
            "server.py": SERVER,
        }
        for name, text in texts.items():
            (self.folder / name).write_text(text)
        write_programs(self.bin, self.record)
        self.folder.chmod(0o777)

    def run(
        self,
        *words: str,
        cwd: Path | None = None,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
    ) -> Done:
        """Run a command inside."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RuntimeError("the cluster is not up")
        path = f"{self.bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin"
        base = {"PATH": path, "HOME": str(self.folder), "USER": "student", "LOGNAME": "student",
                "SHELL": "/bin/bash"}  # fmt: skip
        asked = {"words": words, "cwd": str(cwd or self.folder), "env": base | dict(env or {}),
                 "stdin": stdin}  # fmt: skip
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the cluster has ended")
        return Done(*json.loads(line))

    def fields(self, job: str) -> dict[str, str]:
        """What `scontrol show job` says of a job."""
        text = self.run("scontrol", "-d", "-o", "show", "job", job).stdout
        return dict(re.findall(r"(?:^| )([A-Za-z][A-Za-z_/:]*)=(\S*)", text))


__all__: Sequence[str] = ["RootlessSlurm", "refusal"]
if sys.platform != "linux":
    raise ImportError("Slurm needs Linux")
