"""Runs a student's script as `python NAME ARGUMENTS` does, but without its imports.

A new program spends ten seconds and more on imports. `run_script` forks this process, which has
Lightning imported, and executes the script there as `__main__`. Where the script's Trainer would
start the script again for further ranks, the supervisor forks those too, as many as the Trainer
requests. `run_fresh` runs the command itself.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litcourse.core.environment import drop_job_variables
from litcourse.core.tree import Tree
from litcourse.probing.progress import start_step
from litcourse.ranks import rank_launcher
from litcourse.ranks.messages import MOST_STRETCH, Job, RankSpec
from litcourse.ranks.own_time import OwnTime
from litcourse.ranks.processes import process_tree
from litcourse.ranks.rank_process import cpu_variables
from litcourse.ranks.supervisor import SAMPLE
from litcourse.scripts import recorder
from litcourse.scripts.script_process import import_as_module, launch_by_fork, run_as_program

OLDER_PACKAGE = "pytorch_lightning"
"""It has classes of the same names as `lightning`, but others: nothing records its Trainers."""
_IMPORTS_OLDER = re.compile(rf"^\s*(?:import|from)\s+{OLDER_PACKAGE}\b", re.MULTILINE)
FRESH = "LITCOURSE_FRESH_SCRIPTS"
"""If this variable is 1, `run_script` calls `run_fresh`."""


def run_script(
    source: str,
    name: str,
    argv: list[str],
    *,
    world_size: int = 1,
    limit: float = 60.0,
    folder: Path | None = None,
    most_epochs: int | None = None,
) -> dict[str, Tree]:
    """Run the script `source` as `python name *argv`.

    Args:
        source: text of the script.
        name: file name of the script in `folder`.
        argv: command-line arguments.
        world_size: number of ranks that `argv` asks for; the script decides how many it starts.
        limit: seconds that the ranks have for themselves, see `litcourse.ranks.own_time`.
        folder: working folder of the script; the current one by default.
        most_epochs: a fit of more epochs returns at once, and its record says "endless".

    Returns:
        `{"command", "asked", "ranks": [...], "elsewhere": [...], "seconds"}`. "ranks" are as in
        `litcourse.ranks.run_ranks`, each with value `{"exit": code, "left": names}` (threads and
        processes that go on after its end) and "trainers", the records of
        `litcourse.scripts.recorder`. "elsewhere" are the records of processes that the script
        started in another way than by Lightning's subprocess launcher.
    """
    if os.environ.get(FRESH) == "1":
        return run_fresh(
            source, name, argv, world_size=world_size, folder=folder, most_epochs=most_epochs
        )
    path = _write_script(source, name, folder)
    called = format_command(name, argv)
    _import_ahead(source)

    def work(spec: RankSpec, files: Path) -> Tree:
        launch_by_fork(files)
        recorder.watch(files)
        return run_as_program(path, spec.arguments, called)

    ended = _run_job(work, called, tuple(argv), limit, most_epochs)
    return {"command": called, "asked": world_size, "imports": _find_package(source), **ended}


def import_script(
    source: str, name: str, *, limit: float = 20.0, folder: Path | None = None
) -> dict[str, Tree]:
    """Import the script instead of running it.

    Returns:
        as `run_script`; the rank's value also has "parsed": whether the script read the command
        line, and "effects", as `import_effects` names them.
    """
    path = _write_script(source, name, folder)
    called = f"import {path.stem}"

    def work(_: RankSpec, files: Path) -> Tree:
        recorder.watch(files)
        return import_as_module(path, called)

    return {"command": called, "asked": 0, **_run_job(work, called, (), limit)}


def _find_package(source: str) -> str:
    """The older package if the script imports that one, else ""."""
    return OLDER_PACKAGE if _IMPORTS_OLDER.search(source) else ""


def format_command(name: str, argv: list[str]) -> str:
    """The command that repeats a run."""
    return shlex.join(["python", name, *argv])


def _write_script(source: str, name: str, folder: Path | None) -> Path:
    path = (folder or Path.cwd()).resolve() / name
    path.write_text(source, encoding="utf-8")
    return path


def _import_ahead(source: str) -> None:
    """Import once, in this process, the slow modules that each run of the script would import."""
    wanted = ["torch.utils.tensorboard"]  # Lightning's default logger, where it is installed
    wanted += ["lightning.pytorch.cli"] if "LightningCLI" in source else []
    for name in wanted:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _run_job(
    work: Callable[[RankSpec, Path], Tree],
    called: str,
    arguments: tuple[str, ...],
    limit: float,
    most_epochs: int | None = None,
) -> dict[str, Any]:
    started = time.monotonic()
    start_step(called)
    with rank_launcher.job_folder() as files:
        spec = RankSpec(0, recorder.recording_variables(files, most_epochs), arguments)
        job = Job(
            lambda spec: work(spec, files), (spec,), limit, files, rank_launcher.current_seed()
        )
        entries = rank_launcher.run_job(job)
        elsewhere = _assign_records(recorder.read_records(files), entries)
    return {"ranks": entries, "elsewhere": elsewhere, "seconds": time.monotonic() - started}


def _assign_records(records: list[dict[str, Tree]], entries: list[dict[str, Tree]]) -> list[Tree]:
    """Add to each rank the records of its process; return the records of other processes."""
    pids = {entry["pid"] for entry in entries}
    for entry in entries:
        entry["trainers"] = [record for record in records if record["pid"] == entry["pid"]]
    return [record for record in records if record["pid"] not in pids]


# --- as a new program ----------------------------------------------------------------------------


def run_fresh(
    source: str,
    name: str,
    argv: list[str],
    *,
    world_size: int = 1,
    limit: float = 300.0,
    folder: Path | None = None,
    most_epochs: int | None = None,
) -> dict[str, Tree]:
    """Run the script as a new program, by the command that findings quote; slow.

    Args:
        source: as for `run_script`.
        name: as for `run_script`.
        argv: as for `run_script`.
        world_size: as for `run_script`.
        limit: as for `run_script`; after it the whole process group is killed.
        folder: as for `run_script`.
        most_epochs: as for `run_script`.

    Returns:
        as `run_script`. The exit code of a rank that the script itself started is unknown; "exit"
        is 0 if the rank's fit ended, else 1.
    """
    path = _write_script(source, name, folder)
    started = time.monotonic()
    with rank_launcher.job_folder() as files:
        output = files / "output"
        variables = recorder.recording_variables(files, most_epochs)
        entry = _run_program(path, argv, variables, output, limit)
        entry["output"] = output.read_text(encoding="utf-8", errors="replace")[-2000:]
        elsewhere = _assign_records(recorder.read_records(files), [entry])
    entries = [entry]
    for record in [record for record in elsewhere if record["started_by"] == "popen"]:
        value: dict[str, Any] = {"exit": 0 if record["finished"] else 1, "left": []}
        entries.append({"value": value, "pid": record["pid"], "output": "", "trainers": [record]})
        elsewhere.remove(record)
    return {
        "command": format_command(name, argv),
        "asked": world_size,
        "imports": _find_package(source),
        "ranks": entries,
        "elsewhere": elsewhere,
        "seconds": time.monotonic() - started,
    }


def _run_program(
    path: Path, argv: list[str], variables: dict[str, str], output: Path, limit: float
) -> dict[str, Tree]:
    environment = {**drop_job_variables(os.environ), **cpu_variables(), **variables}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, path.name, *argv],
            cwd=path.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = _wait(process, limit)
            if code is None:
                return {"died": f"not done after {limit:.0f} s", "pid": process.pid}
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code < 0:
        return {"died": f"signal {-code}", "pid": process.pid}
    # A thread that goes on would have kept the program from ending.
    return {"value": {"exit": code, "left": []}, "pid": process.pid}


def _wait(process: subprocess.Popen[bytes], limit: float) -> int | None:
    """The exit code; None if the program needs more than `limit` seconds of its own."""
    clock, most = OwnTime(), time.monotonic() + limit * MOST_STRETCH
    while clock.seconds < limit and time.monotonic() < most:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(SAMPLE)
        clock.count(process_tree(process.pid))
    return None
