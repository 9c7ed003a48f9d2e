"""What stand-ins start: ranks of a step that are no processes, tasks that are, single commands."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from litcourse.pocket.machine import indices
from litcourse.pocket.running.reports import Client

if TYPE_CHECKING:
    from litcourse.pocket.job import Job
    from litcourse.pocket.outcome import Process
    from litcourse.pocket.steps import Step, Task

_DEATHS = {
    signal.SIGTERM: "Terminated", signal.SIGKILL: "Killed", signal.SIGSEGV: "Segmentation fault",
    signal.SIGABRT: "Aborted", signal.SIGHUP: "Hangup", signal.SIGINT: "Interrupt",
    signal.SIGUSR1: "User defined signal 1", signal.SIGUSR2: "User defined signal 2",
    signal.SIGXCPU: "CPU time limit exceeded", signal.SIGXFSZ: "File size limit exceeded",
    signal.SIGQUIT: "Quit", signal.SIGPIPE: "Broken pipe", signal.SIGALRM: "Alarm clock",
}  # fmt: skip


@dataclass(eq=False)
class Rank:
    """One command that runs: a rank of a step, or what the batch shell itself started."""

    launch: Launch
    words: Sequence[str]
    environment: Mapping[str, str]
    cwd: str
    node: str
    index: int = 0
    code: int | None = None
    """Set when it has ended; negative for a signal."""
    process: Process | None = None

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.code is None

    @property
    def program(self) -> str:
        """Name of its command, without the folder."""
        return os.path.basename(self.words[0])  # noqa: PTH119


class Program(Protocol):
    """What `python` does in the pocket."""

    def start(self, rank: Rank, job: Job) -> None:
        """A rank has started. Sooner or later it is ended by `job.end(rank, code)`."""

    def signal(self, rank: Rank, number: int, job: Job) -> bool:
        """A signal has come for a rank; whether it is handled, else it does its default action."""


@dataclass(eq=False)
class Launch:
    """A stand-in that has not ended, and the ranks that it stands for."""

    client: Client
    ranks: list[Rank] = field(default_factory=list)
    step: Step | None = None
    children: dict[int, int] = field(default_factory=dict)
    """Process ids of tasks that are processes, by rank."""
    real: bool = False
    """Whether the ranks of the step are processes."""
    begun: bool = False
    placed: bool = False
    """Whether a step has got its nodes."""
    files: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Names of the files for standard output and error, by rank; "" for those of srun."""

    @property
    def ended(self) -> bool:
        """Whether all ranks have ended."""
        return all(not rank.alive for rank in self.ranks)

    @property
    def label(self) -> bool:
        """Whether lines begin with the rank."""
        return self.step is not None and "label" in self.step.options

    def step_options(self) -> Mapping[str, str]:
        """The options of srun; none where this is no srun."""
        return {} if self.step is None else self.step.options

    def write(self, rank: Rank, text: str, stream: int = 1) -> None:
        """Write for a rank, to wherever its output goes."""
        if self.label:
            text = "".join(f"{rank.index}: {line}\n" for line in text.splitlines())
        names = self.files.get(rank.index, ("", ""))
        name = (names[1] or names[0]) if stream == 2 else names[0]  # noqa: PLR2004
        if name:
            with Path(name).open("a", encoding="utf-8") as file:
                file.write(text)
        else:
            self.client.write(text, stream)

    def report_ends(self, nodes: Sequence[str], tasks: Sequence[Task]) -> int:
        """Print srun's lines on tasks that failed; the exit code of srun."""
        groups: dict[tuple[str, int], list[int]] = defaultdict(list)
        for task, rank in zip(tasks, self.ranks, strict=True):
            if rank.code:
                groups[task.node, rank.code].append(task.rank)
        text = ""
        for (node, code), ranks in sorted(
            groups.items(), key=lambda g: (nodes.index(g[0][0]), g[0])
        ):
            which = f"task{'s' if len(ranks) > 1 else ''} {_ranges(ranks)}"
            text += f"srun: error: {node}: {which}: {_end(code)}\n"
        self.client.write(text, 2)
        return max((128 - code if code < 0 else code for _, code in groups), default=0)


def _end(code: int) -> str:
    if code > 0:
        return f"Exited with exit code {code}"
    known = {int(number): text for number, text in _DEATHS.items()}
    return known.get(-code, f"Signal {-code}")


def _ranges(ranks: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for rank in sorted(ranks):
        if runs and rank == runs[-1][-1] + 1:
            runs[-1].append(rank)
        else:
            runs.append([rank])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else indices(run) for run in runs)


def which(name: str, environment: Mapping[str, str], cwd: str) -> tuple[str, int]:
    """The file that a command is, as slurmstepd looks for it.

    Returns:
        its path and 0, or "" and the exit code: 2 if there is none, 13 if it may not be executed.
    """
    if "/" in name:
        path = os.path.join(cwd, name)  # noqa: PTH118
        if os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112
            return path, 0
        return "", 13 if os.path.exists(path) else 2  # noqa: PTH110
    for folder in environment.get("PATH", "").split(":"):
        path = os.path.join(cwd, folder, name)  # noqa: PTH118
        if folder and os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112
            return path, 0
    return "", 13 if os.path.exists(os.path.join(cwd, name)) else 2  # noqa: PTH110, PTH118
