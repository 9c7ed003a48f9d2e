"""Job scripts with one fault each, and the log that the pocket gives for just that script."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from litcourse.labs.lab5_slurm._pocket_runs import as_on_a_cluster
from litcourse.pocket import Outcome, Setting, Training, run_script

KINDS = ("no_srun", "ntasks_total", "one_task", "late_directives", "gpus_per_task", "bad_time",
         "log_folder", "localhost", "healthy")  # fmt: skip
_NAMES = ("digits", "resnet", "baseline", "sweep", "ablation", "finetune")
_MORE = ("", " --max_epochs 20", " --max_epochs 5 --run_dir runs/a", " --run_dir scratch")
_LATE = ("set -euo pipefail", "module load python cuda", "export OMP_NUM_THREADS=1")
_SEVERAL = ("ntasks_total", "localhost")
"""Kinds that need two nodes."""


@dataclass(frozen=True)
class Plan:
    """What a script is meant to be.

    Args:
        memory: MB of each node.
        output: the log's name, a pattern of Slurm.
        arguments: those of `train.py`.
        long: whether options are spelt out.
    """

    name: str
    nodes: int
    gpus: int
    cores: int
    memory: int
    minutes: int
    output: str
    arguments: str
    long: bool
    order: tuple[int, ...]

    def directives(self) -> list[str]:
        """The options of a script that is right, in the drawn order."""
        one = [
            f"--job-name={self.name}" if self.long else f"-J {self.name}",
            f"--nodes={self.nodes}" if self.long else f"-N {self.nodes}",
            f"--ntasks-per-node={self.gpus}",
            f"--gpus-per-node={self.gpus}" if self.long else f"--gres=gpu:{self.gpus}",
            f"--cpus-per-task={self.cores}" if self.long else f"-c {self.cores}",
            f"--mem={self.memory}M",
            f"--time={self.minutes}" if self.long else f"-t {self.minutes}",
            f"--output={self.output}" if self.long else f"-o {self.output}",
        ]
        return [one[index] for index in self.order]


@dataclass(frozen=True)
class Script:
    """A script in parts."""

    directives: tuple[str, ...]
    before: tuple[str, ...]
    """Commands above the directives."""
    body: tuple[str, ...]

    def text(self) -> str:
        """The file."""
        lines = [*self.before, *(f"#SBATCH {option}" for option in self.directives), "", *self.body]
        return "\n".join(["#!/bin/bash", *lines]) + "\n"


def draw_plan(rng: Random, kind: str) -> Plan:
    """A drawn job; kinds that need them have several nodes."""
    nodes = rng.randrange(2, 5) if kind in _SEVERAL else rng.randrange(1, 5)
    gpus, cores = rng.choice((2, 4, 8)), rng.randrange(4, 9)
    minutes = rng.choice((60, 120, 180)) if kind == "bad_time" else rng.randrange(20, 300, 5)
    flags = f"--devices {gpus} --num_nodes {nodes} --num_workers {rng.randrange(2, cores + 1)}"
    return Plan(
        name=rng.choice(_NAMES), nodes=nodes, gpus=gpus, cores=cores,
        memory=gpus * rng.choice((16_000, 24_000, 32_000)), minutes=minutes,
        output=rng.choice(("%x-%j.out", "log-%j.txt", "%j.log")),
        arguments=flags + rng.choice(_MORE), long=rng.random() < 1 / 2,
        order=tuple(rng.sample(range(8), 8)),
    )  # fmt: skip


def _healthy(plan: Plan) -> Script:
    handed_on = "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK"
    body = (handed_on, f"srun python train.py {plan.arguments}")
    return Script(tuple(plan.directives()), (), body)


VARIANTS = {"ntasks_total": 2, "late_directives": 3, "bad_time": 3, "localhost": 2}
"""In how many ways a fault is written; the others have one."""
_Pick = Callable[[Sequence[str]], str]
"""Takes one of several ways to write a fault."""


def make_script(plan: Plan, kind: str, pick: _Pick) -> str:
    """The script of a plan with the fault of a kind, in the way that `pick` takes."""
    return _FAULTS[kind](_healthy(plan), plan, pick).text()


def _option(script: Script, starts: tuple[str, ...], new: str) -> Script:
    changed = (new if option.startswith(starts) else option for option in script.directives)
    return replace(script, directives=tuple(changed))


def _no_srun(script: Script, plan: Plan, pick: _Pick) -> Script:
    del plan, pick
    return replace(script, body=tuple(line.replace("srun ", "") for line in script.body))


def _ntasks_total(script: Script, plan: Plan, pick: _Pick) -> Script:
    total = plan.nodes * plan.gpus
    new = pick((f"--ntasks={total}", f"-n {total}"))
    return _option(script, ("--ntasks-per-node",), new)


def _one_task(script: Script, plan: Plan, pick: _Pick) -> Script:
    del plan, pick
    return _option(script, ("--ntasks-per-node",), "--ntasks-per-node=1")


def _late_directives(script: Script, plan: Plan, pick: _Pick) -> Script:
    del plan
    return replace(script, before=(pick(_LATE),))


def _gpus_per_task(script: Script, plan: Plan, pick: _Pick) -> Script:
    del plan, pick
    return _option(script, ("--gpus-per-node", "--gres"), "--gpus-per-task=1")


def _bad_time(script: Script, plan: Plan, pick: _Pick) -> Script:
    hours = plan.minutes // 60
    texts = (f"{plan.minutes}m", f"{plan.minutes}min", f"{hours}h")
    return _option(script, ("--time", "-t "), f"--time={pick(texts)}")


def _log_folder(script: Script, plan: Plan, pick: _Pick) -> Script:
    folder = pick(("logs", "out", "slurm-logs"))
    return _option(script, ("--output", "-o "), f"--output={folder}/{plan.output}")


def _localhost(script: Script, plan: Plan, pick: _Pick) -> Script:
    del plan
    address = pick(("localhost", "127.0.0.1"))
    return replace(script, body=(f"export MASTER_ADDR={address}", *script.body))


def _nothing(script: Script, plan: Plan, pick: _Pick) -> Script:
    del plan, pick
    return script


_FAULTS: dict[str, Callable[[Script, Plan, _Pick], Script]] = {
    "no_srun": _no_srun, "ntasks_total": _ntasks_total, "one_task": _one_task,
    "late_directives": _late_directives, "gpus_per_task": _gpus_per_task, "bad_time": _bad_time,
    "log_folder": _log_folder, "localhost": _localhost, "healthy": _nothing,
}  # fmt: skip


# --- logs ----------------------------------------------------------------------------------------


def run_for_log(text: str, job_id: int, node: str) -> str:
    """What somebody finds who looks for the reason: sbatch's words, log, or scontrol's lines."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "train.py").touch()
        user = ("student", 1000, 1000)
        setting = Setting(job_id=job_id, first_nodes=(node,), program=Training(0.5), user=user)
        outcome = run_script(text, folder, name="job.sbatch", setting=setting)
        if outcome.submit.rc:
            return outcome.submit.stderr
        log = _settled(as_on_a_cluster("".join(outcome.outputs.values()), folder))
        if not outcome.outputs and outcome.reason != "None":
            head = f"JobId={job_id} JobState={outcome.state} Reason={outcome.reason}"
            return f"{head}\nExitCode={outcome.exit_code}\n{_where(outcome)}\n"
        return log


def _settled(log: str) -> str:
    """A log whose last words, those of slurmstepd and srun, are in one order: they come in any."""
    lines = log.splitlines(keepends=True)
    last = [[n for n in lines if n.startswith(head)] for head in ("slurmstepd-", "srun: error: n")]
    others = [line for line in lines if line not in last[0] and line not in last[1]]
    return "".join([*others, *last[0], *last[1]])


def _where(outcome: Outcome) -> str:
    """The line of `scontrol show job` that says where the log would be."""
    asked = {} if outcome.allocation is None else outcome.allocation.request.options
    pattern = str(asked.get("output", "slurm-%j.out"))
    name = pattern.replace("%x", str(asked.get("job-name", ""))).replace("%j", str(outcome.job_id))
    return f"StdOut=/home/student/{name}"
