"""Calls a student's code and turns its exceptions into plain data.

So the judge, in another process, can name the exception.
"""

from __future__ import annotations

import linecache
import os
import threading
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

import litcourse
from litcourse.core.tree import Tree
from litcourse.probing.step_lines import describe_refused, steps_by_hand_in

_LONGEST = 2000
_OURS = tuple(str(Path(folder)) + os.sep for folder in litcourse.__path__)


class NotMeasuredError(Exception):
    """A probe's tool can't measure here, whatever the answer is.

    The cause is the machine or the installed software; the message says which. The judge then
    gives `litcourse.core.marks.not_measured`.
    """


interrupted = threading.Event()
"""Set while a check ends because somebody interrupted it."""


def attempt(action: Callable[[], dict[str, Tree]], called: str) -> dict[str, Tree]:
    """What `action` returns, or `{"error": ...}` if it raises; `sys.exit()` counts as an exception.

    `NotMeasuredError` gives `{"not_measured": reason}`.

    Args:
        action: calls student code.
        called: name of that call in the finding.

    Raises:
        KeyboardInterrupt: somebody interrupts the check. Lightning turns that into `SystemExit`,
            and a student's `except` may swallow it, so `interrupted` is asked too.
    """
    _go_on()
    try:
        done = action()
    except KeyboardInterrupt:
        raise
    except NotMeasuredError as error:
        return {"not_measured": str(error)}
    except BaseException as error:  # noqa: BLE001 (student code may raise anything)
        _go_on()
        return {"error": describe(error, called)}
    _go_on()
    return done


def _go_on() -> None:
    if interrupted.is_set():
        raise KeyboardInterrupt


def describe(error: BaseException, called: str) -> dict[str, Tree]:
    """An exception as data: its type, its message and the student's line that led to it."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 (a student's __str__)
        message = "(its message could not be made)"
    line = find_student_line(traceback.walk_tb(error.__traceback__))
    returned, return_line = describe_refused(error.__traceback__)
    if returned:
        message = f"training_step returned: {returned}\n{message}"
    return {
        "type": type(error).__name__,
        "message": str(message)[:_LONGEST],
        "line": (line or return_line or steps_by_hand_in(error.__traceback__))[:_LONGEST],
        "called": called,
    }


def find_student_line(frames: Iterable[tuple[FrameType, int]]) -> str:
    """The innermost of `frames` that is in the notebook itself, or "".

    Args:
        frames: frames with their line numbers, outermost first.
    """
    found = ""
    for frame, number in frames:
        if frame.f_globals.get("__name__") == "__main__" and not _is_ours(frame):
            text = linecache.getline(frame.f_code.co_filename, number).strip()
            found = f"line {number} of the cell, in {frame.f_code.co_name}: {text}"
    return found[:_LONGEST]


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OURS)
