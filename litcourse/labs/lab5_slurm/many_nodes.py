"""many_nodes: one job script for any number of nodes, which sbatch's command line decides.

The probe submits the file four times without a line changed. The evidence of each is as in
`one_gpu`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.marks import find_findings, merge, without_repeats
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Finding, Inputs, Mark, Question
from litcourse.labs.lab5_slurm._allocated import Memory
from litcourse.labs.lab5_slurm._job_scripts import (
    Task,
    judge_submission,
    only,
)
from litcourse.labs.lab5_slurm._meeting import Size
from litcourse.labs.lab5_slurm._pocket_runs import Job, offer_test_only, run_in_new_folder

FILE, NAME = "many_nodes.sbatch", "many-nodes"
ALL = ("ranks", "allocation", "cores", "log")
PER_NODE, USUAL = 4, 2
MEMORY = Memory(124_000)
_LAST_FIRST = 9
"""So that eight nodes in a row are there: n9 to n16."""


def draw(rng: Random) -> Inputs:
    """Four submissions: as the file stands, on 8 nodes, and on two numbers between."""
    numbers = [None, 8, *rng.sample(range(3, 8), 2)]
    jobs = rng.sample(range(1000, 10**6), len(numbers))
    nodes = [f"n{number}" for number in rng.sample(range(1, _LAST_FIRST + 1), len(numbers))]
    cases = [
        {"nodes": number, "job": job, "node": node}
        for number, job, node in zip(numbers, jobs, nodes, strict=True)
    ]
    return Inputs({"cases": cases})


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Submit the file, each time in a folder of its own, until one runs into a bound."""
    text = student.file(FILE)
    found: list[dict[str, Any]] = []
    for case in shown["cases"]:
        options = () if case["nodes"] is None else (f"--nodes={case['nodes']}",)
        found += run_in_new_folder(text, FILE, [Job(case["job"], (case["node"],), options)])
        if found[-1]["stopped"]:
            break  # each further one would take as long
    return {"jobs": found}


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge each submission; a criterion is earned by all four."""
    cases, jobs = inputs.shown["cases"], list(evidence["jobs"])
    if not 1 <= len(jobs) <= len(cases):
        return [Finding("LIT903", ALL, FILE, f"{len(cases)} submissions", str(len(jobs)))]
    parts = [_judge_case(case, job) for case, job in zip(cases, jobs, strict=False)]
    parts += [[]] * (len(cases) - len(jobs))
    first_fails = bool(find_findings(parts[0]))
    return without_repeats([_of_many(mark, first_fails=first_fails) for mark in merge(parts)])


def _judge_case(case: dict[str, Any], job: Evidence) -> list[Mark]:
    task = Task(NAME, Size(case["nodes"] or USUAL, PER_NODE), MEMORY, case["job"])
    return only(judge_submission(job, task, ("accepted", *ALL)), ALL)


_TOTALS = {"LIT5021": ("--ntasks=", "LIT5301"), "LIT5028": ("--gpus=", "LIT5302")}
"""Findings that a total among the options explains: the option, and the code for it."""
_WRITTEN_DOWN = {
    "LIT5009": "LIT5303", "LIT5019": "LIT5303", "LIT5021": "LIT5301", "LIT5024": "LIT5301",
    "LIT5026": "LIT5300",
}  # fmt: skip


def _of_many(mark: Mark, *, first_fails: bool) -> Mark:
    """What is right as the file stands and wrong with `--nodes` is a number written down."""
    if not isinstance(mark, Finding):
        return mark
    option, code = _TOTALS.get(mark.code, ("", ""))
    if code and option in mark.where:
        return replace(mark, code=code)
    if mark.code in _WRITTEN_DOWN and not first_fails:
        return replace(mark, code=_WRITTEN_DOWN[mark.code])
    return mark


QUESTION = Question(
    title="Any number of nodes",
    defines=(),
    files=(FILE,),
    beside=partial(offer_test_only, FILE),
    criteria=(
        Criterion("ranks", "four ranks on each of N nodes come together, to the end", 0.55),
        Criterion("allocation", "N nodes with 4 GPUs each, memory, one hour", 0.2),
        Criterion("cores", "each task has 8 cores, and workers that fit on them", 0.1),
        Criterion("log", "the log is there by its name, with the program's lines", 0.15),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
