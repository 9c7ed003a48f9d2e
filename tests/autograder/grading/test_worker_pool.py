"""Workers have nothing of their parent's that two of them can't share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque

from jupyter_core.utils import ensure_event_loop, run_sync

from autograder.grading.records import GRADE
from autograder.grading.submission_grader import DONE, Reply, Task
from autograder.grading.worker_pool import WorkerPool


def test_workers_have_event_loops_of_their_own() -> None:
    """Forks that go on with one loop share its epoll, and wait for each other's events."""
    inherited = ensure_event_loop()

    async def nap() -> bool:
        await asyncio.sleep(0.01)
        return asyncio.get_running_loop() is inherited

    def do(task: Task) -> Reply:
        return Reply(DONE, f"{task.student} {run_sync(nap)()}")

    tasks = deque(Task(GRADE, "lab", str(number)) for number in range(4))
    with WorkerPool(lambda: do, 2) as pool:
        said = {done.reply.detail for done in pool.run(tasks) if done and done.reply}
    inherited.close()
    assert said == {f"{number} False" for number in range(4)}


def test_a_task_without_an_end_is_ended_and_told() -> None:
    def do(task: Task) -> Reply:
        while task.student == "deaf":
            with contextlib.suppress(SystemExit):
                time.sleep(0.01)
        while task.student == "slow":
            time.sleep(0.01)
        return Reply(DONE)

    students = ("deaf", "slow", "ada")
    with WorkerPool(lambda: do, 2, seconds=4) as pool:
        tasks = deque(Task(GRADE, "lab", name) for name in students)
        done = {one.task.student: one for one in pool.run(tasks) if one}
    assert [done[name].late for name in students] == [True, True, False]
    assert done["slow"].death == "no end within 4 s"
    assert done["ada"].reply == Reply(DONE)


def test_a_worker_that_was_asked_to_end_gets_no_other_task() -> None:
    """It answers in the last moment, and would take the next submission with it into its end."""

    def do(task: Task) -> Reply:
        if task.student == "late":
            with contextlib.suppress(SystemExit):
                time.sleep(30)
        return Reply(DONE, str(os.getpid()))

    with WorkerPool(lambda: do, 1, seconds=4) as pool:
        tasks = deque(Task(GRADE, "lab", name) for name in ("late", "ada"))
        done = {one.task.student: one.reply for one in pool.run(tasks) if one}
    late, ada = done["late"], done["ada"]
    assert late is not None
    assert ada is not None
    assert late.detail != ada.detail


def test_a_task_alone_has_no_other_beside_it() -> None:
    def do(task: Task) -> Reply:
        began = time.monotonic()
        time.sleep(0.3)
        return Reply(DONE, task.student, {"began": began, "ended": time.monotonic()})

    tasks = deque(Task(GRADE, "lab", str(n), alone=n in {1, 2, 5}) for n in range(8))
    with WorkerPool(lambda: do, 4) as pool:
        done = {one.task: one.reply.before for one in pool.run(tasks) if one and one.reply}
    assert len(done) == 8
    beside = {
        (one.student, other.student)
        for one, mine in done.items()
        for other, theirs in done.items()
        if one != other and mine["began"] < theirs["ended"] and theirs["began"] < mine["ended"]
    }
    assert beside
    assert not {name for pair in beside for name in pair} & {"1", "2", "5"}
