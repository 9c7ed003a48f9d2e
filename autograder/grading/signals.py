"""Lets a signal raise an exception within a context."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def raising(number: int, error: type[BaseException]) -> Iterator[bool]:
    """Let the signal `number` raise `error` in this context, and yield True.

    Python delivers signals to its main thread; in other threads this changes nothing and yields
    False.
    """
    if threading.current_thread() is not threading.main_thread():
        yield False
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise error

    before = signal.signal(number, stop)
    try:
        yield True
    finally:
        signal.signal(number, before)
