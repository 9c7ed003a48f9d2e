"""The clock of a job stops while the machine is busy with others, and only then."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from litcourse.ranks import own_time, run_ranks
from litcourse.ranks.own_time import OwnTime
from litcourse.ranks.processes import process_tree

SECONDS = 2.0
SPIN = "while True: pass"
SPINNING_THREADS = f"""
import threading
for _ in range(8):
    threading.Thread(target=lambda: exec({SPIN!r})).start()
"""
SPINNING_CHILDREN = f"""
import os
for _ in range(8):
    os.fork() or exec({SPIN!r})
os.wait()
"""


@contextlib.contextmanager
def busy_machine(count: int) -> Iterator[None]:
    """Keep so many processes busy in this context, each in a session: Linux shares by session."""
    command = [sys.executable, "-c", SPIN]
    spinning = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


@contextlib.contextmanager
def pinned() -> Iterator[None]:
    """Give this process, and those that it starts, one processor: so few others keep it busy."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _own_share(source: str) -> float:
    """Share of the wall-clock time that a program has for itself."""
    process = subprocess.Popen([sys.executable, "-c", source], start_new_session=True)
    try:
        clock, began = OwnTime(), time.monotonic()
        while time.monotonic() - began < SECONDS:
            time.sleep(0.1)
            clock.count(process_tree(process.pid))
        return clock.seconds / (time.monotonic() - began)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("guessed", [False, True], ids=["schedstat", "guessed"])
def test_the_clock_stops_for_who_waits_for_the_processor(
    monkeypatch: pytest.MonkeyPatch, *, guessed: bool
) -> None:
    if guessed:
        monkeypatch.setattr(own_time, "_thread_times", own_time._guess_times)
    with pinned(), busy_machine(7):
        assert _own_share(SPIN) < 0.5
        assert _own_share("import time; time.sleep(60)") > 0.8


@pytest.mark.parametrize("source", [SPINNING_THREADS, SPINNING_CHILDREN], ids=["threads", "forks"])
def test_who_keeps_itself_waiting_has_the_time_for_itself(source: str) -> None:
    with pinned():
        share = _own_share(source)
    assert share > 0.5


def test_ranks_on_a_busy_machine_have_their_time() -> None:
    def work(rank: int) -> dict[str, int]:
        until = time.process_time() + 0.5
        while time.process_time() < until:
            pass
        return {"rank": rank}

    with pinned(), busy_machine(7):
        run = run_ranks(work, 2, limit=1.3)
    assert [entry["value"]["rank"] for entry in run["ranks"]] == [0, 1]
    assert run["seconds"] > 2 * 1.3
