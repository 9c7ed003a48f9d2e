"""The student's side of a probe: names from the notebook, errors as data, a quiet room.

Nothing here judges. Errors become plain data, so that the judge can name them on the other
side of a process boundary.
"""

from __future__ import annotations

import contextlib
import functools
import io
import linecache
import logging
import os
import random
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from litcourse.names import nearest
from litcourse.question import Question, Tree

_LONGEST = 2000
_NEIGHBOURS = 5
_LARGEST_FILE = 2**20  # bytes; a program that somebody wrote has thousands


class Student:
    """The names that a notebook defines, read by a probe as `student["LitClassifier"]`.

    Args:
        namespace: of the notebook.
        files: texts of the files that the notebook wrote, by name.
    """

    def __init__(
        self, namespace: Mapping[str, Any], files: Mapping[str, str] | None = None
    ) -> None:
        self._namespace = namespace
        self._files = dict(files or {})

    def __getitem__(self, name: str) -> Any:
        return self._namespace[name]

    def file(self, name: str) -> str:
        """Text of a file that the question's `files` lists."""
        return self._files[name]

    def missing(self, names: tuple[str, ...]) -> dict[str, Tree] | None:
        """The first of `names` that is not defined and what is defined instead, or None."""
        for name in names:
            if name not in self._namespace:
                own = [key for key, value in self._namespace.items() if _is_own(key, value)]
                return {"name": name, "defined": nearest(name, own)[:_NEIGHBOURS]}
        return None


def _is_own(key: str, value: object) -> bool:
    main = getattr(value, "__module__", None) == "__main__"
    return main and callable(value) and not key.startswith("_")


def attempt(action: Callable[[], dict[str, Tree]], called: str) -> dict[str, Tree]:
    """What `action` returns, or `{"error": ...}` if it raises, `sys.exit()` included.

    Args:
        action: calls student code.
        called: what is called, as the finding will say it.
    """
    try:
        return action()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 (student code may raise anything)
        return {"error": describe(error, called)}


def describe(error: BaseException, called: str) -> dict[str, Tree]:
    """An exception as data: its type, message and the student's own line that led to it."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 (a student's __str__)
        message = "(its message could not be made)"
    return {
        "type": type(error).__name__,
        "message": str(message)[:_LONGEST],
        "line": _own_line(error.__traceback__),
        "called": called,
    }


def _own_line(trace: TracebackType | None) -> str:
    """The innermost line of the traceback that stands in the notebook itself."""
    found = ""
    for frame, number in traceback.walk_tb(trace):
        if frame.f_globals.get("__name__") == "__main__" and not _is_ours(frame):
            text = linecache.getline(frame.f_code.co_filename, number).strip()
            found = f"line {number} of the cell, in {frame.f_code.co_name}: {text}"
    return found[:_LONGEST]


def _is_ours(frame: FrameType) -> bool:
    return Path(frame.f_code.co_filename).parts[-2:-1] == ("litcourse",)


def take_evidence(question: Question, given: dict[str, Tree], namespace: Mapping[str, Any]) -> Tree:
    """Run the probe beside the student's code.

    Returns:
        what the probe measured; `{"missing": ...}` if a name is not defined, `{"no_file": ...}`
        if a file is not there, and `{"error": ...}` if the student's code raised where the probe
        can't go on.
    """
    files = {name: text for name in question.files if (text := _text(Path(name))) is not None}
    unwritten = [name for name in question.files if name not in files]
    if unwritten:
        return {"no_file": {"name": unwritten[0], "there": _beside(unwritten[0])}}
    student = Student(namespace, files)
    missing = student.missing(question.defines)
    if missing is not None:
        return {"missing": missing}
    with quiet_room():
        return attempt(lambda: question.probe(given, student), f"the check of {question.title!r}")


def _text(path: Path) -> str | None:
    """Text of a plain file of reasonable size, else None."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            return None
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _beside(name: str) -> list[str]:
    """Files of the working folder that may have been meant."""
    own = [path.name for path in Path().iterdir() if path.suffix == Path(name).suffix]
    return nearest(name, own)[:_NEIGHBOURS]


@contextlib.contextmanager
def quiet_room() -> Iterator[Path]:
    """A place in which a probe leaves no trace, as a context manager.

    Inside: an empty working folder (which is yielded), no output, nothing displayed, no
    warnings, no `LITCOURSE_DATA`, and nothing of Slurm or torchrun, so that a check inside an
    allocation trains one process. On leaving, random states, environment, threads and torch's
    global modes are as before.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="litcourse-"))
        stack.callback(os.chdir, os.getcwd())  # noqa: PTH109 (a path that chdir accepts back)
        os.chdir(folder)
        stack.enter_context(_environment())
        stack.enter_context(torch_state())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(_silent_logging())
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(_nothing_displayed())
        stack.enter_context(_plugins_looked_up_once())
        yield Path(folder)


_SET_ASIDE = ("SLURM_", "LITCOURSE_DATA", "PL_", "TORCHELASTIC_")
_RANK = {"RANK", "LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "GROUP_RANK", "MASTER_ADDR"}


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    for key in before:
        if key.startswith(_SET_ASIDE) or key in _RANK:
            del os.environ[key]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def torch_state() -> Iterator[None]:
    """One thread inside; afterwards random states and torch's global modes are as before."""
    import numpy as np
    import torch

    state = random.getstate()
    array_state = np.random.get_state()  # noqa: NPY002 (the state that Lightning seeds)
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    grad, strict = torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled()
    # Threads that wait for each other cost more than these small networks gain by them: a
    # check took 0.3 to 2 CPU seconds with two threads on a busy machine, and 0.2 with one.
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(array_state)  # noqa: NPY002 (as above)
            torch.set_default_dtype(dtype)
            torch.set_num_threads(threads)
            torch.set_grad_enabled(grad)
            torch.use_deterministic_algorithms(strict)


_DISPLAYING = ("publish", "clear_output")


@contextlib.contextmanager
def _nothing_displayed() -> Iterator[None]:
    """In a notebook, progress bars are widgets and tables HTML: neither is text to redirect."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        yield
        return
    # Not another publisher in its place: ipywidgets asks more of it than IPython's base class has.
    places = vars(shell.display_pub)
    before = {name: places[name] for name in _DISPLAYING if name in places}
    places.update(dict.fromkeys(_DISPLAYING, lambda *_, **__: None))
    try:
        yield
    finally:
        for name in _DISPLAYING:
            del places[name]
        places.update(before)


@contextlib.contextmanager
def _plugins_looked_up_once() -> Iterator[None]:
    """Each Trainer asks every installed distribution for plugins: a tenth of a small run."""
    registry = sys.modules.get("lightning.fabric.utilities.registry")
    original = getattr(registry, "entry_points", None)
    if original is None:
        yield
        return
    registry.entry_points = functools.cache(original)  # type: ignore[union-attr]
    try:
        yield
    finally:
        registry.entry_points = original  # type: ignore[union-attr]


@contextlib.contextmanager
def _silent_logging() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
