"""Running a script that a student wrote: as `python NAME ARGUMENTS` would, only warm.

A fresh program spends ten seconds and more on imports. Here the script is executed as `__main__`
in a process forked from this one, which has Lightning imported. Where the script's Trainer would
start the script again for further ranks, these are forked too, so that a script gets just as many
ranks as it asks for. `run_fresh` runs the same command as it stands.
"""

from __future__ import annotations

import contextlib
import importlib
import os
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
from litcourse.ranks import rank_launcher
from litcourse.ranks.messages import Job, RankSpec
from litcourse.ranks.rank_process import cpu_variables
from litcourse.scripts import recorder
from litcourse.scripts.script_process import import_as_module, launch_by_fork, run_as_program

FRESH = "LITCOURSE_FRESH_SCRIPTS"
"""Variable that, set to 1, has `run_script` do as `run_fresh` does."""


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
        name: file name that it gets in `folder`.
        argv: its arguments.
        world_size: ranks that the command asks for; the script itself decides on how many it runs.
        limit: seconds that the ranks may take.
        folder: where it runs; the current one by default.
        most_epochs: a fit of more epochs returns at once, and its record says "endless".

    Returns:
        `{"command", "asked", "ranks": [...], "elsewhere": [...], "seconds"}`. Each rank as in
        `litcourse.ranks.run_ranks`, its value `{"exit": code}`, and with its "trainers", see
        `litcourse.scripts.recorder`. "elsewhere" are the Trainers of processes that the script
        started in another way than Lightning's launcher of scripts does.
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

    ended = _run_job(work, tuple(argv), limit, most_epochs)
    return {"command": called, "asked": world_size, **ended}


def import_script(
    source: str, name: str, *, limit: float = 20.0, folder: Path | None = None
) -> dict[str, Tree]:
    """What importing the script does, instead of running it.

    Returns:
        as `run_script`; the rank's value also has "parsed", whether it read the command line.
    """
    path = _write_script(source, name, folder)
    called = f"import {path.stem}"

    def work(_: RankSpec, files: Path) -> Tree:
        recorder.watch(files)
        return import_as_module(path, called)

    return {"command": called, "asked": 0, **_run_job(work, (), limit)}


def format_command(name: str, argv: list[str]) -> str:
    """What a person types to repeat a run."""
    return shlex.join(["python", name, *argv])


def _write_script(source: str, name: str, folder: Path | None) -> Path:
    path = (folder or Path.cwd()).resolve() / name
    path.write_text(source, encoding="utf-8")
    return path


def _import_ahead(source: str) -> None:
    """Import here, once, what every run of the script would import anew in its own process."""
    wanted = ["torch.utils.tensorboard"]  # Lightning's default logger, where it is installed
    wanted += ["lightning.pytorch.cli"] if "LightningCLI" in source else []
    for name in wanted:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _run_job(
    work: Callable[[RankSpec, Path], Tree],
    arguments: tuple[str, ...],
    limit: float,
    most_epochs: int | None = None,
) -> dict[str, Any]:
    started = time.monotonic()
    with rank_launcher.job_folder() as files:
        spec = RankSpec(0, recorder.recording_variables(files, most_epochs), arguments)
        job = Job(
            lambda spec: work(spec, files), (spec,), limit, files, rank_launcher.current_seed()
        )
        entries = rank_launcher.run_job(job)
        elsewhere = _assign_records(recorder.read_records(files), entries)
    return {"ranks": entries, "elsewhere": elsewhere, "seconds": time.monotonic() - started}


def _assign_records(records: list[dict[str, Tree]], entries: list[dict[str, Tree]]) -> list[Tree]:
    """Give each rank the Trainers of its process; return those of other processes."""
    pids = {entry["pid"] for entry in entries}
    for entry in entries:
        entry["trainers"] = [record for record in records if record["pid"] == entry["pid"]]
    return [record for record in records if record["pid"] not in pids]


# --- as fresh programs ---------------------------------------------------------------------------


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
    """Run the script by the very command that findings quote: slow, and with nothing in between.

    Args:
        source: as all the others, see `run_script`.
        name: as there.
        argv: as there.
        world_size: as there.
        limit: seconds by the clock; then all of it is killed.
        folder: as there.
        most_epochs: as there.

    Returns:
        as `run_script`. Of ranks that the script started itself the exit code is not known; it
        reads 0 if their fit came to its end.
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
        value = {"exit": 0 if record["finished"] else 1}
        entries.append({"value": value, "pid": record["pid"], "output": "", "trainers": [record]})
        elsewhere.remove(record)
    return {
        "command": format_command(name, argv),
        "asked": world_size,
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
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            return {"died": f"not done after {limit:.0f} s", "pid": process.pid}
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code < 0:
        return {"died": f"signal {-code}", "pid": process.pid}
    return {"value": {"exit": code}, "pid": process.pid}
