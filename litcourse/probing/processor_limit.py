"""Ends a student's function that computes on and on."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_REPEAT = 0.2
"""Seconds until the next try, if the code has caught the exception."""


class TooLongError(BaseException):
    """A function has used its processor time. No `except Exception` of a student's catches it."""


@contextlib.contextmanager
def processor_limit(seconds: float) -> Iterator[None]:
    """End what runs within by `TooLongError` when this process has computed for so long.

    Time in which it sleeps or waits for the processor does not count. Without effect on Windows
    and outside of the main thread, where Python takes no signals; the limits of a graded kernel
    hold there all the same.

    Args:
        seconds: of processor time.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGPROF"):
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        raise TooLongError(f"it had computed for {seconds:g} s")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds, _REPEAT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


__all__ = ["TooLongError", "processor_limit"]
