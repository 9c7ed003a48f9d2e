"""Many short runs of student code out of one process that has imported torch and Lightning.

`import lightning` takes about ten CPU seconds, a check a tenth of one. So this process
imports once and forks a child for each run. Children are ours to run bank answers in, not
a sandbox for submissions.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLL = 0.005
"""Seconds between two looks at the children."""


@dataclass(frozen=True)
class Run:
    """What one child does.

    Args:
        key: whatever the caller wants back beside the outcome.
        cells: sources of the notebook's cells, in order.
        lab: id of the lab.
        question_id: the question that is probed behind the last cell.
        given: packet of the inputs.
    """

    key: Any
    cells: Sequence[str]
    lab: str
    question_id: str
    given: bytes


@dataclass(frozen=True)
class Outcome:
    """What a child left.

    Args:
        run: the run.
        evidence: packet of the evidence; b"" if the child died or was killed.
        cpu_seconds: processor time of the child, its own children included.
        note: how it ended, where that was not by itself.
    """

    run: Run
    evidence: bytes
    cpu_seconds: float
    note: str = ""


def warm_up() -> None:
    """Import what answers import, and make the shell that every child inherits."""
    import lightning as L  # noqa: F401
    import torch
    import torchmetrics.classification  # noqa: F401
    import torchvision.transforms.v2  # noqa: F401
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    torch.set_num_threads(1)  # and no pool of threads, which a fork would not take along
    settings = Config()
    settings.HistoryManager.enabled = False  # it would start a thread, which no fork takes along
    InteractiveShell.instance(config=settings)
    _rehearse()
    gc.collect()
    gc.freeze()  # a child's collector would touch, and so copy, every page of ours
    atexit.register(gc.unfreeze)  # what is frozen at exit, extensions report as leaked


def _rehearse() -> None:
    """A short run, so that what torch and Lightning do once in a process is done before a fork."""
    import inspect

    import lightning as L
    import torch
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import CSVLogger

    from litcourse.pretended_gpu import run_on_pretended_gpu
    from litcourse.stand_ins import CurveData, ScriptedCurve
    from litcourse.student import quiet_room

    inspect.stack()  # Lightning asks for it when it loads a checkpoint
    with quiet_room() as folder:
        checkpoint = ModelCheckpoint(monitor="val_acc", mode="max")
        trainer = L.Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=CSVLogger(folder),
            callbacks=[checkpoint],
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(ScriptedCurve([0.5]), datamodule=CurveData())
        torch.load(checkpoint.best_model_path, weights_only=True)
        parameter = torch.nn.Parameter(torch.zeros(1))
        parameter.sum().backward()
        torch.optim.Adam([parameter]).step()
        run_on_pretended_gpu(
            lambda: torch.nn.Linear(1, 1), [torch.zeros(1, 1)], lambda network, x: network(*x)
        )


def run_all(runs: Iterable[Run], jobs: int, limit: float) -> Iterator[Outcome]:
    """Outcomes of `runs` as they come, `jobs` at a time, each killed after `limit` seconds."""
    with tempfile.TemporaryDirectory(prefix="litcourse-warm-") as folder:
        waiting = enumerate(runs)  # drawn as they are needed: a run's inputs can be megabytes
        upcoming = next(waiting, None)
        children: dict[int, tuple[Run, Path, float]] = {}
        try:
            while upcoming or children:
                while upcoming and len(children) < jobs:
                    number, run = upcoming
                    upcoming = next(waiting, None)
                    place = Path(folder) / str(number)
                    place.mkdir()
                    children[_start(run, place)] = (run, place, time.monotonic() + limit)
                yield from _ended(children)
                time.sleep(POLL)
        finally:
            for pid in children:
                _kill(pid)
                os.waitpid(pid, 0)


def _ended(children: dict[int, tuple[Run, Path, float]]) -> Iterator[Outcome]:
    for pid, (run, place, deadline) in list(children.items()):
        late = time.monotonic() > deadline
        if late:
            _kill(pid)
        done, status, usage = os.wait4(pid, 0 if late else os.WNOHANG)
        if not done:
            continue
        del children[pid]
        evidence = place / "evidence"
        data = evidence.read_bytes() if evidence.exists() and not late else b""
        shutil.rmtree(place)
        note = "took too long" if late else ("" if data else f"died, status {status}")
        yield Outcome(run, data, usage.ru_utime + usage.ru_stime, note)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _start(run: Run, place: Path) -> int:
    (place / "given").write_bytes(run.given)
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        _work(run, place)
    finally:
        os._exit(0)  # never back into the caller's stack, whatever a student's code raised


def _work(run: Run, place: Path) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    from litcourse.remote import answer

    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.chdir(place)
    shell = InteractiveShell.instance()
    for cell in run.cells:
        shell.run_cell(cell)
    answer(run.lab, run.question_id, str(place / "given"), str(place / "evidence"), shell.user_ns)
