"""Judges what kept a job from running: sbatch's refusal, a log that can't be opened, no command."""

from __future__ import annotations

import re

from litcourse.core.question import Finding, Mark, NotLookedAt
from litcourse.labs.lab5_slurm._submitted import Submitted

_TEXTS = (
    ("LIT5000", r"Invalid --time specification"),
    ("LIT5001", r"unrecognized option|is ambiguous|invalid option --|Invalid directive|Unexpected"),
    ("LIT5002", r"time limit is invalid"),
    ("LIT5003", r"does not look like a batch script|DOS line breaks|script is empty"),
    ("LIT5004", r"Batch job submission failed|allocation failure"),
)
"""Code, and what sbatch says."""
_ANY_REFUSAL = "LIT5005"
NO_LOG, LOOPS, UNSOLVED = "LIT5006", "LIT5007", "LIT900"
NOTHING_RAN, STEP_REFUSED, OTHER_PROGRAM = "LIT5008", "LIT5009", "LIT5010"
_NOT_FOUND, INSIDE = "LIT5011", "LIT5012"
_ON_THE_COMMAND_LINE = {"nodes"}
"""Options that a submission may have without any directive of the file."""
LONGEST = 3
"""Lines of a log that a finding quotes."""


def judge_start(job: Submitted, every: tuple[str, ...]) -> list[Mark]:
    """What kept the job from starting `train.py`; [] if it ran it.

    Args:
        job: the submission.
        every: ids of all criteria, which it costs.
    """
    if job.open_reason:
        return [NotLookedAt(every, job.open_reason, by_machine=True)]
    if job.rc:
        return [_refused(job, every)]
    if job.stopped and job.stopped != "restarts":
        got = f"stopped at the limit of {job.stopped}"
        return [Finding(LOOPS, every, job.command, "a job that ends", got)]
    if job.reason == "JobLaunchFailure" and job.ended.endswith("0:53"):
        got = f"{job.ended}, {job.reason}, and no log"
        where = job.quote_given("output", "error", "chdir")
        return [Finding(NO_LOG, every, job.command, "a log that can be written", got, where)]
    if job.training():
        return []
    return [_did_nothing(job, every)]


def _refused(job: Submitted, every: tuple[str, ...]) -> Finding:
    code = next((code for code, text in _TEXTS if re.search(text, job.said)), _ANY_REFUSAL)
    said = " ".join(job.said.replace('Try "sbatch --help" for more information', "").split())
    return Finding(code, every, job.command, "Submitted batch job …", said)


def _did_nothing(job: Submitted, every: tuple[str, ...]) -> Finding:
    said = job.lines()
    if not said and not job.processes and set(job.asked) <= _ON_THE_COMMAND_LINE:
        return Finding(
            UNSOLVED, every, job.command, "a solved cell", "a file that asks for nothing"
        )
    others = [one for one in job.processes if not one.trains]
    if others:
        words = " ".join([others[0].program, *others[0].words])
        return Finding(OTHER_PROGRAM, every, job.command, "python train.py …", words)
    inside = [line for line in said if "temporarily disabled" in line]
    if inside:
        return Finding(INSIDE, every, job.command, "python train.py runs", quote(inside[:1]))
    errors = [line for line in said if "error" in line.lower() or "not found" in line]
    got = quote(errors or said) or "nothing in its log"
    code = NOTHING_RAN
    if any("srun: error" in line or "slurmstepd" in line for line in errors):
        code = STEP_REFUSED
    elif errors:
        code = _NOT_FOUND
    where = f"job {job.ended}; {job.quote('ntasks-per-node', 'cpus-per-task', 'gpus-per-node')}"
    return Finding(code, every, job.command, "python train.py runs", got, where)


def quote(lines: list[str]) -> str:
    """The first lines of a log, in one."""
    return " / ".join(line.strip() for line in lines[:LONGEST])
