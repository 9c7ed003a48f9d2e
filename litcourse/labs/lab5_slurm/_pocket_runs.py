"""Submits a student's script to the pocket, and returns what happened as plain evidence.

Nothing is derived here: ranks, worlds and GPUs follow from the evidence in the judge.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litcourse.core.tree import Tree
from litcourse.pocket import Outcome, Process, Setting, Training, run_script
from litcourse.pocket.options import directive_lines
from litcourse.probing.attempts import NotMeasuredError

VARIABLES = (
    "SLURM_JOB_NAME", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_NNODES", "SLURM_NODELIST",
    "SLURM_PROCID", "SLURM_LOCALID", "MASTER_ADDR", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
"""What Lightning and torch read of a process's environment."""
PROGRAM = "train.py"
_LIKE = re.compile(r"\s*#+\s*SBATCH\b")
_MOST_UNREAD = 12
_GIVEN = "# The pocket runs a stand-in for this program.\n"


@dataclass(frozen=True)
class Job:
    """One submission.

    Args:
        number: the job's id.
        first_nodes: the first node of each run.
        options: words of sbatch's command line, before the file's name.
        lengths: how long the training takes, in time limits.
    """

    number: int
    first_nodes: Sequence[str]
    options: tuple[str, ...] = ()
    lengths: float = 0.5


def run_in_new_folder(text: str, name: str, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Submit a script several times from one folder, in which `train.py` lies.

    The folder is below the probe's, so that nothing is left; symbolic links are resolved, as the
    shell does it too. The home is another folder, which is empty: `cd` alone leads astray.
    """
    if shutil.which("bash") is None:
        raise NotMeasuredError("there is no bash here: on Windows, open the notebook in WSL")
    folder = Path(tempfile.mkdtemp(prefix="job-", dir=Path.cwd())).resolve()
    _home(folder).mkdir()
    (folder / PROGRAM).write_text(_GIVEN, encoding="utf-8")
    (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    environment = folder / ".venv" / "bin"
    environment.mkdir(parents=True)
    (environment / "activate").touch()
    unread = unread_directives(text)
    return [describe(_submit(text, name, job, folder), folder, unread) for job in jobs]


def _home(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-home")


def offer_test_only(name: str) -> str:
    """What a check says beside its verdict where a real Slurm is there, which decides nothing."""
    if shutil.which("sbatch") is None:
        return ""
    asks = f"sbatch --test-only {name}, in a terminal in this folder, asks it about the file"
    return f"This machine has a Slurm of its own: {asks}. Nothing is submitted or judged by that."


def unread_directives(text: str) -> list[str]:
    """Lines that look like directives and that sbatch does not read: too late, or commented out.

    They explain what a job lacks, and decide nothing.
    """
    read = directive_lines(text)
    lines = enumerate(text.split("\n"), 1)
    found = [
        f"line {n}: {line.strip()}" for n, line in lines if n not in read and _LIKE.match(line)
    ]
    return found[:_MOST_UNREAD]


def _submit(text: str, name: str, job: Job, folder: Path) -> Outcome:
    setting = Setting(
        job_id=job.number, first_nodes=tuple(job.first_nodes),
        program=Training(job.lengths), user=("student", 1000, 1000),
        home=_home(folder),
    )  # fmt: skip
    return run_script(text, folder, name=name, options=job.options, setting=setting)


# --- evidence ------------------------------------------------------------------------------------


def describe(outcome: Outcome, folder: Path, unread: Sequence[str] = ()) -> dict[str, Any]:
    """An outcome as evidence: processes in columns, logs in lines, paths from the folder on."""
    tree = outcome.as_tree()
    submit, request = outcome.submit, outcome.allocation
    asked = {} if request is None else request.request.options
    return {
        "submit": {
            "command": shlex.join(submit.command), "rc": submit.rc,
            "said": as_on_a_cluster(submit.stderr, folder),
        },
        "asked": {name: str(value) for name, value in asked.items()},
        "unread": list(unread),
        "allocation": tree["allocation"],
        "processes": _columns(outcome.processes, folder),
        "logs": _lines(outcome, folder),
        "log": outcome.log,
        "ended": f"{outcome.state} {outcome.exit_code}",
        "reason": outcome.reason,
        "restarts": outcome.restarts,
        "clock": {
            "seconds": [float(event.seconds) for event in outcome.clock],
            "restart": [event.restart for event in outcome.clock],
            "what": [event.what for event in outcome.clock],
            "details": [_details(dict(event.details), folder) for event in outcome.clock],
        },
        "beyond": list(outcome.beyond),
        "stopped": outcome.stopped,
    }  # fmt: skip


def _lines(outcome: Outcome, folder: Path) -> dict[str, Tree]:
    """The lines of each log."""
    texts = {name: as_on_a_cluster(text, folder) for name, text in outcome.outputs.items()}
    return {name: list(text.splitlines()) for name, text in texts.items()}


def _columns(processes: Sequence[Process], folder: Path) -> dict[str, Tree]:
    return {
        "program": [one.program for one in processes],
        "words": [as_on_a_cluster(shlex.join(one.argv), folder) for one in processes],
        "host": [one.host for one in processes],
        "step": [one.step for one in processes],
        "restart": [one.restart for one in processes],
        "cores": [one.cores for one in processes],
        "exit": [one.exit_code for one in processes],
        "environment": {n: [one.environment.get(n) for one in processes] for n in VARIABLES},
    }


def _details(details: dict[str, Any], folder: Path) -> str:
    """What an event says besides, e.g. the checkpoint, or how many ranks there were."""
    names = ("checkpoint", "how", "world", "signal")
    value = next((details[name] for name in names if name in details), "")
    return as_on_a_cluster(str(value), folder)


def as_on_a_cluster(text: str, folder: Path) -> str:
    """A text without the pocket's own paths: the script is where a cluster keeps its copy."""
    text = text.replace(str(_home(folder)), "/home/student")
    within = rf"[\w./-]*{re.escape(str(folder))}/"  # also behind /tmp/../
    shown = re.sub(within, "", text).replace(str(folder), ".")
    return re.sub(r"/\S*/(job\d+/slurm_script)", r"/var/spool/slurmd/\1", shown)
