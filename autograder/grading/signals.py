"""Signals that raise an exception for a while."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def raising(number: int, error: type[BaseException]) -> Iterator[bool]:
    """Inside, the signal `number` raises `error`, and what is yielded is True.

    Python delivers signals to its main thread; in any other nothing changes, and False is yielded.
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
