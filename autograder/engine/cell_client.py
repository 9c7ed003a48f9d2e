"""Executes cells in a kernel by nbclient: one at a time, with limits on time and on output."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from traitlets import Type

from litcourse.core.serialization import writable

MAX_OUTPUT = 2**20
"""Bytes of output, as JSON, that are kept of one cell."""
_SLICE = 1.0
"""Seconds between two looks at a kernel's own time, once a limit has passed on the wall clock."""


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
        fault: what the machine did to it, so that its outcome says nothing of the code; or "".
        own_seconds: seconds that the kernel had for itself meanwhile.
    """

    status: str
    error: str = ""
    outputs: list[NotebookNode] = field(default_factory=list)
    limit: str = ""
    flooded: bool = False
    fault: str = ""
    own_seconds: float = 0.0

    @property
    def kernel_lost(self) -> bool:
        """Whether the kernel can run no further cell."""
        return self.status in {"stuck", "dead"}


class _Channel(AsyncZMQSocketChannel):
    """A channel that ends at its time and yields to other tasks, however many messages come."""

    end = math.inf

    async def get_msg(  # type: ignore[override]  # as AsyncZMQSocketChannel's own
        self,
        timeout: float | None = None,  # noqa: ASYNC109 (jupyter_client's signature)
    ) -> dict[str, Any]:
        """The next message.

        Raises:
            Empty: none came before `end` or, without that, within `timeout` seconds.
        """
        await asyncio.sleep(0)  # with messages ready, nothing else here would yield
        left = self.end - time.monotonic()
        if left < 0:
            raise Empty
        return await super().get_msg(timeout if math.isinf(left) else left)


class KernelClient(AsyncKernelClient):
    """A kernel client that is ready as soon as the kernel is."""

    shell_channel_class = Type(_Channel)
    iopub_channel_class = Type(_Channel)

    def start_channels(
        self,
        shell: bool = True,
        iopub: bool = True,
        stdin: bool = True,
        hb: bool = True,  # noqa: ARG002 (jupyter_client's signature)
        control: bool = True,
    ) -> None:
        """Start the channels but the heartbeat.

        The provisioner knows whether the kernel lives. jupyter_client 8.10 reads a heartbeat
        without a deadline, and joins the thread that does: a kernel that sends a broken one holds
        its grader up.
        """
        super().start_channels(shell, iopub, stdin, hb=False, control=control)

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


class CellClient(NotebookClient):
    """nbclient for one cell at a time, with a limit on the output that it keeps."""

    timed_out = False
    reply: dict[str, Any] | None = None
    room = MAX_OUTPUT
    room_left = 8 * MAX_OUTPUT
    """Bytes of output that the notebook has left."""
    own_seconds: Callable[[], float]
    """Seconds that the kernel had for itself since the cell began."""

    def run(self, source: str, seconds: float, stretch: int) -> Outcome:
        """Execute `source`.

        Args:
            source: the cell.
            seconds: seconds that it may have for itself.
            stretch: it may take so many times `seconds` in wall-clock time.
        """
        cell = NotebookNode(
            cell_type="code", source=source, metadata=NotebookNode(), outputs=[]
        )  # as v4.new_code_cell makes it, without its slow validation
        self.nb = NotebookNode(cells=[cell], metadata=NotebookNode())
        self.reset_execution_trackers()
        self.timed_out, self.reply = False, None
        self.room = room = min(MAX_OUTPUT, self.room_left)
        self.timeout = max(1, math.ceil(seconds))
        channels: Any = self.kc
        channels.shell_channel.end = time.monotonic() + self.timeout
        self.last_end = time.monotonic() + self.timeout * stretch
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
        finally:
            self.room_left -= room - max(0, self.room)
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
        return writable(f"{content.get('ename')}: {content.get('evalue')}"[:500])

    async def _async_handle_timeout(
        self,
        timeout: int,  # noqa: ASYNC109 (nbclient's signature)
        cell: NotebookNode | None = None,
    ) -> dict[str, Any] | None:
        now = time.monotonic()
        channels: Any = self.kc
        if now + _SLICE < self.last_end and self.own_seconds() < timeout:
            channels.shell_channel.end = now + _SLICE
            return None  # nbclient waits for another message
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
        """Keep an output, unless the cell has printed too much already."""
        if self.room < 0:
            return None
        size = len(json.dumps(msg["content"], default=str))  # as on the disk: \\u0000 is six
        if size > self.room:
            self.room = -1
            return None
        self.room -= size
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
