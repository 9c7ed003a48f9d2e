"""A function that computes on and on is ended; one that waits is not."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
from collections.abc import Callable

import pytest

from litcourse.probing.processor_limit import TooLongError, processor_limit


def loop() -> None:
    while True:
        pass


def loop_that_catches() -> None:
    while True:
        with contextlib.suppress(Exception):
            loop()


def expression() -> None:
    re.match(r"(a+)+$", "a" * 40 + "b")


@pytest.mark.parametrize("work", [loop, loop_that_catches, expression])
def test_what_computes_on_is_ended(work: Callable[[], None]) -> None:
    began = time.process_time()
    with pytest.raises(TooLongError, match=r"0\.2 s"), processor_limit(0.2):
        work()
    assert time.process_time() - began < 2


def test_waiting_costs_nothing_and_nothing_is_left() -> None:
    before = signal.getsignal(signal.SIGPROF)
    with processor_limit(0.1):
        time.sleep(0.3)
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGPROF) == before


def test_in_a_thread_it_does_nothing() -> None:
    done: list[bool] = []

    def work() -> None:
        with processor_limit(0.01):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
