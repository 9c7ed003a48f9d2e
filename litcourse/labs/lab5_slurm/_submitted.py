"""Reads the evidence of one submission to the pocket, with its types checked."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.labs.lab5_slurm._pocket_runs import PROGRAM, VARIABLES
from litcourse.pocket.programs.training import script_of

_INTERPRETERS = ("python", "python3")
_ERROR = re.compile(
    r"[Ee]rror|not found|can.t open|No such file|cannot |unbound variable|unexpected"
)
_SUBMITS = "sbatch inside of a job"
"""How the pocket says that a job has submitted another one, which it does not run."""


@dataclass(frozen=True)
class Seen:
    """One process: what it was started with, and what it saw.

    Args:
        words: its arguments.
        step: "batch" for the script's own, else the number of the step.
        exit_code: negative for a signal; None if it was still there at the end.
    """

    program: str
    words: tuple[str, ...]
    host: str
    step: str
    restart: int
    cores: int
    exit_code: int | None
    environment: dict[str, str]

    @property
    def trains(self) -> bool:
        """Whether it is `python train.py`, with whatever arguments."""
        script = script_of(list(self.words))
        return self.program in _INTERPRETERS and PurePosixPath(script or "").name == PROGRAM

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of `train.py`."""
        names = [PurePosixPath(word).name for word in self.words]
        return self.words[names.index(PROGRAM) + 1 :] if PROGRAM in names else ()


@dataclass(frozen=True)
class Moment:
    """An event of the job, at a second of the virtual clock."""

    seconds: float
    restart: int
    what: str
    details: str


@dataclass(frozen=True)
class Share:
    """What a job got of one node; `memory` in MB."""

    node: str
    tasks: int
    cores: int
    gpus: int
    memory: int


@dataclass(frozen=True)
class Submitted:
    """What became of one submission.

    Args:
        command: the command line.
        rc: sbatch's exit code; `said` are its words.
        asked: options in force, by long name.
        unread: lines that look like directives and that sbatch does not read.
        shares: one for each node; none where sbatch refused.
        processes: in order; see `Seen`.
        logs: the lines of each log, by name.
        ended: state and exit code, such as "COMPLETED 0:0".
        open_reason: why the pocket can't tell, "" if it can.
        submits: whether the job has submitted another one.
        stopped: which bound of the pocket the script itself ran into, or "".
    """

    command: str
    rc: int
    said: str
    asked: dict[str, str]
    unread: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()
    minutes: int = 0
    job_name: str = ""
    processes: tuple[Seen, ...] = ()
    logs: dict[str, list[str]] = field(default_factory=dict)
    ended: str = ""
    reason: str = ""
    restarts: int = 0
    clock: tuple[Moment, ...] = ()
    open_reason: str = ""
    submits: bool = False
    stopped: str = ""

    def training(self, restart: int | None = None) -> list[Seen]:
        """The processes that are `train.py`, of one run or of all."""
        return [p for p in self.processes if p.trains and restart in {None, p.restart}]

    def moments(self, what: str, restart: int | None = None) -> list[Moment]:
        """Events of one kind, of one run or of all."""
        return [m for m in self.clock if m.what == what and restart in {None, m.restart}]

    @property
    def said_errors(self) -> list[str]:
        """Lines of the logs that say what went wrong."""
        return [line for line in self.lines() if _ERROR.search(line)]

    def lines(self) -> list[str]:
        """The lines of all logs."""
        return [line for lines in self.logs.values() for line in lines]

    def quote(self, *names: str) -> str:
        """The options of these names as the job had them: "--time=60, no --mem"."""
        return ", ".join(_option(name, self.asked.get(name)) for name in names)

    def quote_given(self, *names: str) -> str:
        """Those of the options that the job had, or "" if it had none of them."""
        return ", ".join(_option(n, self.asked[n]) for n in names if n in self.asked)


def _option(name: str, value: str | None) -> str:
    if value is None:
        return f"no --{name}"
    return f"--{name}={value}" if value else f"--{name}"


def read(evidence: Evidence) -> Submitted:
    """Read a submission.

    Raises:
        MalformedError: the evidence is none that a probe writes.
    """
    submit, asked, allocation = evidence["submit"], evidence["asked"], evidence["allocation"]
    stopped, beyond = evidence["stopped"].text(), evidence["beyond"].texts()
    others = [text for text in beyond if not text.startswith(_SUBMITS)]
    late = "the machine was too busy to run the job to its end" if stopped == "time" else ""
    held = not allocation.is_none
    return Submitted(
        command=submit["command"].text(),
        rc=submit["rc"].integer(),
        said=submit["said"].text(),
        asked={name: asked[name].text() for name in asked.keys()},  # noqa: SIM118  (no dict)
        unread=tuple(evidence["unread"].texts()),
        shares=_shares(allocation) if held else (),
        minutes=allocation["minutes"].integer() if held else 0,
        job_name=allocation["job_name"].text() if held else "",
        processes=_processes(evidence["processes"]),
        logs={n: evidence["logs"][n].texts() for n in evidence["logs"].keys()},  # noqa: SIM118
        ended=evidence["ended"].text(),
        reason=evidence["reason"].text(),
        restarts=evidence["restarts"].integer(),
        clock=_clock(evidence["clock"]),
        open_reason="; ".join(f"beyond the pocket: {text}" for text in others) or late,
        submits=len(others) < len(beyond),
        stopped="" if stopped == "time" else stopped,
    )


def _shares(allocation: Evidence) -> tuple[Share, ...]:
    columns = [allocation[name].integers() for name in ("tasks", "cores", "gpus_held", "memory")]
    nodes = allocation["nodes"].texts()
    _same_length(allocation, [nodes, *columns])
    return tuple(Share(node, *numbers) for node, *numbers in zip(nodes, *columns, strict=True))


def _processes(columns: Evidence) -> tuple[Seen, ...]:
    texts = {name: columns[name].texts() for name in ("program", "words", "host", "step")}
    numbers = {name: columns[name].integers() for name in ("restart", "cores")}
    ends = [None if one.is_none else one.integer() for one in columns["exit"]]
    variables = {name: list(columns["environment"][name]) for name in VARIABLES}
    _same_length(columns, [*texts.values(), *numbers.values(), ends, *variables.values()])
    return tuple(
        Seen(
            texts["program"][i], _split(columns, texts["words"][i]), texts["host"][i],
            texts["step"][i], numbers["restart"][i], numbers["cores"][i], ends[i],
            {n: values[i].text() for n, values in variables.items() if not values[i].is_none},
        )
        for i in range(len(ends))
    )  # fmt: skip


def _split(columns: Evidence, text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError:
        raise MalformedError(columns.path, "command line") from None


def _clock(columns: Evidence) -> tuple[Moment, ...]:
    seconds, restarts = columns["seconds"].numbers(), columns["restart"].integers()
    kinds, details = columns["what"].texts(), columns["details"].texts()
    _same_length(columns, [seconds, restarts, kinds, details])
    if not all(map(math.isfinite, seconds)):
        raise MalformedError(columns.path, "finite times")
    rows = zip(seconds, restarts, kinds, details, strict=True)
    return tuple(Moment(*row) for row in rows)


def _same_length(node: Evidence, columns: list[list[object]] | list[object]) -> None:
    if len({len(column) for column in columns}) != 1:  # type: ignore[arg-type]
        raise MalformedError(node.path, "columns of one length")
