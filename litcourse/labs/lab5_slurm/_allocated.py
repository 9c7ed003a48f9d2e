"""Judges what a job got: nodes, GPUs, memory, time, name; and what each task has of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litcourse.core.names import count_noun
from litcourse.core.question import Earned, Finding, Mark
from litcourse.labs.lab5_slurm._meeting import Size
from litcourse.labs.lab5_slurm._placed import Placed
from litcourse.labs.lab5_slurm._submitted import Submitted

CORES = 8
FEWEST_WORKERS = 4
MINUTES = 60
GPU_OPTIONS = ("gpus-per-node", "gres", "gpus", "gpus-per-task", "exclusive")
_MEMORY_OPTIONS = ("mem", "mem-per-cpu", "mem-per-gpu")


@dataclass(frozen=True)
class Memory:
    """MB of each node, at least and at most."""

    least: int
    most: int | None = None

    def __str__(self) -> str:
        upper = "" if self.most is None else f" to {self.most}"
        return f"{self.least}{upper} MB on each node"


def judge_allocation(job: Submitted, size: Size, name: str, memory: Memory) -> list[Mark]:
    """Nodes, GPUs, memory, time limit and name: all findings, or the criterion earned."""
    found = [
        _nodes(job, size), _named(job), _gpus(job, size), _memory(job, memory), _minutes(job),
        _name(job, name),
    ]  # fmt: skip
    findings: list[Mark] = [one for one in found if one is not None]
    return findings or [Earned(("allocation",))]


def _nodes(job: Submitted, size: Size) -> Finding | None:
    if len(job.shares) == size.nodes:
        return None
    got = f"{len(job.shares)}: {', '.join(share.node for share in job.shares)}"
    return _finding("LIT5040", job, count_noun(size.nodes, "node"), got,
                    job.quote("nodes") + _more(job.quote_given("ntasks")))  # fmt: skip


def _named(job: Submitted) -> Finding | None:
    """Nodes that the script names: it would wait for just these."""
    if "nodelist" not in job.asked:
        return None
    got = ", ".join(share.node for share in job.shares)
    return _finding("LIT5047", job, "whichever nodes are free", got, job.quote("nodelist"))


def _gpus(job: Submitted, size: Size) -> Finding | None:
    held = [share.gpus for share in job.shares]
    if all(number == size.per_node for number in held):
        return None
    code = "LIT5042" if sum(held) > size.per_node * len(held) else "LIT5041"
    wanted = f"{size.per_node} on each node, one for each rank"
    asked = job.quote_given(*GPU_OPTIONS) or "no --gpus-per-node"
    return _finding(code, job, wanted, f"{', '.join(map(str, held))} held", asked)


def _memory(job: Submitted, memory: Memory) -> Finding | None:
    held = [share.memory for share in job.shares]
    asked = job.quote_given(*_MEMORY_OPTIONS) or "no --mem, no --mem-per-cpu"
    least, most = min(held, default=0), max(held, default=0)
    if least < memory.least:
        return _finding("LIT5043", job, str(memory), f"{least} MB", asked)
    if memory.most is not None and most > memory.most:
        return _finding("LIT5044", job, str(memory), f"{most} MB", asked)
    return None


def _minutes(job: Submitted) -> Finding | None:
    if job.minutes == MINUTES:
        return None
    return _finding("LIT5045", job, f"{MINUTES} minutes", str(job.minutes), job.quote("time"))


def _name(job: Submitted, name: str) -> Finding | None:
    if job.job_name == name:
        return None
    got = job.job_name or "the name of the file"
    return _finding("LIT5046", job, name, got, job.quote("job-name"))


def _finding(code: str, job: Submitted, expected: str, got: str, where: str) -> Finding:
    return Finding(code, ("allocation",), job.command, expected, got, where)


def _more(text: str) -> str:
    return f", {text}" if text else ""


# --- tasks ---------------------------------------------------------------------------------------


def judge_cores(job: Submitted, placed: Sequence[Placed]) -> list[Mark]:
    """Cores of each task, and workers that fit on them."""
    few = next((one for one in placed if one.seen.cores < CORES), None)
    if few is not None:
        got = f"rank {few.place.rank} on {few.seen.host} has {few.seen.cores}"
        asked = job.asked.get("cpus-per-task", "")
        given = asked.isdigit() and int(asked) >= CORES
        code = "LIT5051" if given else "LIT5050"
        where = job.quote("cpus-per-task") + (", not handed on to srun" if given else "")
        return [_cores(code, job, f"{CORES} cores for each task", got, where)]
    for one in placed:
        if one.workers > one.seen.cores:
            expected = f"at most the {one.seen.cores} cores of the task"
            return [_cores("LIT5053", job, expected, _workers(one), "")]
        if one.workers < FEWEST_WORKERS:
            return [_cores("LIT5052", job, f"{FEWEST_WORKERS} or more", _workers(one), "")]
    return [Earned(("cores",))]


def _workers(one: Placed) -> str:
    return f"--num_workers {one.workers} on rank {one.place.rank}"


def _cores(code: str, job: Submitted, expected: str, got: str, where: str) -> Finding:
    return Finding(code, ("cores",), job.command, expected, got, where)
