"""Judges one submission of a job script: one, several or many ranks; and one that is to fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litcourse.core.evidence import Evidence
from litcourse.core.question import Earned, Finding, Mark, NotLookedAt
from litcourse.labs.lab5_slurm._allocated import Memory, judge_allocation, judge_cores
from litcourse.labs.lab5_slurm._job_log import judge_log
from litcourse.labs.lab5_slurm._meeting import Size, judge_meeting
from litcourse.labs.lab5_slurm._placed import place_all
from litcourse.labs.lab5_slurm._pocket_runs import Job
from litcourse.labs.lab5_slurm._sbatch_refusals import judge_start, name_unread, quote
from litcourse.labs.lab5_slurm._submitted import Submitted, read
from litcourse.pocket.programs.training import FAILURE


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


# --- a training that fails -----------------------------------------------------------------------

CRITERION = "failure"
TITLE = "a second job of the file whose training fails is no COMPLETED one"
"""What the criterion says: a job that is COMPLETED is taken for done, also by jobs that wait."""
_COST = (CRITERION,)
_HIDDEN, _AGAIN, _ONCE = "LIT5036", "LIT5037", "LIT5039"
_STATES = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED")
_EARLY = 0.1
"""It fails after this share of the limit, before any warning."""


def failing(number: int, first_nodes: Sequence[str]) -> Job:
    """The submission whose training fails."""
    return Job(number, first_nodes, lengths=_EARLY, fails=True)


def judge_failure(evidence: Evidence, *, trains: bool) -> Mark:
    """Judge the job of a training that failed on every rank.

    Args:
        evidence: the submission.
        trains: whether the submission before this one has trained as it should.
    """
    job = read(evidence)
    if job.open_reason:
        return NotLookedAt(_COST, job.open_reason, by_machine=True)
    if not trains:
        return NotLookedAt(_COST, "the training does not come so far that it could fail")
    failed = job.moments("failed")
    if not failed:
        got = f"{job.ended}: {quote(job.said_errors) or 'nothing in its log'}"
        return Finding(_ONCE, _COST, job.command, "a second job that trains as the first", got)
    return _judge_end(job, in_front=failed[-1].details == "in front")


def _judge_end(job: Submitted, *, in_front: bool) -> Mark:
    """Judge how a job ended whose training failed in front of the script or in the background."""
    said = f"all ranks said: {FAILURE}"
    if job.restarts or job.stopped:
        got = f"{said}; {job.restarts} more runs"
        return Finding(_AGAIN, _COST, job.command, "a job that ends", got, job.quote("requeue"))
    state = job.ended.partition(" ")[0]
    if state not in _STATES:
        return NotLookedAt(_COST, f"a job that is {job.ended or 'in no state'}")
    if state == "COMPLETED" and in_front:
        got = f"{said}; job {job.ended}"
        return Finding(_HIDDEN, _COST, job.command, "FAILED", got, "srun, and what follows it")
    return Earned(_COST)


def trained(job: Submitted) -> bool:
    """Whether the ranks of a job came together and to their end."""
    return bool(job.moments("finished"))
