"""Judges the log: there, by the name of the task, with the program's lines in it."""

from __future__ import annotations

from litcourse.core.question import Earned, Finding, Mark
from litcourse.labs.lab5_slurm._submitted import Submitted

BEGUN = "GPU available: "
"""What the program says when it begins, once in each run."""
_SAID = (BEGUN, "GLOBAL_RANK: ", "Traceback (most recent call last)", "usage: train.py",
         "can't open file")  # fmt: skip
"""What stands in the log of any program that was started, also of one that fails."""


def judge_log(job: Submitted, name: str, job_name: str) -> Mark:
    """The log of a job of one run.

    Args:
        job: the submission.
        name: the log's name, e.g. "one-gpu-4711.out".
        job_name: what it begins with. Another name of the job has been paid for already.
    """
    by_its_name = name.replace(job_name, job.job_name, 1)
    lines = job.logs.get(name, job.logs.get(by_its_name))
    if lines is None:
        there = ", ".join(job.logs) or "no file"
        return Finding("LIT5060", ("log",), job.command, name, there, job.quote("output"))
    if _holds(lines):
        return Earned(("log",))
    others = [other for other, text in job.logs.items() if _holds(text)]
    got = f"they are in {', '.join(others)}" if others else "none of them"
    where = job.quote_given("output", "error")
    return Finding("LIT5061", ("log",), job.command, f"the program's lines in {name}", got, where)


def _holds(lines: list[str]) -> bool:
    return any(said in line for line in lines for said in _SAID)
