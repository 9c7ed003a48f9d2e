"""one_node: a job script for a rank on each of four GPUs of one node.

The probe submits the file in the pocket, as `one_gpu` does.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Finding, Inputs, Mark, Question
from litcourse.labs.lab5_slurm._allocated import Memory
from litcourse.labs.lab5_slurm._job_scripts import (
    Task,
    judge_submission,
)
from litcourse.labs.lab5_slurm._meeting import Size
from litcourse.labs.lab5_slurm._pocket_runs import Job, offer_test_only, run_in_new_folder

FILE, NAME = "one_node.sbatch", "one-node"
ALL = ("accepted", "allocation", "ranks", "cores", "log")
"""What one submission is judged by."""
SIZE = Size(1, 4)
MEMORY = Memory(124_000)


def draw(rng: Random) -> Inputs:
    """The job's id, and the node that it gets."""
    return Inputs({"job": rng.randrange(1000, 10**6), "node": f"n{rng.randrange(1, 17)}"})


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Submit the file once."""
    job = Job(shown["job"], (shown["node"],))
    return {"job": run_in_new_folder(student.file(FILE), FILE, [job])[0]}


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the submission; what one node alone can get wrong has codes of its own."""
    task = Task(NAME, SIZE, MEMORY, inputs.shown["job"])
    return [_of_one_node(mark) for mark in judge_submission(evidence["job"], task, ALL)]


def _of_one_node(mark: Mark) -> Mark:
    codes = {"LIT5020": "LIT5200", "LIT5042": "LIT5201"}
    if isinstance(mark, Finding) and mark.code in codes:
        return replace(mark, code=codes[mark.code])
    return mark


QUESTION = Question(
    title="A rank for each GPU of a node",
    defines=(),
    files=(FILE,),
    beside=partial(offer_test_only, FILE),
    criteria=(
        Criterion("accepted", "sbatch takes the file, and the job runs train.py", 0.1),
        Criterion("allocation", "4 GPUs of one node, memory, one hour, by its name", 0.25),
        Criterion("ranks", "four ranks come together, on a GPU each, to the end", 0.35),
        Criterion("cores", "each task has 8 cores, and workers that fit on them", 0.15),
        Criterion("log", "the log is there by its name, with the program's lines", 0.15),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
