"""one_gpu: a job script for one rank on one GPU.

The probe submits the file in the pocket. The evidence is what sbatch answered, what the job got,
and what each process saw.
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

FILE, NAME = "one_gpu.sbatch", "one-gpu"
ALL = ("accepted", "allocation", "ranks", "cores", "log")
"""What one submission is judged by."""
SIZE = Size(1, 1)
MEMORY = Memory(31_000, 48_000)


def draw(rng: Random) -> Inputs:
    """The job's id, and the node that it gets."""
    return Inputs({"job": rng.randrange(1000, 10**6), "node": f"n{rng.randrange(1, 17)}"})


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Submit the file once."""
    job = Job(shown["job"], (shown["node"],))
    return {"job": run_in_new_folder(student.file(FILE), FILE, [job])[0]}


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the submission; several ranks or GPUs are a misunderstanding of their own."""
    task = Task(NAME, SIZE, MEMORY, inputs.shown["job"])
    return [_of_one(mark) for mark in judge_submission(evidence["job"], task, ALL)]


def _of_one(mark: Mark) -> Mark:
    codes = {"LIT5021": "LIT5100", "LIT5042": "LIT5101"}
    if isinstance(mark, Finding) and mark.code in codes:
        return replace(mark, code=codes[mark.code])
    return mark


QUESTION = Question(
    title="A job on one GPU",
    defines=(),
    files=(FILE,),
    beside=partial(offer_test_only, FILE),
    criteria=(
        Criterion("accepted", "sbatch takes the file, and the job runs train.py", 0.1),
        Criterion("allocation", "one GPU, 32 GB, one hour, by the name one-gpu", 0.25),
        Criterion("ranks", "one rank trains on a GPU, to the end", 0.35),
        Criterion("cores", "its task has 8 cores, and workers that fit on them", 0.15),
        Criterion("log", "the log is there by its name, with the program's lines", 0.15),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
