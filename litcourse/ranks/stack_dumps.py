"""Has a rank dump its stack, and reads what faulthandler wrote: what the rank waits for."""

from __future__ import annotations

import faulthandler
import linecache
import os
import re
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

_FRAME = re.compile(r'  File "(?P<file>[^"]*)", line (?P<line>\d+) in (?P<name>.*)')
_C10D = "torch/distributed/distributed_c10d.py"
_DDP = "torch/nn/parallel/distributed.py"
RENDEZVOUS = "init_process_group"
"""What `find_collective` returns for a rank that waits until all ranks have come."""
_SKIPPED = {"wrapper", "func_wrapper"}
_START_COLLECTIVES = {
    "_sync_module_states": "broadcast (the first weights, as DDP starts)",
    "_sync_params_and_buffers": "broadcast (the first weights, as DDP starts)",
    "_verify_param_shape_across_processes": "all_gather (shapes of the weights, as DDP starts)",
}
_COLLECTIVE_CALLERS = {
    "save_checkpoint": "in save_checkpoint",
    "_broadcast_sigterm_tensor": "Lightning's own, before each batch",
    "reduce_boolean_decision": "in reduce_boolean_decision",
    "log_dict": "in log_dict",
    "log": "in log",
    "all_gather": "in all_gather",
}
"""Functions that call collectives, and the words for a rank that waits in one."""
_RANK_FILE = "litcourse/ranks/rank_process.py"
_RANK_START_FILES = (_RANK_FILE, "litcourse/ranks/supervisor.py", "litcourse/ranks/rank_runner.py")
_RANK_START = {"run_rank", "_run_work"}
"""Functions of `_RANK_FILE` that call the work of a rank; the work calls others, as it prints."""
_SCRIPT_FILE = "litcourse/scripts/script_process.py"
_SHOWN = 14
_LIBRARIES = tuple(
    str(Path(sysconfig.get_paths()[name]).resolve()) for name in ("stdlib", "purelib", "platlib")
)


@dataclass(frozen=True)
class Frame:
    """One line of a stack."""

    file: str
    line: int
    name: str

    @property
    def is_own(self) -> bool:
        """Whether the frame is the student's code, and not of a library or of litcourse."""
        path = self.file
        ours = path.startswith(f"{Path(__file__).parents[1]}{os.sep}")
        return not ours and not path.startswith((*_LIBRARIES, "<frozen"))

    @property
    def text(self) -> str:
        """The line of source."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def file_name(self) -> str:
        """The file's name for a person."""
        is_cell = not Path(self.file).is_file()  # a kernel gives each cell the name of no file
        return "the cell" if is_cell else Path(self.file).name

    def __str__(self) -> str:
        if self.is_own:
            return f"{self.file_name}:{self.line} {self.name}: {self.text}"
        parts = Path(self.file).parts[1:]
        if "site-packages" in parts:
            parts = parts[parts.index("site-packages") + 1 :]
        return f"{'/'.join(parts[-5:])}:{self.line} {self.name}"


def dump_before_end(file: TextIO) -> None:
    """Dump the stack if the code ends this process by os._exit or by a signal to itself."""
    leave, kill, number = os._exit, os.kill, os.getpid()

    def exit_now(status: int) -> NoReturn:
        faulthandler.dump_traceback(file, all_threads=True)
        leave(status)

    def send_signal(pid: int, signal_number: int) -> None:
        if pid == number == os.getpid():  # not a fork of this rank
            faulthandler.dump_traceback(file, all_threads=True)
        kill(pid, signal_number)

    os._exit, os.kill = exit_now, send_signal


def read_main_thread(dump: str) -> list[Frame]:
    """Frames of the newest dump's "Current thread", innermost first."""
    newest = dump.rpartition("Current thread")[2]
    frames = []
    for line in newest.splitlines()[1:]:
        found = _FRAME.match(line)
        if found and found["file"].endswith(_RANK_FILE) and found["name"] not in _RANK_START:
            continue
        if not found or found["file"].endswith(_RANK_START_FILES):
            break  # the frames below started the rank, or belong to the process that forked it
        frames.append(Frame(found["file"], int(found["line"]), found["name"]))
    return frames


def find_collective(frames: list[Frame]) -> str:
    """The collective in which a stack waits, or ""."""
    if not frames:
        return ""
    innermost = frames[0]
    if innermost.name == "_engine_run_backward":
        return "all_reduce (gradients, in backward)"
    if innermost.name in _START_COLLECTIVES:
        return _START_COLLECTIVES[innermost.name]
    if innermost.file.endswith(_DDP):
        return "broadcast (buffers, in forward)"
    if "torch/distributed/" not in innermost.file:
        return ""
    waiting = next((f.name for f in frames if _names_a_collective(f)), innermost.name)
    names = [frame.name for frame in frames if not frame.is_own and frame.name != waiting]
    via = next((note for name, note in _COLLECTIVE_CALLERS.items() if name in names), "")
    return f"{waiting} ({via})" if via else waiting


def _names_a_collective(frame: Frame) -> bool:
    return frame.file.endswith(_C10D) and frame.name[0] not in "_<" and frame.name not in _SKIPPED


def format_stack(frames: list[Frame]) -> str:
    """The stack as text, innermost frame first; long stacks keep the student's frames."""
    frames = [f for f in frames if f.name not in _SKIPPED and not f.file.endswith(_SCRIPT_FILE)]
    own = [frame for frame in frames[_SHOWN:] if frame.is_own]
    return "\n".join(map(str, [*frames[:_SHOWN], *own[:_SHOWN]]))


def own_line(frames: list[Frame]) -> str:
    """The innermost frame of the student's code as text, or ""."""
    own = next((frame for frame in frames if frame.is_own), None)
    return "" if own is None else f"line {own.line} of {own.file_name}, in {own.name}: {own.text}"


_ECHO = re.compile(
    r"[Cc]onnection (closed|reset|refused)|Broken pipe|failed to pass monitoredBarrier|"
    r"recvV?alue failed|[Pp]air closure|failed to recv|Socket closed|Application timeout caused|"
    r"store.* might have shut down|op\.preamble|Detected mismatch between collectives"
)


def is_echo(message: str) -> bool:
    """Whether an error only says that another rank ended or is in another collective."""
    return bool(_ECHO.search(message))
