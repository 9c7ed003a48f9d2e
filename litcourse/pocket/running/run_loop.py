"""The loop of a job: waits for reports, moves the clock, and stops what goes on for too long."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from litcourse.pocket.reading import values
from litcourse.pocket.running import batch_shell
from litcourse.pocket.running.launches import Launch, Rank
from litcourse.pocket.running.reports import Client, Report, Reports
from litcourse.pocket.running.session_processes import SessionProcesses, quiet, send
from litcourse.pocket.running.step_starter import StepStarter

if TYPE_CHECKING:
    from litcourse.pocket.job import Job

REQUEUE_WAIT = 10.0
"""Virtual seconds from the end of a run to the next."""
_SHORT, _LONG = 0.001, 0.02
"""Seconds of the wall's clock between two looks at the job's processes."""
_MOST_RESTARTS = 8


class RunLoop:
    """Runs a job to its end.

    Args:
        job: the job, which has not begun.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._began = time.monotonic()
        self._checked = 0.0

    def run(self) -> None:
        """Run the job, again each time that it is requeued, and fill in the outcome."""
        while True:
            self._run_once()
            if self._job.ending != "requeue" or self._job.outcome.stopped:
                break
            if self._job.restart == _MOST_RESTARTS:
                self._job.outcome.stopped = "restarts"
                break
            self._job.restart += 1
            self._job.clock.now += REQUEUE_WAIT
        self._job.outcome.restarts = self._job.restart

    def _run_once(self) -> None:
        self._job.ending, self._job.killed, self._job.launches = "", False, []
        self._job.clock.clear()
        self._job.allocation = self._job.outcome.allocation = self._job.allocate(self._job.restart)
        files = batch_shell.open_outputs(self._job.facts, self._job.allocation, self._job.outcome)
        if files is None:
            self._set_end("FAILED", "JobLaunchFailure", "0:53")
            return
        self._job.note("started", nodes=self._job.allocation.nodes)
        with contextlib.ExitStack() as stack:
            for file in files.streams:
                stack.callback(os.close, file)
            self._job.session = SessionProcesses(str(self._job.folder))
            self._reports = Reports(self._job.folder / "socket")
            stack.callback(self._close)
            self._job.steps = StepStarter(self._job)
            # Said before the script is started: an interrupt may come at any moment after.
            stack.callback(self._job.session.end)
            process = batch_shell.start(self._job, files)
            if process is None:
                self._set_end("FAILED", "NonZeroExitCode", "2:0")
                return
            self._set_timers()
            self._attend(process)
        self._set_end_of(process.wait())

    def _close(self) -> None:
        self._reports.close()
        (self._job.folder / "socket" / "reports").unlink(missing_ok=True)

    def _set_timers(self) -> None:
        limit = self._job.allocation.minutes * 60.0
        warning = self._job.facts.submitted.options.get("signal")
        if warning is not None:
            notice = values.warning(warning)
            self._job.clock.after(max(0.0, limit - notice.seconds), lambda: self._warn(notice))
        self._job.clock.after(limit, self._limit)
        for seconds, action in self._job.alarms if self._job.restart == 0 else ():
            self._job.clock.after(seconds, lambda action=action: action(self._job))  # type: ignore[misc]

    def _warn(self, notice: values.Notice) -> None:
        if notice.batch_only:
            self._job.signal_batch(notice.number)
        else:
            self._job.note("signalled", signal=notice.number, whom="steps")
            self._job.signal_steps(notice.number)

    def _limit(self) -> None:
        self._job.note("limit")
        self._job.end_run("limit")

    def _attend(self, process: subprocess.Popen[bytes]) -> None:
        """Handle what happens until the batch shell has ended."""
        ended = _watch_end(process, self._reports)
        pause = _SHORT
        try:
            while process.poll() is None and not self._job.killed and not self._job.outcome.stopped:
                found = self._reports.wait(pause)
                for report in found:
                    self._handle(report)
                pause = _SHORT if found else min(pause * 2, _LONG)
                if not found and self._waits() and self._all_sleep() and process.poll() is None:
                    self._job.clock.jump()
                    pause = _SHORT
                self._check_limits()
            # The job ends with its batch shell: steps that still run are terminated.
            self._job.signal_steps(signal.SIGTERM)
            for report in self._reports.wait(0):
                self._handle(report)
        finally:
            ended()

    def _waits(self) -> bool:
        launches = self._job.launches
        return any(one.begun or one.step is None or not one.placed for one in launches)

    def _all_sleep(self) -> bool:
        """Whether all processes sleep and nothing has been reported that was not handled."""
        if self._job.session.still_busy():
            return False
        before = self._job.session.look()
        if not all(seen.asleep for seen in before.values()):
            return False
        found = self._reports.wait(0)
        for report in found:
            self._handle(report)
        return not found and quiet(before, self._job.session.look())

    def _check_limits(self) -> None:
        now = time.monotonic()
        if now - self._began > self._job.limits.time:
            self._job.outcome.stopped = "time"
        elif now - self._checked > _LONG * 5:
            self._checked = now
            processes = self._job.session.look()
            if len(processes) > self._job.limits.processes:
                self._job.outcome.stopped = "processes"
            elif sum(seen.seconds for seen in processes.values()) > self._job.limits.processor:
                self._job.outcome.stopped = "processor"

    # --- what is reported ------------------------------------------------------------------------

    def _handle(self, report: Report) -> None:
        client = report.client
        launch = next((found for found in self._job.launches if found.client is client), None)
        if report.kind == "start":
            self._start(client)
        elif launch is None:
            return
        elif report.kind == "signal":
            self._signalled(launch, report.values[0])
        elif report.kind == "gone":
            self._gone(launch)
        else:
            self._job.steps.heard(launch, report)

    def _start(self, client: Client) -> None:
        if client.words[0] == "srun":
            self._job.steps.start(client)
            return
        launch = Launch(client, begun=True)
        node = client.environment.get("SLURMD_NODENAME", self._job.allocation.nodes[0])
        rank = Rank(launch, client.words, client.environment, client.cwd, node)
        launch.ranks.append(rank)
        self._job.launches.append(launch)
        self._job.begin(rank)

    def _signalled(self, launch: Launch, number: int) -> None:
        """A stand-in has got a signal: srun hands it on, others take it."""
        if launch.step is None:
            self._job.signal_rank(launch.ranks[0], number)
        elif not launch.begun:
            self._job.launches.remove(launch)
            launch.client.say("die", number)
        elif number != signal.SIGCONT:
            self._job.signal_launch(launch, number)

    def _gone(self, launch: Launch) -> None:
        """A stand-in was killed, and its ranks with it."""
        self._job.launches.remove(launch)
        for pid in launch.children.values():
            send(pid, signal.SIGKILL)
        for rank in launch.ranks:
            if rank.alive:
                rank.code = -signal.SIGKILL
                if rank.process is not None:
                    rank.process.exit_code = rank.code
        self._job.steps.retry()

    # --- the end ---------------------------------------------------------------------------------

    def _set_end_of(self, code: int) -> None:
        if self._job.outcome.stopped:
            self._set_end("", "None", "0:0")
        elif self._job.ending == "limit":
            self._set_end("TIMEOUT", "TimeLimit", "0:15")
        elif self._job.ending:
            self._set_end("CANCELLED", "None", "0:15")
        elif code < 0:
            self._set_end("FAILED", "JobLaunchFailure", f"0:{-code}")
        elif code:
            self._set_end("FAILED", "NonZeroExitCode", f"{code}:0")
        else:
            self._set_end("COMPLETED", "None", "0:0")

    def _set_end(self, state: str, reason: str, code: str) -> None:
        outcome = self._job.outcome
        outcome.state, outcome.reason, outcome.exit_code = state, reason, code
        self._job.note("ended", state=state)


def _watch_end(process: subprocess.Popen[bytes], reports: Reports) -> Callable[[], None]:
    """Have `reports.wait` return when a process ends; what undoes it."""
    if not hasattr(os, "pidfd_open"):
        return lambda: None
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return lambda: None
    reports.watch(descriptor)

    def undo() -> None:
        reports.forget(descriptor)
        os.close(descriptor)

    return undo
