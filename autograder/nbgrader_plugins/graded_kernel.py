"""A Jupyter kernel that executes a student's cells and takes evidence.

`autograder.engine` provides it: forked from a warm process, and isolated unless switched off.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, v4
from traitlets import Type
from traitlets.config import Config

from autograder.engine.provisioner import WarmProvisioner
from autograder.engine.sandbox import CHANNEL, EVIDENCE
from autograder.engine.watch import Watch
from autograder.nbgrader_plugins.evidence_store import read_untrusted

KERNEL = "litcourse-graded"
"""Name of the kernel specification, which `autograder` installs."""
_STOP_SECONDS = 5.0
"""Seconds to wait for the processor time of a killed kernel."""

MAX_OUTPUT = 2**20
"""Characters of output that are kept of one cell."""


@dataclass
class Outcome:
    """The outcome of a cell.

    Args:
        status: "done" (also with an exception), "late" (interrupted at its time limit), "stuck"
            (an interrupt did not end it) or "dead" (the kernel died).
        error: name and message of an exception, or "".
        limit: the limit that a dead kernel exceeded: "cpu", "memory", or "".
        flooded: whether output was dropped, because there was too much of it.
        outputs: the cell's outputs.
    """

    status: str
    error: str = ""
    outputs: list[NotebookNode] = field(default_factory=list)
    limit: str = ""
    flooded: bool = False

    @property
    def kernel_lost(self) -> bool:
        """Whether the kernel can run no further cell."""
        return self.status in {"stuck", "dead"}


class Kernel:
    """One kernel process.

    Args:
        folder: folder with the files for its working folder.
        startup_seconds: time limit of its start, that of the warm process included.
        sandbox: isolate it.
        limits: by name, for `autograder.engine.limits.Limits`.
    """

    def __init__(
        self, folder: Path, startup_seconds: int, *, sandbox: bool, limits: dict[str, int]
    ) -> None:
        settings = {"sandbox": sandbox, "limits": limits, "startup_seconds": startup_seconds}
        self._sandbox = sandbox
        self._client = _CellClient(
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
        self._client.create_kernel_manager().client_factory = _KernelClient
        try:
            self._client.start_new_kernel(cwd=str(folder), env={"NBGRADER_EXECUTION": "autograde"})
            self._client.start_new_kernel_client()
        except BaseException:
            if self._client.km is not None:  # nbclient 0.11 leaves files behind when a start fails
                self._client.km.cleanup_resources()
            raise
        self._cpu_seconds_at_start = self._read_cpu_seconds()

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
        outcome = self._client.run(source, seconds)
        outcome.flooded = self._client.room < 0
        if outcome.status == "dead" and self._provisioner.link is not None:
            outcome.limit = str((self._provisioner.link.poll() or {}).get("reason", ""))
        return outcome

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
            OSError: the evidence is too large, or is no plain file.
        """
        channel = self._provisioner.channel
        (channel / "inputs").write_bytes(inputs)
        (channel / "inputs").chmod(0o644)  # the kernel is another user; the folder above is ours
        os.truncate(channel / "evidence", 0)
        inbox, outbox = channel / "inputs", channel / "evidence"
        if self._sandbox:
            inbox, outbox = CHANNEL / "inputs", EVIDENCE
        module = '__import__("litcourse.frontends.kernel_entry", fromlist=["write_evidence"])'
        places = f"{str(inbox)!r}, {str(outbox)!r}"
        source = f"{module}.write_evidence({lab!r}, {question_id!r}, {places}, globals())"
        try:
            outcome = self.run(source, seconds)
            done = outcome.status == "done"
            return outcome, read_untrusted(channel / "evidence") if done else b""
        finally:
            (channel / "inputs").unlink()

    def stop(self) -> float:
        """Kill the kernel, which may be dead already.

        Returns:
            CPU seconds since it was ready, those of its child processes included.
        """
        seconds = 0.0
        link = self._provisioner.link
        if link is not None:
            link.signal(signal.SIGKILL)
            seconds = max(
                0.0, link.wait_for_cpu_seconds(_STOP_SECONDS) - self._cpu_seconds_at_start
            )
        self._client._cleanup_kernel()  # noqa: SLF001 (nbclient 0.11 has no public name for it)
        return seconds


class _Channel(AsyncZMQSocketChannel):
    """A channel that ends at its time and yields to other tasks, however many messages come."""

    end = math.inf

    async def get_msg(  # type: ignore[override]  # as AsyncZMQSocketChannel's own
        self,
        timeout: float | None = None,  # noqa: ASYNC109 (jupyter_client's signature)
    ) -> dict[str, Any]:
        """The next message.

        Raises:
            Empty: none came within `timeout` seconds, or before `end`.
        """
        await asyncio.sleep(0)  # with messages ready, nothing else here would yield
        if time.monotonic() > self.end:
            raise Empty
        return await super().get_msg(timeout)


class _KernelClient(AsyncKernelClient):
    """A kernel client that is ready as soon as the kernel is."""

    shell_channel_class = Type(_Channel)
    iopub_channel_class = Type(_Channel)

    async def wait_for_ready(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 (jupyter_client's signature)
    ) -> None:
        """Wait until the kernel answers and its output arrives.

        As in jupyter_client 8.10, which then listens for another 0.2 s. Messages that arrive later
        have another parent id, and nbclient skips them.

        Raises:
            RuntimeError: the kernel died, or `timeout` seconds were not enough.
        """
        end = time.monotonic() + (math.inf if timeout is None else timeout)
        while True:
            self.kernel_info()
            with contextlib.suppress(Empty):
                reply = await self.get_shell_msg(timeout=1)
                await self.get_iopub_msg(timeout=0.2)
                self._handle_kernel_info_reply(reply)
                return
            if not await self._async_is_alive():
                raise RuntimeError("the kernel died before it answered")
            if time.monotonic() > end:
                raise RuntimeError(f"the kernel did not answer within {timeout:.0f} s")


class _CellClient(NotebookClient):
    """nbclient for one cell at a time, with a limit on the output that it keeps."""

    timed_out = False
    reply: dict[str, Any] | None = None
    room = MAX_OUTPUT

    def run(self, source: str, seconds: float) -> Outcome:
        cell = NotebookNode(
            cell_type="code", source=source, metadata=NotebookNode(), outputs=[]
        )  # as v4.new_code_cell makes it, without its slow validation
        self.nb = NotebookNode(cells=[cell], metadata=NotebookNode())
        self.reset_execution_trackers()
        self.timed_out, self.reply, self.room = False, None, MAX_OUTPUT
        self.timeout = max(1, math.ceil(seconds))
        channels: Any = self.kc
        channels.shell_channel.end = time.monotonic() + self.timeout
        self.on_cell_executed = self._keep_reply
        try:
            self.execute_cell(cell, 0)
        except CellTimeoutError:
            return Outcome("stuck", outputs=cell.outputs)
        except DeadKernelError:
            return Outcome("dead", outputs=cell.outputs)
        except Exception:  # noqa: BLE001 (messages that nbclient did not expect)
            # Code in the kernel can send any message; the state of the kernel is unknown then.
            return Outcome("stuck", outputs=cell.outputs)
        cell.outputs = _merge_outputs(cell.outputs)
        for output in cell.outputs:
            _drop_other_data(output)
        status = "late" if self.timed_out else "done"
        return Outcome(status, self._error(), cell.outputs)

    def _keep_reply(self, **kwargs: Any) -> None:
        self.reply = kwargs["execute_reply"]

    def _error(self) -> str:
        content = self.reply["content"] if self.reply else {}
        if content.get("status") != "error":
            return ""
        return f"{content.get('ename')}: {content.get('evalue')}"[:500]

    async def _async_handle_timeout(
        self,
        timeout: int,  # noqa: ASYNC109 (nbclient's signature)
        cell: NotebookNode | None = None,
    ) -> dict[str, Any] | None:
        self.timed_out = True
        reply: dict[str, Any] | None = await super()._async_handle_timeout(timeout, cell)
        return reply

    def handle_comm_msg(
        self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int
    ) -> None:
        """Ignore widgets, such as progress bars: nobody looks at them here."""

    def _update_display_id(self, display_id: str, msg: dict[str, Any]) -> None:
        """Ignore changes of an earlier output, such as a bar's: its first version stays."""

    def output(
        self,
        outs: list[NotebookNode],
        msg: Any,
        display_id: str | None,
        cell_index: int,
    ) -> NotebookNode | None:
        self.room -= len(str(msg["content"]))
        if self.room < 0:
            return None
        return super().output(outs, msg, display_id, cell_index)


def _merge_outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Merge the streams of one name into one output, with each line as a terminal shows it.

    nbclient 0.11 uses regular expressions that take hours for one line of a megabyte.
    """
    streams: dict[str, list[str]] = {}
    kept = []
    for output in outputs:
        if output.output_type != "stream":
            kept.append(output)
            continue
        output.name = "stderr" if output.get("name") == "stderr" else "stdout"
        if output.name not in streams:
            kept.append(output)
        streams.setdefault(output.name, []).append(str(output.get("text", "")))
    for output in kept:
        if output.output_type == "stream":
            lines = "".join(streams[output.name]).replace("\b", "").split("\n")
            output.text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return kept


def _drop_other_data(output: NotebookNode) -> None:
    """Drop data of an output that is not text: it would break the feedback."""
    data = output.get("data", {})
    if "metadata" in output:
        output.metadata = NotebookNode()
    for kind in [kind for kind, value in data.items() if not isinstance(value, str)]:
        del data[kind]
