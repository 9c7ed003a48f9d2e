"""Judges one submission of a job script: one, several or many ranks; and one that is to fail."""

from __future__ import annotations

from dataclasses import dataclass

from litcourse.core.evidence import Evidence
from litcourse.core.question import Earned, Finding, Mark, NotLookedAt
from litcourse.labs.lab5_slurm._allocated import Memory, judge_allocation, judge_cores
from litcourse.labs.lab5_slurm._job_log import judge_log
from litcourse.labs.lab5_slurm._meeting import Size, judge_meeting
from litcourse.labs.lab5_slurm._placed import place_all
from litcourse.labs.lab5_slurm._sbatch_refusals import judge_start, name_unread
from litcourse.labs.lab5_slurm._submitted import Submitted, read


@dataclass(frozen=True)
class Task:
    """What a job is to be.

    Args:
        name: the job's, and the beginning of its log's.
        size: its nodes and ranks.
        memory: what each node has for it.
        job_id: that of this submission.
    """

    name: str
    size: Size
    memory: Memory
    job_id: int

    @property
    def log(self) -> str:
        """The log's name."""
        return f"{self.name}-{self.job_id}.out"


def judge_submission(evidence: Evidence, task: Task, every: tuple[str, ...]) -> list[Mark]:
    """The marks of one submission, by the criteria accepted, allocation, ranks, cores, log."""
    job = read(evidence)
    stopped = judge_start(job, every)
    if stopped:
        return stopped
    marks = [*judge_allocation(job, task.size, task.name, task.memory), *_ranks(job, task)]
    return name_unread(job, [Earned(("accepted",)), *marks, judge_log(job, task.log, task.name)])


def _ranks(job: Submitted, task: Task) -> list[Mark]:
    """Ranks, then the cores of those that came together."""
    found = judge_meeting(job, task.size, ("ranks",))
    placed = place_all(job)
    if found is None:
        return [Earned(("ranks",)), *judge_cores(job, placed)]
    if any(one.place.error == "argparse" for one in placed):
        return [found, NotLookedAt(("cores",), "train.py does not take its arguments")]
    return [found, *judge_cores(job, placed)]


def only(marks: list[Mark], criteria: tuple[str, ...]) -> list[Mark]:
    """The marks that are about some of `criteria`, with those alone."""
    found: list[Mark] = []
    for mark in marks:
        left = tuple(name for name in mark.criteria if name in criteria)
        if left:
            found.append(_with(mark, left))
    return found


def _with(mark: Mark, criteria: tuple[str, ...]) -> Mark:
    if isinstance(mark, Finding):
        details = (mark.called, mark.expected, mark.got, mark.where)
        return Finding(mark.code, criteria, *details)
    if isinstance(mark, NotLookedAt):
        return NotLookedAt(criteria, mark.reason, mark.by_machine)
    return Earned(criteria)
