"""Runs answers of the bank in forks of one process that has imported torch and Lightning.

`import lightning` takes about ten CPU seconds, a check a tenth of one. So this process imports once
and forks a child for each run. A child is no sandbox for submissions.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import shutil
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.engine.imports import import_all
from litcourse.core.environment import swept_folder
from litcourse.ranks.own_time import OwnTime
from litcourse.ranks.processes import process_tree

POLL = 0.005
"""Seconds between two polls of the children."""
_SAMPLE = 0.25
"""Seconds between two looks at the time that they had for themselves."""


@dataclass(frozen=True)
class Run:
    """The work of one child.

    Args:
        key: any value of the caller; `Outcome.run` returns it.
        cells: sources of the notebook's cells, in order.
        lab: id of the lab.
        question_id: id of the question, which is probed behind the last cell.
        shown: the shown inputs, encoded.
        limit: seconds that the child may have for itself, see `litcourse.ranks.own_time`.
        variables: further environment variables.
    """

    key: Any
    cells: Sequence[str]
    lab: str
    question_id: str
    shown: bytes
    limit: float
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one child.

    Args:
        run: the run.
        evidence: the encoded evidence; b"" if the child died or was killed.
        cpu_seconds: processor time of the child and its own children.
        note: how it died or was killed, or "".
    """

    run: Run
    evidence: bytes
    cpu_seconds: float
    note: str = ""


def warm_up() -> None:
    """Import what answers import, and make the IPython shell that every child inherits."""
    import torch
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    torch.set_num_threads(1)  # no thread pool, which a fork would lose
    settings = Config()
    settings.HistoryManager.enabled = False  # it would start a thread, which a fork would lose
    InteractiveShell.instance(config=settings)
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # or importing the debugger warns
    import_all()
    del os.environ["PYDEVD_DISABLE_FILE_VALIDATION"]
    atexit.register(gc.unfreeze)  # extensions report objects that are frozen at exit as leaks


def run_all(
    runs: Iterable[Run], jobs: int, work: Callable[[Run, Path], None] | None = None
) -> Generator[Outcome]:
    """Run `runs`, `jobs` at a time, and yield each outcome when its child ends.

    Args:
        runs: drawn from when a child is free.
        jobs: children at a time.
        work: what a child does, by default `work_in_folder`: reads `inputs` and writes `evidence`
            in the folder that it gets.
    """
    with swept_folder("warm") as folder:
        waiting = enumerate(runs)  # drawn when needed: inputs can be megabytes
        upcoming = next(waiting, None)
        children: dict[int, tuple[Run, Path, OwnTime]] = {}
        looked = time.monotonic()
        try:
            while upcoming or children:
                while upcoming and len(children) < jobs:
                    number, run = upcoming
                    upcoming = next(waiting, None)
                    folder_of_run = folder / str(number)
                    folder_of_run.mkdir()
                    children[_start(run, folder_of_run, work or work_in_folder)] = (
                        run,
                        folder_of_run,
                        OwnTime(),
                    )
                if time.monotonic() - looked > _SAMPLE:
                    looked = time.monotonic()
                    for pid, (_, _, clock) in children.items():
                        clock.count(process_tree(pid))
                yield from _collect(children)
                time.sleep(POLL)
        finally:
            for pid in children:
                _kill(pid)
                os.waitpid(pid, 0)


def _collect(children: dict[int, tuple[Run, Path, OwnTime]]) -> Iterator[Outcome]:
    for pid, (run, folder_of_run, clock) in list(children.items()):
        late = clock.seconds > run.limit
        if late:
            _kill(pid)
        done, status, usage = os.wait4(pid, 0 if late else os.WNOHANG)
        if not done:
            continue
        del children[pid]
        evidence = folder_of_run / "evidence"
        data = evidence.read_bytes() if evidence.exists() and not late else b""
        shutil.rmtree(folder_of_run)
        note = "took too long" if late else ("" if data else f"died, status {status}")
        yield Outcome(run, data, usage.ru_utime + usage.ru_stime, note)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _start(run: Run, folder_of_run: Path, work: Callable[[Run, Path], None]) -> int:
    (folder_of_run / "inputs").write_bytes(run.shown)
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        work(run, folder_of_run)
    finally:
        os._exit(0)  # never back into the caller's stack, whatever a student's code raised


def work_in_folder(run: Run, folder_of_run: Path) -> None:
    """Run the cells in `folder_of_run`, then probe."""
    os.chdir(folder_of_run)
    os.environ.update(run.variables)
    probe(run, folder_of_run / "inputs", folder_of_run / "evidence")


def probe(run: Run, inputs: Path, evidence: Path) -> None:
    """Run the cells in silence, then probe with `inputs` and write `evidence`."""
    from IPython.core.interactiveshell import InteractiveShell

    from litcourse.frontends.kernel_entry import write_evidence

    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    shell = InteractiveShell.instance()
    for cell in run.cells:
        shell.run_cell(cell)
    write_evidence(run.lab, run.question_id, str(inputs), str(evidence), shell.user_ns)
