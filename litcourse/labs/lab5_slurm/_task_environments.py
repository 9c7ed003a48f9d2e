"""The variables of a job's batch shell and tasks, as Slurm sets them; nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from litcourse.pocket import COURSE, Partition
from litcourse.pocket.allocation import allocate
from litcourse.pocket.options import CommandLine, read_command_line
from litcourse.pocket.steps import plan_step
from litcourse.pocket.variables import (
    Facts,
    batch_variables,
    shown_variables,
    step_variables,
    task_variables,
)

_LARGE = replace(COURSE, nodes=64, partitions=(Partition("gpu", 64, 64, 24 * 60),))
"""A cluster for larger jobs than the lesson's."""
_SCRIPT = "#!/bin/bash\nsrun python train.py\n"


@dataclass(frozen=True)
class Environments:
    """Variables of the batch shell, and of each task by rank."""

    batch: dict[str, str]
    tasks: list[dict[str, str]]


def environments(options: Sequence[str], job_id: int, first_node: str) -> Environments:
    """The variables of a job that runs `srun python train.py`.

    Args:
        options: those of sbatch.
        job_id: the job's id.
        first_node: the first of its nodes.

    Raises:
        RefusedError: sbatch or srun refuses the options.
    """
    line = CommandLine(options, _SCRIPT, "train.sbatch")
    submitted = read_command_line(line)
    allocation = allocate(submitted, _LARGE, first_node)
    facts = Facts(job_id, submitted, _LARGE, "/home/student")
    batch = batch_variables(facts, allocation, restarts=0)
    step = plan_step(["python", "train.py"], batch, allocation, job_id)
    shared = step_variables(facts, allocation, step, batch)
    tasks = [task_variables(step, task, shared) for task in step.tasks()]
    return Environments(shown_variables(batch), [shown_variables(task) for task in tasks])
