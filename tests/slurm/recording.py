"""Programs of the rootless cluster that record what they see, and what they have recorded.

`python` and its like write their environment, arguments and folder into a file each, and end. In a
folder with a file `.waits` they wait in the first run of a job: for SIGUSR1, at which the first
rank queues the job again, or for SIGTERM. Each node being this machine, `hostname` gives the
node's name; `module` and its like are there and do nothing, as on the course's cluster.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.litcourse.pocket.corpus import WAITS

SHIM = """\
#!/bin/sh
f=$(mktemp -p {record})
cat /proc/$$/environ >$f.env
cat /proc/$$/cmdline >$f.arg
{{ echo "${{0##*/}}"; pwd -P; }} >$f.meta
echo "ran ${{0##*/}} $* as ${{SLURM_PROCID:-none}} of ${{SLURM_NTASKS:-none}} on $SLURMD_NODENAME"
if [ -z "$SLURM_RESTART_COUNT" ] && [ -e "$SLURM_SUBMIT_DIR/{waits}" ]; then
    exec /usr/bin/python3 -S {waiter}
fi
while [ $# -gt 0 ]; do case $1 in --exit) exit $2;; esac; shift; done
"""
WAITER = """\
import os, signal, subprocess, time
job = os.environ["SLURM_JOB_ID"]
place = [os.environ.get("SLURM_STEP_ID", "batch"), os.environ.get("SLURM_PROCID", "none")]
def note(text):
    with open("{record}/" + job + ".notes", "a") as file:
        file.write("restart 0 step {{}} rank {{}} {{}}\\n".format(*place, text))
def warned(*_):
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    note("USR1")
    if place[1] == "0":
        time.sleep(1)  # the other ranks take note of the signal first
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        words = ["scontrol", "requeue", job]
        done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        note("requeue {{}} {{}}".format(done.returncode, done.stderr.strip()))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
def ended(*_):
    note("TERM")
    os._exit(143)
signal.signal(signal.SIGUSR1, warned)
signal.signal(signal.SIGTERM, ended)
open("{record}/" + job + ".up", "a").close()
while True:
    signal.pause()
"""
_SMALL = {
    "hostname": '#!/bin/sh\necho "${SLURMD_NODENAME:-$(/bin/hostname)}"\n',
    **dict.fromkeys(("module", "ml", "conda", "mamba"), "#!/bin/sh\n"),
}
_SHOWN = re.compile(
    r"SLURM|SRUN_|SBATCH_|CUDA_|MASTER_|NCCL_|X_|OMP_|TMPDIR$|ENVIRONMENT$|HOSTNAME$"
    r"|(LOCAL_|NODE_)?RANK$|WORLD_SIZE$"
)


def write_programs(folder: Path, record: Path) -> None:
    """Write the programs into a folder; what they record goes into another one."""
    waiter = folder / "waiter.py"
    waiter.write_text(WAITER.format(record=record))
    shim = SHIM.format(record=record, waiter=waiter, waits=WAITS)
    for name, text in {**dict.fromkeys(("python", "python3", "torchrun", "accelerate"), shim),
                       **_SMALL}.items():  # fmt: skip
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def read_runs(record: Path, job: str, first: str, clean: Callable[[str], str]) -> list[Any]:
    """What the processes of a job have recorded, in the form of the corpus.

    Args:
        record: the folder with the records.
        job: the job's id; "" for those of all jobs.
        first: the first node, which is HOSTNAME of all tasks on a cluster of several machines.
        clean: takes out of a text what is of this run alone.
    """
    runs: list[Any] = []
    for meta in sorted(record.glob("*.meta")):
        program, cwd = meta.read_text().splitlines()[:2]
        raw = meta.with_suffix(".env").read_bytes().decode(errors="replace").split("\0")
        variables = dict(item.split("=", 1) for item in raw if "=" in item)
        if job and variables.get("SLURM_JOB_ID") != job:
            continue
        argv = meta.with_suffix(".arg").read_bytes().decode(errors="replace").split("\0")[2:-1]
        shown = {n: clean(v) for n, v in variables.items() if _SHOWN.match(n)}
        shown |= {"HOSTNAME": first} if "HOSTNAME" in variables else {}
        runs.append({
            "restart": variables.get("SLURM_RESTART_COUNT", "0"),
            "step": variables.get("SLURM_STEP_ID", "batch"), "env": {}, "unset": None,
            "tasks": [{"program": program, "argv": [clean(word) for word in argv],
                       "cwd": clean(cwd), "host": variables.get("SLURMD_NODENAME", ""),
                       "env": shown}],
        })  # fmt: skip
    return runs


def read_notes(record: Path, job: str) -> list[str]:
    """What the waiting processes of a job have noted: signals, and the answer to requeue."""
    notes = record / f"{job}.notes"
    return sorted(notes.read_text().splitlines()) if notes.exists() else []
