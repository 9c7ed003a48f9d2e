"""Silences a probe, and undoes its changes to folder, environment and torch's state."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from litcourse.core.environment import drop_job_variables, only_variables, swept_folder
from litcourse.core.torch_state import keep_torch_state


class Printed(io.TextIOBase):
    """A stream that keeps the end of what is printed, however much that is.

    Attributes:
        lines: number of lines so far.
    """

    MOST = 8192
    """It keeps so many characters."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = ""
        self.lines = 0

    def writable(self) -> bool:
        """Return True, as `io.TextIOBase` asks."""
        return True

    def write(self, text: str) -> int:
        """Append `text`."""
        self.lines += text.count("\n")
        self._kept = (self._kept + text)[-self.MOST :]
        return len(text)

    def text(self) -> str:
        """The end of what was printed."""
        return self._kept


@contextlib.contextmanager
def scratch_folder(printed: Printed | None = None) -> Iterator[Path]:
    """Run a probe in an empty working folder, which is yielded, and leave no trace.

    Inside there is no output, no display, no warning, no `LITCOURSE_DATA` and no variable of Slurm
    or torchrun, so that a check inside an allocation trains one process. `breakpoint()` goes on.
    Afterwards random states, environment, threads and torch's global modes are as before.

    Args:
        printed: gets what is printed to stdout.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(swept_folder("check"))
        stack.callback(os.chdir, os.getcwd())  # noqa: PTH109 (a path that chdir accepts back)
        os.chdir(folder)
        stack.enter_context(only_variables(drop_job_variables(os.environ)))
        stack.enter_context(keep_torch_state())
        stack.enter_context(without_messages())
        stack.enter_context(contextlib.redirect_stdout(printed or Printed()))
        stack.enter_context(contextlib.redirect_stderr(Printed()))
        stack.enter_context(_skip_breakpoints())
        stack.enter_context(_silence_displays())
        stack.enter_context(_cache_entry_points())
        yield folder


@contextlib.contextmanager
def _skip_breakpoints() -> Iterator[None]:
    """Have `breakpoint()` print a line: a debugger would wait for input that nobody can give."""
    before = sys.breakpointhook
    sys.breakpointhook = _skip_breakpoint
    try:
        yield
    finally:
        sys.breakpointhook = before


def _skip_breakpoint(*_: object, **__: object) -> None:
    print("breakpoint() is skipped in a check; call your code in a cell to debug it.")  # noqa: T201 (the student sees it)


_DISPLAYING = ("publish", "clear_output")


@contextlib.contextmanager
def _silence_displays() -> Iterator[None]:
    """Show nothing in a notebook: progress bars are widgets, tables are HTML, neither is stdout."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        yield
        return
    # No other publisher replaces it: ipywidgets needs more of one than IPython's base class has.
    attributes = vars(shell.display_pub)
    before = {name: attributes[name] for name in _DISPLAYING if name in attributes}
    attributes.update(dict.fromkeys(_DISPLAYING, lambda *_, **__: None))
    try:
        yield
    finally:
        for name in _DISPLAYING:
            del attributes[name]
        attributes.update(before)


@contextlib.contextmanager
def _cache_entry_points() -> Iterator[None]:
    """Read entry points once: each Trainer reads all of them, which takes 10% of a small fit."""
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
def without_messages() -> Iterator[None]:
    """Suppress warnings and log messages while the context lasts."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
