"""What became of a batch script in the pocket: plain evidence, for judges and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from litcourse.pocket.allocation import Allocation

MOST_TEXT = 20_000
"""Characters that are kept of each output."""


@dataclass(frozen=True)
class Answer:
    """What sbatch said."""

    command: tuple[str, ...]
    rc: int
    stdout: str = ""
    stderr: str = ""


@dataclass
class Process:
    """A process that was started through a stand-in; a rank of srun's is one."""

    program: str
    argv: list[str]
    cwd: str
    host: str
    step: str
    """"batch", or the number of the step."""
    restart: int
    cores: int
    """That the process is bound to."""
    environment: dict[str, str]
    """Variables that say something of the job."""
    exit_code: int | None = None
    """Negative for a signal; None if the process was there when the job ended."""


@dataclass(frozen=True)
class Event:
    """Something that happened at a time of the virtual clock."""

    seconds: float
    restart: int
    what: str
    """"started", "trained", "warned", "saved", "resumed", "requeued", "refused", "signalled",
    "limit", "ended", ..."""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Outcome:
    """The evidence of one submission.

    Args:
        submit: what sbatch said.
        allocation: what the job got last; None where sbatch refused it.
        processes: all that was started through stand-ins, in order.
        outputs: logs by name, relative to the folder.
        state: COMPLETED, FAILED, TIMEOUT, CANCELLED or PENDING, as Slurm says; "" if refused.
        reason: Slurm's reason.
        exit_code: `CODE:SIGNAL`, as Slurm writes it.
        restarts: how often the job was requeued.
        clock: events in order of the virtual clock.
        beyond: what the script asked for and the pocket does not emulate.
        stopped: why the pocket stopped a job before its end: "processor", "time", "processes",
            "restarts"; else "". Such a job was not looked at: nothing follows from it.
    """

    submit: Answer
    job_id: int = 0
    allocation: Allocation | None = None
    processes: list[Process] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    state: str = ""
    reason: str = "None"
    exit_code: str = "0:0"
    restarts: int = 0
    clock: list[Event] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)
    stopped: str = ""
    log: str = ""
    """Name of the job's log among `outputs`."""

    def as_tree(self) -> dict[str, Any]:
        """The same as dicts, lists, numbers and text."""
        tree = {name: value for name, value in vars(self).items() if name != "allocation"}
        tree["submit"] = asdict(self.submit) | {"command": list(self.submit.command)}
        tree["processes"] = [asdict(process) for process in self.processes]
        tree["clock"] = [asdict(event) for event in self.clock]
        tree["allocation"] = None if self.allocation is None else allocation_tree(self.allocation)
        return tree


def allocation_tree(allocation: Allocation) -> dict[str, Any]:
    """An allocation as plain data; lists have one entry for each node."""
    request, shares = allocation.request, allocation.shares
    return {
        "nodes": allocation.nodes,
        "tasks": [share.tasks for share in shares],
        "cores": [share.cores for share in shares],
        "gpus_held": [share.gpus_held for share in shares],
        "gpus_asked": [share.gpus_asked for share in shares],
        "memory": [share.memory for share in shares],
        "total_tasks": allocation.tasks,
        "cores_per_task": request.cores,
        "minutes": allocation.minutes,
        "partition": allocation.partition,
        "job_name": request.options.get("job-name", ""),
        "requeue": "requeue" in request.options,
        "signal": request.options.get("signal", ""),
    }


def shortened(text: str) -> str:
    """A text that is not longer than evidence keeps."""
    return text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + "\n[...]\n"


__all__: Sequence[str] = ["Answer", "Event", "Outcome", "Process", "allocation_tree", "shortened"]
