"""Silences a probe, and undoes its changes to folder, environment and torch's state."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from litcourse.core.environment import drop_job_variables, only_variables
from litcourse.core.torch_state import keep_torch_state


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Run a probe in an empty working folder, which is yielded, and leave no trace.

    Inside there is no output, no display, no warning, no `LITCOURSE_DATA` and no variable of Slurm
    or torchrun, so that a check inside an allocation trains one process. Afterwards random states,
    environment, threads and torch's global modes are as before.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="litcourse-"))
        stack.callback(os.chdir, os.getcwd())  # noqa: PTH109 (a path that chdir accepts back)
        os.chdir(folder)
        stack.enter_context(only_variables(drop_job_variables(os.environ)))
        stack.enter_context(keep_torch_state())
        stack.enter_context(without_messages())
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(_silence_displays())
        stack.enter_context(_cache_entry_points())
        yield Path(folder)


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
