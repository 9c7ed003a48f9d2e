"""Names of log files: `%j`, `%x` and their kin in `--output`."""

from __future__ import annotations

import re
from dataclasses import dataclass

NO_ARRAY = 4294967294
"""What `%a` is outside of arrays: Slurm's own NO_VAL."""


@dataclass(frozen=True)
class Names:
    """What patterns stand for.

    Args:
        job: the job's id.
        job_name: its name.
        node: name of the node, `%N`.
        user: the user's name.
        step: "batch", or the number of the step.
        node_index: number of the node, `%n`.
        task: rank of the task, `%t`.
        array_job: `%A`.
        array_task: `%a`.
    """

    job: int
    job_name: str
    node: str
    user: str
    step: str = "batch"
    node_index: int = 0
    task: int = 0
    array_job: int | None = None
    array_task: int = NO_ARRAY


def file_name(pattern: str, names: Names) -> str:
    """The name that a pattern stands for; an unknown `%` stays as it is."""
    step = "" if names.step == "batch" else f".{names.step}"
    found = {
        "%": "%", "A": names.array_job or names.job, "a": names.array_task,
        "J": f"{names.job}{step}",
        "j": names.job, "N": names.node, "n": names.node_index, "s": names.step,
        "t": names.task, "u": names.user, "x": names.job_name,
    }  # fmt: skip

    def one(match: re.Match[str]) -> str:
        width, letter = match[1], match[2]
        if letter not in found:
            return match[0]
        value = str(found[letter])
        return value.zfill(min(int(width), 10)) if width and value.isdigit() else value

    return re.sub(r"%(\d*)([A-Za-z%])", one, pattern)
