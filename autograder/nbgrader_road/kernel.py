"""A Jupyter kernel in which a student's cells run: started, asked, interrupted, replaced.

It has a scrubbed environment and a working folder of its own. That keeps the grader's settings
out of it; it is no sandbox: the process can read what its user can read.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, v4

MAX_OUTPUT = 2**20
"""Characters of output that are kept of one cell."""
_KEPT = {
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP",
    "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES",
    "MPLCONFIGDIR", "XDG_CACHE_HOME", "OMP_NUM_THREADS", "SYSTEMROOT",
}  # fmt: skip
# `exit` of IPython ends the kernel; `sys.exit` raises SystemExit, an error of the cell alone.
_PREPARE = "import sys\nexit = quit = sys.exit\ndel sys"


@dataclass
class Outcome:
    """What became of a cell.

    Args:
        fate: "done" (an error of its own code included), "late" (interrupted at its time
            limit), "stuck" (it did not let itself be interrupted) or "dead" (the kernel died).
        error: name and message of an error, or "".
        outputs: what it showed.
    """

    fate: str
    error: str = ""
    outputs: list[NotebookNode] = field(default_factory=list)

    @property
    def kernel_lost(self) -> bool:
        """Whether nothing more can run in this kernel."""
        return self.fate in {"stuck", "dead"}


class Kernel:
    """One kernel process.

    Args:
        name: of the kernel specification, e.g. "python3".
        folder: its working folder.
        settings: folder for its own settings, empty.
        startup_seconds: how long it may take to start.
    """

    def __init__(self, name: str, folder: Path, settings: Path, startup_seconds: int) -> None:
        self._client = _Client(
            v4.new_notebook(),
            kernel_name=name,
            kernel_manager_class=AsyncKernelManager,
            startup_timeout=startup_seconds,
            iopub_timeout=15,  # an interrupted cell may need a while on a busy machine
            interrupt_on_timeout=True,
            raise_on_iopub_timeout=True,
            error_on_timeout={"ename": "TimeLimit", "evalue": "", "traceback": []},
            allow_errors=True,
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            shutdown_kernel="immediate",
        )
        self._client.create_kernel_manager()
        self._client.start_new_kernel(cwd=str(folder), env=environment(settings))
        self._client.start_new_kernel_client()
        self.run(_PREPARE, startup_seconds, history=False)

    def run(self, source: str, seconds: float, *, history: bool = True) -> Outcome:
        """Execute `source` as a cell, for at most `seconds`."""
        return self._client.run(source, seconds, history=history)

    def stop(self) -> None:
        """End the process; it may be dead already."""
        self._client._cleanup_kernel()  # noqa: SLF001 (nbclient 0.11 has no public name for it)


class _Client(NotebookClient):
    """nbclient, one cell at a time, with what it keeps of an output bounded."""

    timed_out = False
    reply: dict[str, Any] | None = None
    room = MAX_OUTPUT

    def run(self, source: str, seconds: float, *, history: bool) -> Outcome:
        cell = v4.new_code_cell(source)
        self.nb = v4.new_notebook(cells=[cell])
        self.reset_execution_trackers()
        self.timed_out, self.reply, self.room = False, None, MAX_OUTPUT
        self.timeout = max(1, math.ceil(seconds))
        self.on_cell_executed = self._remember
        try:
            self.execute_cell(cell, 0, store_history=history)
        except CellTimeoutError:
            return Outcome("stuck", outputs=cell.outputs)
        except DeadKernelError:
            return Outcome("dead", outputs=cell.outputs)
        except Exception:  # noqa: BLE001 (messages that nbclient did not expect)
            # Whoever runs code in the kernel can send any message; what it does next is unknown.
            return Outcome("stuck", outputs=cell.outputs)
        for output in cell.outputs:
            _only_text(output)
        fate = "late" if self.timed_out else "done"
        return Outcome(fate, self._error(), cell.outputs)

    def _remember(self, **kwargs: Any) -> None:
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
        """Widgets, such as progress bars, have nobody to look at them here."""

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


def _only_text(output: NotebookNode) -> None:
    """Drop what is no text of an output: a page of feedback could not be made of it."""
    data = output.get("data", {})
    for kind in [kind for kind, value in data.items() if not isinstance(value, str)]:
        del data[kind]


def environment(settings: Path) -> dict[str, str]:
    """The variables that a student's kernel gets: nothing of the grader's, no data root."""
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith("LC_")}
    return {
        **kept,
        "NBGRADER_EXECUTION": "autograde",
        "IPYTHONDIR": str(settings),  # else the grader's own start-up files would run
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
