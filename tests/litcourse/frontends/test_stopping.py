"""A check ends when it is stopped or late, whatever the student's code does with the interrupt."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from litcourse.feedback.stopped import Stop
from litcourse.frontends import stopping
from litcourse.frontends.stopping import run_stoppable
from litcourse.probing.attempts import attempt, interrupted
from litcourse.probing.fakes import NoOpModule
from litcourse.probing.progress import current_step, reset_steps, start_step
from litcourse.probing.trainers import make_loader, quiet_trainer
from litcourse.ranks import run_ranks

LATE = 0.5
RANKS = 2


@pytest.fixture(autouse=True)
def _as_in_a_kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SIGINT raises, as while a kernel runs a cell, and a tick takes a tenth of its time."""
    monkeypatch.setattr(stopping, "TICK", 0.1)
    monkeypatch.setattr(stopping, "_AGAIN", 0.3)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    reset_steps()
    yield
    signal.signal(signal.SIGINT, before)
    reset_steps()


def press_stop(after: float = 0.3) -> None:
    """Stop this process's main thread soon."""
    threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT)).start()


def sleep() -> dict[str, Any]:
    time.sleep(60)
    return {}


def swallow() -> dict[str, Any]:
    """Code that takes an interrupt for an error of its own, twice."""
    for _ in range(3):
        with contextlib.suppress(BaseException):
            time.sleep(60)
    return {"value": 1}


def train() -> dict[str, Any]:
    """A training that Lightning ends by `exit(1)` on an interrupt, and ignores further ones."""

    class Endless(NoOpModule):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            time.sleep(60)
            return super().training_step(batch, batch_idx)

    batches = make_loader([[torch.zeros(2, 1), torch.zeros(2, dtype=torch.long)]])
    quiet_trainer(max_epochs=1).fit(Endless(), batches)
    return {}


ENDLESS = [sleep, swallow, train]


@pytest.mark.parametrize("action", ENDLESS)
def test_stop_ends_it(action: Callable[[], dict[str, Any]]) -> None:
    press_stop()
    stop = run_stoppable(lambda: [attempt(action, "f()") for _ in range(3)], 60)
    assert isinstance(stop, Stop)
    assert stop.limit is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert not interrupted.is_set()


@pytest.mark.parametrize("action", ENDLESS)
def test_a_late_one_ends(action: Callable[[], dict[str, Any]]) -> None:
    stop = run_stoppable(lambda: attempt(action, "f()"), LATE)
    assert isinstance(stop, Stop)
    assert stop.limit == LATE


def test_the_line_is_the_students() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    code = "import time\ndef wait():\n    while True:\n        time.sleep(0.01)\n"
    exec(compile(code, "<cell>", "exec"), names)  # noqa: S102 (a cell)
    stop = run_stoppable(lambda: attempt(names["wait"], "wait()"), LATE)
    assert isinstance(stop, Stop)
    assert stop.line.startswith(("line 3 of the cell, in wait", "line 4 of the cell, in wait"))


def test_the_line_of_a_rank_and_the_step(tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__", "here": tmp_path}
    code = "def work(rank):\n    (here / str(rank)).touch()\n    while True:\n        pass\n"
    exec(compile(code, "<cell>", "exec"), names)  # noqa: S102 (a cell)

    def stop_when_they_work(_: float) -> None:
        if len(list(tmp_path.iterdir())) == RANKS:
            os.kill(os.getpid(), signal.SIGINT)

    stop = run_stoppable(lambda: run_ranks(names["work"], RANKS), 60, stop_when_they_work)
    assert isinstance(stop, Stop)
    assert stop.line.startswith("rank 0: line ")
    assert "in work" in stop.line
    assert stop.step == "step 1: 2 ranks"


def test_what_ends_in_time_is_returned() -> None:
    ticks: list[float] = []

    def nap() -> str:
        time.sleep(LATE)
        return "done"

    assert run_stoppable(nap, 60, ticks.append) == "done"
    assert ticks
    assert ticks == sorted(ticks)


def test_an_exception_of_its_own_goes_on() -> None:
    def fail() -> None:
        raise KeyboardInterrupt("raised by a callback")

    with pytest.raises(KeyboardInterrupt, match="by a callback"):
        run_stoppable(fail, 60)


def test_in_another_thread_nothing_limits_it() -> None:
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.append(run_stoppable(lambda: "done", 0)))
    thread.start()
    thread.join()
    assert seen == ["done"]


def test_steps_are_numbered() -> None:
    assert current_step() == ""
    start_step("2 ranks")
    start_step("python train.py")
    assert current_step() == "step 2: python train.py"


def test_lightning_still_ends_a_training_by_exit() -> None:
    """Why `attempt` asks whether the check was interrupted: a release may change it."""

    class Interrupted(NoOpModule):
        def training_step(self, *_: Any) -> Any:
            raise KeyboardInterrupt

    batches = make_loader([[torch.zeros(2, 1), torch.zeros(2, dtype=torch.long)]])
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit):
        L.Trainer(
            accelerator="cpu", logger=False, enable_checkpointing=False, max_epochs=1,
            enable_progress_bar=False, enable_model_summary=False,
        ).fit(Interrupted(), batches)  # fmt: skip
    signal.signal(signal.SIGINT, before)
