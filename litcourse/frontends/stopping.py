"""Ends a check that a student stops, or that takes too long, and says where it stood.

A signal handler is the only way: the student's code runs in the kernel's main thread. What raises
there may be swallowed, by the student's `except` or by Lightning, which turns Ctrl+C into
`SystemExit` and ignores further ones. So the handler notes the stop before it raises, and raises
again until the check has ended.
"""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from types import CodeType, FrameType
from typing import Any, TypeVar

from litcourse.feedback.stopped import Stop
from litcourse.probing.attempts import find_student_line, interrupted
from litcourse.probing.progress import current_step

Value = TypeVar("Value")
TICK = 1.0
"""Seconds between two calls of `tick`."""
_AGAIN = 5.0
"""Seconds that a check has to clean up, before it is interrupted once more."""


def run_stoppable(
    action: Callable[[], Value], limit: float, tick: Callable[[float], None] = lambda _: None
) -> Value | Stop:
    """Call `action`; end it after `limit` seconds, or when the student stops the kernel.

    In another thread than the main one, and where the system has no timer signal (Windows),
    nothing limits the time.

    Args:
        action: the check.
        limit: wall-clock seconds.
        tick: called each second with the seconds passed, in the main thread between two lines of
            the student's code.

    Returns:
        what `action` returns, or how it was stopped.
    """
    if threading.current_thread() is not threading.main_thread():
        return action()
    watch = _Watch(limit, tick)
    watch.start()
    try:
        value = action()
    except BaseException as error:
        if watch.stop is None:  # the student's own, even if it is a KeyboardInterrupt
            raise
        return _name_line(watch.stop, error)
    finally:
        watch.end()
    return value if watch.stop is None else watch.stop


def _name_line(stop: Stop, error: BaseException) -> Stop:
    """`stop`; with the line of a rank, which `error` then names, if it has none."""
    named = str(error.args[0]) if isinstance(error, KeyboardInterrupt) and error.args else ""
    return replace(stop, line=stop.line or named)


class _Watch:
    """The signal handlers of one check."""

    def __init__(self, limit: float, tick: Callable[[float], None]) -> None:
        self.limit, self.tick = limit, tick
        self.stop: Stop | None = None
        self.began = self.raised = time.monotonic()
        self.before: dict[int, Any] = {}

    def start(self) -> None:
        self._handle(signal.SIGINT, self.interrupt)
        if hasattr(signal, "setitimer"):
            self._handle(signal.SIGALRM, self.look)
            signal.setitimer(signal.ITIMER_REAL, TICK, TICK)

    def end(self) -> None:
        """Restore the handlers, also where Lightning has replaced one."""
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        interrupted.clear()
        for number, handler in self.before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _handle(self, number: int, handler: Callable[[int, FrameType | None], None]) -> None:
        self.before[number] = signal.signal(number, handler)

    def interrupt(self, _: int, frame: FrameType | None) -> None:
        """The student presses stop."""
        self._stop(None, frame)

    def look(self, _: int, frame: FrameType | None) -> None:
        """A second has passed."""
        now = time.monotonic()
        if self.stop is not None:
            if now - self.raised > _AGAIN:
                self._stop(None, frame)
        elif now - self.began > self.limit:
            self._stop(self.limit, frame)
        else:
            self.tick(now - self.began)

    def _stop(self, limit: float | None, frame: FrameType | None) -> None:
        self.raised = time.monotonic()
        self.stop = self.stop or Stop(limit, _student_line(frame), current_step())
        interrupted.set()
        raise KeyboardInterrupt


def _student_line(frame: FrameType | None) -> str:
    """The student's innermost line above the check itself."""
    inner = []
    for each, number in traceback.walk_stack(frame):
        if each.f_code is _RUN:
            break
        inner.append((each, number))
    return find_student_line(reversed(inner))


_RUN: CodeType = run_stoppable.__code__
