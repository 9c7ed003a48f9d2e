"""Runs a batch script in the pocket: one queue of events, one virtual clock, from start to end.

The script runs under its own shell, with stand-ins first on its PATH. They report on a socket
and wait; nothing else makes anything happen. When every process of the job sleeps, and some
wait in a stand-in, the clock jumps to the next event.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from litcourse.pocket.allocation import Allocation
from litcourse.pocket.machine import indices
from litcourse.pocket.outcome import Event, Outcome, Process
from litcourse.pocket.running import batch_shell, shell_commands
from litcourse.pocket.running.launches import Launch, Program, Rank
from litcourse.pocket.running.session_processes import (
    SessionProcesses,
    descendants,
    send,
)
from litcourse.pocket.running.step_starter import StepStarter
from litcourse.pocket.running.virtual_clock import VirtualClock
from litcourse.pocket.variables import Facts, shown_variables

KILL_WAIT = 30.0
"""Virtual seconds between SIGTERM and SIGKILL, Slurm's KillWait."""
_FIRST_EVENING = datetime(2026, 1, 5, 23, 30)  # noqa: DTZ001  (Slurm writes local time)
_DAYS = 300
"""Each job id has a day of its own, of so many: two jobs do not begin at one time."""
_NO_SIGNAL = (signal.SIGCONT, signal.SIGCHLD, signal.SIGWINCH)


@dataclass(frozen=True)
class Limits:
    """When a job is stopped and not looked at further.

    Args:
        processor: seconds of processor time of all its processes.
        time: seconds by the clock on the wall.
        processes: how many it may have at a time.
    """

    processor: float = 10
    time: float = 60
    processes: int = 200


class Job:
    """A job that runs, as programs and commands see it.

    Args:
        facts: what the job is.
        allocate: gives the allocation of the n-th run.
        program: what `python` does.
        folder: a folder of the pocket's own; its path goes into the stand-ins.
        limits: when to stop it.
        outcome: what is filled in.
    """

    def __init__(
        self, facts: Facts, allocate: Callable[[int], Allocation], program: Program,
        folder: Path, limits: Limits, outcome: Outcome,
    ) -> None:  # fmt: skip
        self.facts, self.program, self.outcome, self.folder = facts, program, outcome, folder
        self.limits, self.allocate = limits, allocate
        self.clock, self.restart = VirtualClock(), 0
        self._begin = _FIRST_EVENING + timedelta(days=facts.id % _DAYS)
        self.allocation = allocate(0)
        self.launches: list[Launch] = []
        self.session = SessionProcesses(str(folder))
        self.steps = StepStarter(self)
        self.alarms: Sequence[tuple[float, Callable[[Job], None]]] = ()
        """What is to be done to the job at a virtual second of its first run."""
        self.ending = ""
        """Why the run is being ended: "requeue", "limit" or "cancelled"."""
        self.submitted_inside = 0
        """Jobs that the job has submitted."""
        self._splits = bool(facts.submitted.options.get("error"))
        self.killed = False
        """Whether SIGKILL is due."""

    def date(self) -> str:
        """The time as Slurm's lines write it. Jobs begin at half past eleven in the evening.

        So a folder that is named by the day is another one after an hour, as it may be anywhere.
        """
        return (self._begin + timedelta(seconds=int(self.now))).isoformat()

    @property
    def error_name(self) -> str:
        """Path of the file that the batch shell's standard error goes to."""
        return list(self.outcome.outputs)[1] if self._splits else self.outcome.log

    # --- for programs ----------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual seconds since the job was submitted."""
        return self.clock.now

    def note(self, what: str, **details: object) -> None:
        """Keep an event for the evidence."""
        self.outcome.clock.append(Event(round(self.now, 3), self.restart, what, details))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Have `action` called in so many virtual seconds, if this run of the job lasts so long."""
        self.clock.after(seconds, action)

    def write(self, rank: Rank, text: str, stream: int = 1) -> None:
        """Write for a rank."""
        rank.launch.write(rank, text, stream)

    def end(self, rank: Rank, code: int) -> None:
        """End a rank; a negative code is a signal."""
        if not rank.alive:
            return
        rank.code = code
        if rank.process is not None:
            rank.process.exit_code = code
        launch = rank.launch
        if launch.step is not None:
            if launch.ended and launch.begun:
                self.steps.finish(launch)
            return
        self.launches.remove(launch)
        if code < 0:
            launch.client.say("die", -code)
        else:
            launch.client.exit(code)

    def requeue(self, job_id: str = "") -> str:
        """Requeue the job, as `scontrol requeue` does; why not, or ""."""
        options = self.facts.submitted.options
        allowed = "requeue" in options or (
            self.facts.machine.may_requeue and "no-requeue" not in options
        )
        if job_id and job_id != str(self.facts.id):
            return f"Invalid job id specified for job {job_id}"
        if not allowed:
            self.note("refused")
            return f"Requested operation is presently disabled for job {self.facts.id}"
        self.note("requeued")
        self.end_run("requeue")
        return ""

    def signal_steps(self, number: int, step: int | None = None) -> None:
        """Send a signal to every process of the job's steps, or of one of them."""
        for launch in list(self.launches):
            if launch.step is not None and step in {None, launch.step.number}:
                self.signal_launch(launch, number)

    def signal_launch(self, launch: Launch, number: int) -> None:
        """Send a signal to the tasks of one srun."""
        if launch.real:
            for pid in descendants(self.session.look(), set(launch.children.values())):
                send(pid, number)
            return
        for rank in list(launch.ranks):
            if rank.alive:
                self.signal_rank(rank, number)

    def signal_rank(self, rank: Rank, number: int) -> None:
        """Let a signal do to a rank what it does."""
        if rank.process is not None and self.program.signal(rank, number, self):
            return
        if number not in _NO_SIGNAL:
            self.end(rank, -number)

    def signal_batch(self, number: int) -> None:
        """Send a signal to the batch shell alone."""
        self.note("signalled", signal=number, whom="batch shell")
        send(self.session.leader, number)

    def end_run(self, why: str) -> None:
        """Begin to end this run: SIGTERM to all, and SIGKILL a while later."""
        if self.ending:
            return
        self.ending = why
        batch_shell.report_end(self, why)
        self.clock.after(KILL_WAIT, self._kill)
        self.signal_steps(signal.SIGCONT)
        self.signal_steps(signal.SIGTERM)
        for pid in self.session.look():
            send(pid, signal.SIGTERM)

    def _kill(self) -> None:
        self.killed = True

    # --- commands ---------------------------------------------------------------------------------

    def begin(self, rank: Rank) -> None:
        """Let a rank do what its command does."""
        if rank.program.startswith("python") or rank.program in {"torchrun", "accelerate"}:
            rank.process = self._process(rank)
            self.outcome.processes.append(rank.process)
            self.program.start(rank, self)
        else:
            shell_commands.run(rank, self)

    def _process(self, rank: Rank) -> Process:
        shown = shown_variables(rank.environment)
        return Process(
            program=rank.program, argv=list(rank.words[1:]), cwd=rank.cwd, host=rank.node,
            step=rank.environment.get("SLURM_STEP_ID", "batch"), restart=self.restart,
            cores=self.cores(rank), environment=shown,
        )  # fmt: skip

    def cores(self, rank: Rank) -> int:
        """How many cores a rank is bound to."""
        step = self.steps.cores.get(rank.environment.get("SLURM_STEP_ID", "batch"))
        return step or self.allocation.shares[0].cores

    def gpus(self, environment: dict[str, str], node: str) -> int:
        """How many GPUs a process sees: those that are named, else the job's on its node."""
        named = environment.get("CUDA_VISIBLE_DEVICES")
        shares = {share.node: share for share in self.allocation.shares}
        held = shares[node].gpus_held if node in shares else 0
        if named is None:
            return held
        return len([name for name in named.split(",") if name in indices(range(held)).split(",")])
