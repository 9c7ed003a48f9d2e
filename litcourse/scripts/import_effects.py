"""Records what the top level of a script does when the script is imported.

What an import of another module does is not the script's: a call counts if the way from the script
to it leads through no import. Settings of libraries, such as warnings or a precision, are free.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND
_EVENTS = {
    "os.mkdir": "makes a folder", "os.remove": "removes a file", "os.rename": "renames a file",
    "os.rmdir": "removes a folder", "os.chdir": "changes the folder", "os.system": "runs a command",
    "subprocess.Popen": "starts a program", "os.fork": "starts a process",
    "os.posix_spawn": "starts a program", "socket.connect": "asks the network",
}  # fmt: skip
"""Audit events of Python, and what the script does then."""
_SYSTEM = (sys.prefix, sys.base_prefix, "/proc", "/sys", "/dev", "/etc", "/usr")
"""Folders that libraries read when they are asked for a version, or for what the machine has."""
_CACHE = "__pycache__"
_IMPORTING = "<frozen importlib"


@contextlib.contextmanager
def record_effects(path: Path) -> Iterator[list[str]]:
    """Record in the context what the script at `path` does at its top level.

    The audit hook stays until the end of the process, since Python can't remove it.

    Yields:
        effects such as "writes log.txt" or "prints"; complete when the context has ended.
    """
    found: list[str] = []
    active = [True]

    def note(effect: str) -> None:
        if active[0] and effect not in found and _is_own(sys._getframe(1), str(path)):  # noqa: SLF001 (no public way)
            found.append(effect)

    sys.addaudithook(_hook(note))
    before = _states()
    stream, sys.stdout = sys.stdout, _Noting(sys.stdout, note)
    try:
        with _noting_data(note):
            yield found
    finally:
        active[0] = False
        sys.stdout = stream
        after = _states()
        changed = [effect for effect, state in after.items() if before[effect] != state]
        known = " ".join(found)
        found += [effect for effect in changed if effect.split()[0] not in known]


def _is_own(frame: FrameType | None, path: str) -> bool:
    """Whether the script is the first in the stack of script and import."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_IMPORTING) or "/importlib/" in name:
            return False
        if frame.f_code.co_name == "_get_default_tempdir":  # tries whether it can write there
            return False
        if name == path:
            return True
        frame = frame.f_back
    return False


def _hook(note: Callable[[str], None]) -> Callable[[str, tuple[Any, ...]], None]:
    def hook(event: str, values: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(values[0], str | bytes):
            path = Path(os.fsdecode(values[0])).absolute()
            if isinstance(values[2], int) and values[2] & _WRITES:
                note(f"writes {path.name}")
            elif path.suffix != ".py" and not any(map(path.is_relative_to, _SYSTEM)):
                note(f"reads {path.name}")
        elif event in _EVENTS:
            note(_EVENTS[event])

    return hook


class _Noting:
    """A stream that notes who writes to it."""

    def __init__(self, stream: Any, note: Callable[[str], None]) -> None:
        self._stream = stream
        self._note = note

    def write(self, text: str) -> int:
        """Note and write `text`."""
        self._note("prints")
        written: int = self._stream.write(text)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _states() -> dict[str, Any]:
    """What an import leaves alone, each under the name of its change."""
    import numpy as np
    import torch

    numpy_state = np.random.get_state()  # noqa: NPY002 (the state that Lightning seeds)
    draws = [random.getstate(), str(numpy_state), torch.get_rng_state().tolist()]
    files = {
        each.name: each.stat(follow_symlinks=False).st_mtime_ns
        for each in os.scandir()
        if each.name != _CACHE
    }
    return {
        "writes files": files,  # libraries in C++, such as torch.save, raise no audit event
        "seeds or draws random numbers": draws,
        "sets how processes start": multiprocessing.get_start_method(allow_none=True),
        "starts threads": threading.active_count(),
        "starts processes": len(multiprocessing.active_children()),
        "makes a process group": torch.distributed.is_initialized(),
    }


@contextlib.contextmanager
def _noting_data(note: Callable[[str], None]) -> Iterator[None]:
    """Note each dataset and each loader that is made in the context."""
    from torch.utils.data import DataLoader, Dataset

    def make(cls: Any, *_: Any, **__: Any) -> Any:
        note("loads data")
        return object.__new__(cls)

    kinds: tuple[Any, ...] = (Dataset, DataLoader)
    for kind in kinds:
        kind.__new__ = make
    try:
        yield
    finally:
        for kind in kinds:
            del kind.__new__
