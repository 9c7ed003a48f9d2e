"""Running a script that a student wrote: as `python NAME ARGUMENTS` would, only warm.

A fresh program spends ten seconds and more on imports. Here the script is executed as `__main__`
in a process forked from this one, which has Lightning imported. Where the script's Trainer would
start itself again for further ranks, these are forked too, so that a script gets just as many
ranks as it asks for. `run_fresh` runs the same command as it stands.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litcourse import crew, recorder
from litcourse.evidence import Evidence
from litcourse.jobs import Job, Leave, Start
from litcourse.known_errors import RAISED
from litcourse.question import Finding, Tree
from litcourse.ranks import rank_findings

_LAUNCHERS = ("lightning.pytorch.strategies.launchers.subprocess_script",
              "lightning.fabric.strategies.launchers.subprocess_script")  # fmt: skip


def run_script(
    source: str,
    name: str,
    argv: list[str],
    *,
    world_size: int = 1,
    limit: float = 60.0,
    folder: Path | None = None,
) -> dict[str, Tree]:
    """Run the script `source` as `python name *argv`.

    Args:
        source: text of the script.
        name: file name that it gets in `folder`.
        argv: its arguments.
        world_size: ranks that the command asks for; the script itself decides on how many it runs.
        limit: seconds that the ranks may take.
        folder: where it runs; the current one by default.

    Returns:
        `{"command", "asked", "ranks": [...], "elsewhere": [...], "seconds"}`. Each rank as in
        `litcourse.ranks.run_ranks`, its value `{"exit": 0}`, and with its "trainers", see
        `litcourse.recorder`. "elsewhere" are the Trainers of processes that were started in
        another way.
    """
    path = _written(source, name, folder)

    def work(start: Start) -> Tree:
        _launch_by_fork(files)
        recorder.watch(files)
        return _as_program(path, start.arguments)

    started = time.monotonic()
    with crew.folder() as files:
        start = Start(0, recorder.environment(files), tuple(argv))
        entries = crew.run(Job(work, (start,), limit, files, crew.seed_of_now()))
        elsewhere = _share_out(recorder.records(files), entries)
    return {
        "command": command(name, argv),
        "asked": world_size,
        "ranks": entries,
        "elsewhere": elsewhere,
        "seconds": time.monotonic() - started,
    }


def command(name: str, argv: list[str]) -> str:
    """What a person types to repeat a run."""
    return shlex.join(["python", name, *argv])


def import_script(source: str, name: str, *, limit: float = 20.0) -> dict[str, Tree]:
    """What importing the script does, instead of running it.

    Returns:
        as `run_script`, with `{"parsed": whether it read the command line}` as the rank's value.
    """
    path = _written(source, name, None)

    def work(_: Start) -> Tree:
        recorder.watch(files)
        return _as_module(path)

    started = time.monotonic()
    with crew.folder() as files:
        entries = crew.run(Job(work, (Start(0, {}),), limit, files, crew.seed_of_now()))
        elsewhere = _share_out(recorder.records(files), entries)
    return {
        "command": f"import {path.stem}",
        "asked": 1,
        "ranks": entries,
        "elsewhere": elsewhere,
        "seconds": time.monotonic() - started,
    }


def _written(source: str, name: str, folder: Path | None) -> Path:
    path = (folder or Path.cwd()).resolve() / name
    path.write_text(source, encoding="utf-8")
    return path


def _share_out(records: list[dict[str, Tree]], entries: list[dict[str, Tree]]) -> list[Tree]:
    """Give each rank the Trainers of its process; return those of other processes."""
    pids = {entry["pid"] for entry in entries}
    for entry in entries:
        entry["trainers"] = [record for record in records if record["pid"] == entry["pid"]]
    return [record for record in records if record["pid"] not in pids]


# --- in the process of a rank --------------------------------------------------------------------


def _as_program(path: Path, arguments: tuple[str, ...]) -> Tree:
    """Execute the file at `path` as Python does for `python FILE ARGUMENTS`."""
    os.chdir(path.parent)
    sys.argv = [path.name, *arguments]
    main = types.ModuleType("__main__")
    main.__file__ = str(path)
    sys.modules["__main__"] = main
    return _executed(path, main, lambda: {"exit": 0})


def _as_module(path: Path) -> Tree:
    """Execute the file at `path` as `import` does, with a command line that nobody may read."""
    import argparse

    parsed = []
    original = argparse.ArgumentParser.parse_known_args

    def noting(parser: Any, *arguments: Any, **keywords: Any) -> Any:
        parsed.append(True)
        return original(parser, *arguments, **keywords)

    argparse.ArgumentParser.parse_known_args = noting  # type: ignore[method-assign, assignment]
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    sys.modules[path.stem] = module
    sys.argv = [path.name]
    return _executed(path, module, lambda: {"exit": 0, "parsed": bool(parsed)})


def _executed(path: Path, module: types.ModuleType, value: Callable[[], dict[str, Tree]]) -> Tree:
    sys.path.insert(0, str(path.parent))
    try:
        code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
        exec(code, module.__dict__)  # noqa: S102 (a student's script is here to be run)
    except SystemExit as end:
        status = _status(end.code)
        if status:
            raise Leave({**value(), "exit": status}) from None
    except BaseException:
        traceback.print_exc()
        raise
    return value()


def _status(code: object) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)  # noqa: T201 (as Python does)
    return 1


def _launch_by_fork(files: Path) -> None:
    """Have Lightning's launcher get its further ranks from the supervisor."""
    import subprocess

    class Popen:
        """A rank in place of a fresh program; the supervisor watches it."""

        returncode = None
        pid = 0

        def __new__(cls, command: list[str], **keywords: Any) -> Any:
            """A real process where the command is not that of this script."""
            if command[1:2] != [str(Path(sys.argv[0]).resolve())]:
                return subprocess.Popen(command, **keywords)
            return object.__new__(cls)

        def __init__(self, command: list[str], env: dict[str, str], **_: Any) -> None:
            number = int(env["LOCAL_RANK"])
            crew.ask_for(files, Start(number, env, tuple(command[2:])))

        def poll(self) -> None:
            """Never known here."""

        def send_signal(self, number: int) -> None:
            """The supervisor ends it."""

    for name in _LAUNCHERS:
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "subprocess"):
            module.subprocess = types.SimpleNamespace(Popen=Popen)  # type: ignore[attr-defined]


# --- judging -------------------------------------------------------------------------------------


def script_findings(seen: Evidence, criteria: tuple[str, ...]) -> list[Finding]:
    """What kept the script from running to its end and training; [] if nothing did."""
    called = seen["command"].text()
    found = rank_findings(seen, criteria)
    if found:
        return [_of_script(found[0], called)]
    for entry in seen["ranks"]:
        status = entry["value"]["exit"].integer()
        if status:
            got = f"exit code {status}"
            return [Finding("LIT941", criteria, called, "exit code 0", got, _last(entry))]
    fits = [record for record in _trainers(seen) if record["fitted"].flag()]
    if not fits:
        return [Finding("LIT942", criteria, called, "a Trainer whose fit runs", "none")]
    ranks = len({record["global_rank"].integer() for record in fits})
    if ranks != seen["asked"].integer():
        expected = f"{seen['asked'].integer()} ranks"
        return [Finding("LIT943", criteria, called, expected, f"{ranks}")]
    return []


def _trainers(seen: Evidence) -> list[Evidence]:
    own = [record for entry in seen["ranks"] for record in entry["trainers"]]
    return [*own, *seen["elsewhere"]]


def _of_script(finding: Finding, called: str) -> Finding:
    code = "LIT940" if finding.code == RAISED else finding.code
    return Finding(code, finding.criteria, called, finding.expected, finding.got, finding.where)


def _last(entry: Evidence) -> str:
    lines = [line for line in entry["output"].text().splitlines() if line.strip()]
    return lines[-1] if lines else ""
