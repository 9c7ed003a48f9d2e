"""Keeps workers: forks of this process that do one task after another, replaced when they die.

A fork starts at once and shares the imported modules. Workers end with this process: Linux sends
them a signal when it dies, and their pipe ends.
"""

from __future__ import annotations

import contextlib
import contextvars
import gc
import json
import math
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Self

from autograder.engine import client
from autograder.engine.limits import own_data
from autograder.engine.machine_faults import STRETCH
from autograder.engine.syscalls import die_with_parent
from autograder.grading.submission_grader import Reply, Task

TICK = 0.25
"""Seconds after which `WorkerPool.run` yields None if no task has ended."""
_GRACE = 10
"""Seconds that a worker has to stop its kernel and to remove its files."""
_MEMORY = 2 * 2**30
"""Bytes of its own memory that a worker may take: twenty times its need."""


@dataclass(frozen=True)
class FinishedTask:
    """A task that has ended.

    Args:
        task: the task.
        reply: the worker's reply; None if the worker died.
        death: how the worker died, or "".
        late: whether it ran out of time: another attempt would take as long.
    """

    task: Task
    reply: Reply | None
    death: str = ""
    late: bool = False


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    seconds: float = math.inf
    end: float = math.inf
    late: bool = False


@contextlib.contextmanager
def freeze_objects() -> Iterator[None]:
    """Keep collectors from the objects of now: a worker's would copy every page of ours."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class WorkerPool:
    """A pool of workers; use it as a context.

    Args:
        make: called in each worker; returns the function that does a task.
        jobs: number of workers.
        seconds: time limit of a task.
    """

    def __init__(
        self, make: Callable[[], Callable[[Task], Reply]], jobs: int, seconds: float = math.inf
    ) -> None:
        self._make, self._jobs, self._seconds = make, jobs, seconds
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.pipe.close()
            if worker.task is not None:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_GRACE + 1)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join(_GRACE)
        self._workers.clear()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.process.pid or 0 for worker in self._workers]

    def run(self, tasks: deque[Task]) -> Iterator[FinishedTask | None]:
        """Yield the tasks as they end, and None every `TICK` seconds in which none does.

        The caller may append tasks meanwhile. A worker gets its next task before the caller gets
        the result of the last one, so that no worker waits for the caller. A task that has to run
        alone waits for the others, and they for it.

        Raises:
            EngineError: the warm process, which the workers share, has died too often.
        """
        done: deque[FinishedTask] = deque()
        while True:
            client.revive()
            self._hand_out(tasks)
            busy = [worker for worker in self._workers if worker.task is not None]
            if busy:
                self._end_late_workers(busy)
                done.extend(self._collect(busy, 0 if done else TICK))
                self._hand_out(tasks)
            if done:
                yield done.popleft()
            elif busy:
                yield None
            elif not tasks:
                return

    def _hand_out(self, tasks: deque[Task]) -> None:
        while tasks and not self._must_wait(tasks[0]):
            idle = next((worker for worker in self._workers if worker.task is None), None)
            if idle is None and len(self._workers) < self._jobs:
                idle = self._start()
            if idle is None:
                return
            task = tasks.popleft()
            idle.task, idle.seconds = task, self._seconds * (STRETCH if task.alone else 1)
            idle.end = time.monotonic() + idle.seconds
            with contextlib.suppress(BrokenPipeError):  # dead already: `_collect` reports it
                idle.pipe.send_bytes(json.dumps(asdict(idle.task)).encode())

    def _must_wait(self, task: Task) -> bool:
        """Whether `task` must wait: it runs alone, or another one does."""
        running = [worker.task for worker in self._workers if worker.task is not None]
        return any(other.alone for other in running) or (task.alone and bool(running))

    def _end_late_workers(self, busy: list[_Worker]) -> None:
        """End late workers: by SIGTERM, which interrupts any Python code, then by SIGKILL."""
        now = time.monotonic()
        for worker in busy:
            if now < worker.end:
                continue
            if worker.late:
                worker.process.kill()
            else:
                worker.process.terminate()
            worker.late, worker.end = True, now + _GRACE + 1

    def _collect(self, busy: list[_Worker], seconds: float) -> Iterator[FinishedTask]:
        ready = wait([worker.pipe for worker in busy], seconds)
        for worker in busy:
            if worker.pipe not in ready or worker.task is None:
                continue
            task, worker.task = worker.task, None
            try:
                reply = Reply(**json.loads(worker.pipe.recv_bytes()))
            except (EOFError, OSError):
                self._remove(worker)
                death = f"no end within {worker.seconds:.0f} s" if worker.late else ""
                death = death or _describe_death(worker.process.exitcode)
                yield FinishedTask(task, None, death, worker.late)
            else:
                if worker.late:  # it is about to end, so it gets no other task
                    self._remove(worker)
                yield FinishedTask(task, reply)

    def _remove(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join(_GRACE)

    def _start(self) -> _Worker:
        ours, theirs = multiprocessing.Pipe()
        others = [worker.pipe for worker in self._workers]
        process = multiprocessing.get_context("fork").Process(
            # A fork that continued our event loop would share its epoll. An empty context has no
            # loop, so Jupyter's clients create one in the worker.
            target=contextvars.Context().run,
            args=(_serve, self._make, theirs, [ours, *others], os.getpid()),
            daemon=True,
        )
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker


def _describe_death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the worker was killed by {signal.Signals(-code).name}"
    return f"the worker ended with exit code {code}"


def _serve(
    make: Callable[[], Callable[[Task], Reply]],
    pipe: Connection,
    others: list[Connection],
    parent: int,
) -> None:
    """Do tasks from `pipe` until it closes; the main function of a worker."""
    for other in others:
        other.close()
    _end_with_parent(parent)
    # Kernels and libraries print texts of students: they must not reach a terminal.
    null_device = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null_device, stream)
    # The worker holds a kernel's messages and a notebook, and both may be huge.
    memory = own_data() + _MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    do = make()
    with contextlib.suppress(EOFError, OSError):
        while True:
            task = Task(**json.loads(pipe.recv_bytes()))
            pipe.send_bytes(json.dumps(asdict(do(task))).encode())


def _end_with_parent(parent: int) -> None:
    """End when the parent does, with a clean-up if that takes at most `_GRACE` seconds."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_GRACE)
        raise SystemExit(1)

    signal.signal(signal.SIGTERM, stop)
    # Ctrl-C reaches the whole group, but the parent decides. A handler in place of SIG_IGN, since
    # children inherit SIG_IGN, and SIGINT interrupts kernels.
    signal.signal(signal.SIGINT, lambda *_: None)
    if sys.platform == "linux":
        die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(1)
