"""A Jupyter kernel that executes a student's cells and takes evidence.

`autograder.engine` provides it: forked from a warm process, and isolated unless switched off.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from nbformat import v4
from traitlets.config import Config

from autograder.engine.cell_client import MAX_OUTPUT, CellClient, KernelClient, Outcome
from autograder.engine.client import LOST
from autograder.engine.machine_faults import is_starved, require_room, was_killed_from_outside
from autograder.engine.provisioner import WarmProvisioner
from autograder.engine.sandbox import CHANNEL, EVIDENCE
from autograder.engine.watch import Watch
from autograder.nbgrader_plugins.evidence_store import read_untrusted
from litcourse.frontends.kernel_entry import NoRoomError

KERNEL = "litcourse-graded"
"""Name of the kernel specification, which `autograder` installs."""
_STOP_SECONDS = 5.0
"""Seconds to wait for the processor time of a killed kernel."""
_ANSWER_SECONDS = 5.0
"""Seconds to wait for the time that a kernel had for itself."""
_SHORT_SECONDS = 1.0
"""A cell that takes no longer is taken to have had all of it for itself."""


class Kernel:
    """One kernel process.

    Args:
        folder: folder with the files for its working folder.
        startup_seconds: time limit of its start, that of the warm process included.
        sandbox: isolate it.
        limits: by name, for `autograder.engine.limits.Limits`.
        stretch: a cell may take so many times its time limit on a busy machine.
        room: bytes of output that are kept of all its cells.
    """

    def __init__(
        self,
        folder: Path,
        startup_seconds: int,
        *,
        sandbox: bool,
        limits: dict[str, int],
        stretch: int = 1,
        room: int = 8 * MAX_OUTPUT,
    ) -> None:
        self._stretch = stretch
        settings = {"sandbox": sandbox, "limits": limits, "startup_seconds": startup_seconds}
        self._sandbox = sandbox
        self._client = CellClient(
            v4.new_notebook(),
            config=Config({"WarmProvisioner": settings}),
            kernel_name=KERNEL,
            kernel_manager_class=AsyncKernelManager,
            startup_timeout=startup_seconds,
            iopub_timeout=15,  # an interrupted cell may need a while on a busy machine
            interrupt_on_timeout=True,
            raise_on_iopub_timeout=True,
            error_on_timeout={"ename": "TimeLimit", "evalue": "", "traceback": []},
            allow_errors=True,
            record_timing=False,
            store_widget_state=False,
            shutdown_kernel="immediate",
        )
        self._client.room_left = room
        self._client.create_kernel_manager().client_factory = KernelClient
        try:
            self._client.start_new_kernel(cwd=str(folder), env={"NBGRADER_EXECUTION": "autograde"})
            self._client.start_new_kernel_client()
        except BaseException:
            if self._client.km is not None:  # nbclient 0.11 leaves files behind when a start fails
                self._client.km.cleanup_resources()
            raise
        self._cpu_seconds_at_start = self._read_cpu_seconds()
        self.disturbed = ""

    @property
    def room(self) -> int:
        """Bytes of output that its cells have left."""
        return self._client.room_left

    @property
    def _provisioner(self) -> WarmProvisioner:
        manager: Any = self._client.km
        found: WarmProvisioner = manager.provisioner
        return found

    def _read_cpu_seconds(self) -> float:
        link = self._provisioner.link
        return Watch(link.pid, 0).usage().cpu_seconds if link is not None else 0.0

    def run(self, source: str, seconds: float) -> Outcome:
        """Execute `source` as a cell, for at most `seconds`."""
        began = time.monotonic()
        self._client.own_seconds = lambda: self._own_seconds(began)
        outcome = self._client.run(source, seconds, self._stretch)
        outcome.flooded = self._client.room < 0
        took = time.monotonic() - began
        outcome.own_seconds = self._own_seconds(began) if took > _SHORT_SECONDS else took
        if outcome.status == "dead" and self._provisioner.link is not None:
            ended = self._provisioner.link.poll() or {}
            outcome.limit = str(ended.get("reason", ""))
            if not outcome.limit and was_killed_from_outside(ended.get("ended", LOST)):
                outcome.fault = "the kernel was killed from outside"
        elif outcome.status in {"late", "stuck"} and is_starved(outcome.own_seconds, took, seconds):
            outcome.fault = f"no answer within {took:.0f} s on a busy machine"
        return outcome

    def _own_seconds(self, since: float) -> float:
        """Seconds that the kernel had for itself; all of them if nobody knows."""
        link = self._provisioner.link
        found = None if link is None else link.own_seconds(since, _ANSWER_SECONDS)
        return time.monotonic() - since if found is None else found

    def take_evidence(
        self, lab: str, question_id: str, inputs: bytes, seconds: float
    ) -> tuple[Outcome, bytes]:
        """Run a question's probe in the notebook's namespace.

        Args:
            lab: id of the lab.
            question_id: id of the question.
            inputs: `EncodedInputs.shown`.
            seconds: time limit.

        Returns:
            the outcome of the probe, and the encoded evidence; b"" if there is none.

        Raises:
            OSError: the evidence is too large, or is no plain file; with a number of `NO_ROOM`, the
                grader's disk is full.
        """
        channel = self._provisioner.channel
        os.truncate(channel / "evidence", 0)  # first: what a student put there takes room
        (channel / "inputs").write_bytes(inputs)
        (channel / "inputs").chmod(0o644)  # the kernel is another user; the folder above is ours
        inbox, outbox = channel / "inputs", channel / "evidence"
        if self._sandbox:
            inbox, outbox = CHANNEL / "inputs", EVIDENCE
        module = '__import__("litcourse.frontends.kernel_entry", fromlist=["write_evidence"])'
        places = f"{str(inbox)!r}, {str(outbox)!r}"
        source = f"{module}.write_evidence({lab!r}, {question_id!r}, {places}, globals())"
        try:
            outcome = self.run(source, seconds)
            if outcome.error:  # it may have had no room for its evidence
                require_room(channel)
                if outcome.error.startswith(f"{NoRoomError.__name__}:"):  # there is some by now
                    outcome.fault = "the grader's disk had no room for evidence"
            done = outcome.status == "done"
            return outcome, read_untrusted(channel / "evidence") if done else b""
        finally:
            (channel / "inputs").unlink()

    def stop(self) -> float:
        """Kill the kernel, which may be dead already.

        Then `disturbed` names what kernels of one user took from each other, if they did.

        Returns:
            CPU seconds since it was ready, those of its child processes included.
        """
        seconds = 0.0
        link = self._provisioner.link
        if link is not None:
            link.signal(signal.SIGKILL)
            ended = link.wait_for_end(_STOP_SECONDS)
            seconds = max(0.0, ended.get("cpu_seconds", 0.0) - self._cpu_seconds_at_start)
            self.disturbed = str(ended.get("disturbed", ""))
        self._client._cleanup_kernel()  # noqa: SLF001 (nbclient 0.11 has no public name for it)
        return seconds
