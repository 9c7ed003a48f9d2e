"""Whose fault the end of a kernel was: the machine's, or that of the code in it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from autograder.engine import client, machine_faults
from autograder.engine.cell_client import Outcome
from autograder.engine.machine_faults import (
    count_memory_kills,
    is_starved,
    was_killed_from_outside,
)
from autograder.engine.user_quotas import is_crowded, most_processes
from autograder.nbgrader_plugins.graded_kernel import Kernel
from litcourse.core.serialization import encode
from tests.litcourse.ranks.test_own_time import busy_machine, pinned

pytestmark = pytest.mark.usefixtures("own_engine")

LIMIT = 2.0
SPIN = "while True: pass"
SLEEP = "import time\ntime.sleep(600)"
HOGS = """
import os, time
for _ in range(4):
    if not os.fork():
        held = b"x" * (150 * 2**20)
        time.sleep(600)
time.sleep(600)
"""
WORK = """
import time
until = time.process_time() + 1.3
while time.process_time() < until:
    pass
"""


def run(
    folder: Path, source: str, *, stretch: int = 1, seconds: float = 60, **settings: object
) -> Outcome:
    """Run one cell in a kernel of its own."""
    kernel = Kernel(folder, 120, **{"sandbox": True, "limits": {}, "stretch": stretch} | settings)  # type: ignore[arg-type]
    try:
        return kernel.run(source, seconds)
    finally:
        kernel.stop()


# --- its own act, or its own limit ---------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "limits", "limit"),
    [
        ("import os\nos._exit(0)", {}, ""),
        ("import os\nos._exit(247)", {}, ""),
        ("import os\nos.abort()", {}, ""),
        ("import ctypes\nctypes.string_at(0)", {}, ""),
        (SPIN, {"cpu_seconds": 2}, "cpu"),
        (HOGS, {"memory_mib": 256}, "memory"),
    ],
    ids=["exit", "code of a kill", "abort", "crash", "processor", "memory"],
)
def test_an_end_by_its_own_act_or_limit_is_its_own(
    tmp_path: Path, source: str, limits: dict[str, int], limit: str
) -> None:
    outcome = run(tmp_path, source, limits=limits)
    assert (outcome.status, outcome.limit, outcome.fault) == ("dead", limit, "")


@pytest.mark.slow
def test_a_kernel_in_the_sandbox_can_not_pass_for_killed(tmp_path: Path) -> None:
    """It is the first process of its namespace, which only others can kill."""
    source = "import os\nfor number in (1, 2, 9, 15):\n    os.kill(os.getpid(), number)"
    outcome = run(tmp_path, source)
    assert (outcome.status, outcome.fault) == ("done", "")


@pytest.mark.slow
@pytest.mark.parametrize("source", [SPIN, SLEEP])
def test_a_time_limit_on_a_free_machine_is_its_own(tmp_path: Path, source: str) -> None:
    began = time.monotonic()
    outcome = run(tmp_path, source, seconds=LIMIT, stretch=3)
    assert (outcome.status, outcome.fault) == ("late", "")
    assert outcome.own_seconds > LIMIT / 2
    if source == SLEEP:
        assert time.monotonic() - began < 10, "who sleeps waits for no processor"


# --- the machine's -------------------------------------------------------------------------------


def _kernel_pid() -> int:
    """The only kernel of the warm process: the child of its init process."""
    (init,) = psutil.Process(client.engine().pid).children()
    return int(init.children()[0].pid)


def _kill_kernel() -> None:
    os.kill(_kernel_pid(), signal.SIGKILL)


def _kill_init() -> None:
    os.kill(psutil.Process(_kernel_pid()).ppid(), signal.SIGKILL)


def _kill_warm_process() -> None:
    os.kill(client.engine().pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_kernel_that_others_killed_is_the_machines_fault(tmp_path: Path) -> None:
    client.stop()
    kills = [(_kill_kernel, True), (_kill_kernel, False), (_kill_init, True),
             (_kill_warm_process, True)]  # fmt: skip
    for kill, sandbox in kills:
        kernel = Kernel(tmp_path, 120, sandbox=sandbox, limits={})
        later = threading.Timer(1, kill)
        later.start()
        try:
            outcome = kernel.run(SLEEP, 60)
        finally:
            later.join()
            kernel.stop()
        fault = "the kernel was killed from outside"
        assert (outcome.status, outcome.fault) == ("dead", fault), kill.__name__
    client.stop()


@pytest.mark.slow
def test_a_time_limit_on_a_busy_machine_is_the_machines_fault(tmp_path: Path) -> None:
    client.stop()
    with pinned():
        client.engine()
        kernel = Kernel(tmp_path, 120, sandbox=True, limits={}, stretch=3)
        try:
            with busy_machine(15):
                starved = kernel.run(SPIN, LIMIT)
                asleep = kernel.run(SLEEP, LIMIT)
            with busy_machine(4):
                slow = kernel.run(WORK, 2 * LIMIT)
        finally:
            kernel.stop()
    client.stop()
    assert starved.status in {"late", "stuck"}
    assert "on a busy machine" in starved.fault
    assert (asleep.status, asleep.fault) == ("late", "")
    assert (slow.status, slow.fault) == ("done", ""), "it needs more than its limit on the clock"


CLAIM = """
import errno, pathlib
def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")
pathlib.Path.write_bytes = full
"""


@pytest.mark.slow
def test_no_room_for_evidence_is_the_machines_fault_also_when_there_is_some_by_now(
    tmp_path: Path,
) -> None:
    """Another user may fill the disk and free it again; who only says so earns nothing by it."""
    kernel = Kernel(tmp_path, 120, sandbox=True, limits={})
    try:
        kernel.run(CLAIM, 60)
        shown = encode({"batch": 0.18, "val": 0.18})
        outcome, evidence = kernel.take_evidence("lab1_mnist", "timer", shown, 60)
    finally:
        kernel.stop()
        client.stop()  # the tests before it ended the file's own
    assert (outcome.fault, evidence) == ("the grader's disk had no room for evidence", b"")


# --- the rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outside"),
    [
        (client.LOST, True),
        (signal.SIGKILL, True),
        (signal.SIGTERM, True),
        (signal.SIGSEGV, False),
        (signal.SIGABRT, False),
        (0, False),
        (9 << 8, False),
        (137 << 8, False),
    ],
)
def test_who_killed_a_kernel_follows_from_its_wait_status(status: int, *, outside: bool) -> None:
    assert was_killed_from_outside(status) == outside


def test_a_machine_without_room_for_processes_is_noticed() -> None:
    """Another user may fill it: what a submission then can't start is not its fault."""
    most = most_processes()
    assert 300 < most < 2**31
    now = Path("/proc/loadavg").read_text(encoding="ascii")
    assert not is_crowded(now, most)
    running = int(now.split()[3].partition("/")[2])
    assert is_crowded(now, running + 1)
    assert not is_crowded("", 1)


def test_a_limit_counts_if_the_code_had_half_of_it() -> None:
    assert is_starved(own_seconds=50, seconds=120, limit=120)
    assert not is_starved(own_seconds=70, seconds=120, limit=120)
    assert not is_starved(own_seconds=70, seconds=360, limit=120)
    assert is_starved(own_seconds=50, seconds=360, limit=120)
    assert not is_starved(own_seconds=0.1, seconds=0.1, limit=120)  # broke off at once


@pytest.mark.parametrize(
    "text",
    [
        "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
        "low 0\noom 4\noom_kill 3\noom_group_kill 0\n",
    ],
    ids=["version 1", "version 2"],
)
def test_kills_for_memory_are_those_of_the_control_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    assert count_memory_kills() >= 0
    counter = tmp_path / "counter"
    counter.write_text(text, encoding="ascii")
    missing = tmp_path / "missing"
    pattern = machine_faults._memory_counters()[-1][1]
    files = [(missing, pattern), (counter, pattern)]
    monkeypatch.setattr(machine_faults, "_memory_counters", lambda: files)
    assert count_memory_kills() == 3
