"""A line in the notebook while a check runs: what it does, and for how long."""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from litcourse.probing.progress import current_step, reset_steps


@contextlib.contextmanager
def progress_line(what: str, limit: float) -> Iterator[Callable[[float], None]]:
    """Yield a function that shows the line, given the seconds since the check began.

    The line is gone at the end. It shows in a notebook alone, and not while nbgrader executes it.

    Args:
        what: what runs, such as "check.wrap()".
        limit: seconds that it may take.
    """
    reset_steps()
    publish = _find_publisher()
    shown = False
    transient = {"display_id": uuid.uuid4().hex}

    def send(text: str, *, update: bool) -> None:
        # What goes wrong here must not end a check.
        with contextlib.suppress(Exception):
            publish(data={"text/plain": text}, metadata={}, transient=transient, update=update)

    def show(seconds: float) -> None:
        nonlocal shown
        parts = [f"{what} · {seconds:.0f} of at most {limit:g} s", current_step()]
        send(" · ".join(part for part in parts if part), update=shown)
        shown = True

    try:
        yield show if publish else lambda _: None
    finally:
        if shown:
            send("", update=True)


def _find_publisher() -> Any:
    """What shows a display in this kernel, taken before a probe silences it; None elsewhere."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or not hasattr(shell, "kernel") or "NBGRADER_EXECUTION" in os.environ:
        return None
    return shell.display_pub.publish
