"""Executes a script in a forked process."""

from __future__ import annotations

import argparse
import linecache
import multiprocessing
import os
import subprocess
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from litcourse.core.tree import Tree
from litcourse.probing.attempts import describe
from litcourse.ranks import rank_launcher
from litcourse.ranks.messages import ExitRank, RankSpec
from litcourse.ranks.rank_process import root_cause
from litcourse.scripts.import_effects import record_effects

PATIENCE = 2.0
"""Seconds in which threads and processes of a program that has come to its end have to end."""
_MOST_NAMES = 5
_LAUNCHERS = (
    "lightning.pytorch.strategies.launchers.subprocess_script",
    "lightning.fabric.strategies.launchers.subprocess_script",
)


def run_as_program(path: Path, arguments: tuple[str, ...], called: str) -> Tree:
    """Execute the file at `path` as `python FILE ARGUMENTS` does.

    Args:
        path: the script.
        arguments: its command-line arguments.
        called: name of the run in a description of an error.

    Raises:
        ExitRank: the script raised, or exited with another status than 0.
    """
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.argv = [path.name, *arguments]
    return {**_execute(path, main, called, lambda: {"exit": 0}), "left": wait_for_threads()}


def import_as_module(path: Path, called: str) -> Tree:
    """Execute the file at `path` as `import` does, and record what that has an effect on.

    The command line is that of a test runner, which the file must not read.

    Raises:
        ExitRank: as in `run_as_program`.
    """
    parsed = []
    original = argparse.ArgumentParser.parse_known_args

    def parse_and_record(parser: Any, *arguments: Any, **keywords: Any) -> Any:
        parsed.append(True)
        return original(parser, *arguments, **keywords)

    argparse.ArgumentParser.parse_known_args = parse_and_record  # type: ignore[method-assign, assignment]
    module = types.ModuleType(path.stem)
    sys.modules[path.stem] = module
    sys.argv = _Arguments(["pytest", "-q", "tests"], str(path), parsed)
    with record_effects(path) as effects:
        value = _execute(path, module, called, lambda: {"exit": 0, "parsed": bool(parsed)})
    return {**value, "effects": effects, "left": []}


class _Arguments(list[str]):
    """A command line that appends to `parsed` when the file `reader` reads it."""

    def __init__(self, arguments: list[str], reader: str, parsed: list[bool]) -> None:
        super().__init__(arguments)
        self._reader = reader
        self._parsed = parsed

    def _record(self) -> None:
        if sys._getframe(2).f_code.co_filename == self._reader:  # noqa: SLF001 (no public way)
            self._parsed.append(True)

    def __getitem__(self, index: Any) -> Any:
        if index != 0:  # the program's name is no argument
            self._record()
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[str]:
        self._record()
        return super().__iter__()

    def __contains__(self, value: object) -> bool:
        self._record()
        return super().__contains__(value)

    def __len__(self) -> int:
        self._record()
        return super().__len__()


def wait_for_threads() -> list[str]:
    """Wait as Python does at the end of a program, but not for ever.

    Returns:
        names of the threads and processes that go on after `PATIENCE`; a program that has some
        never ends.
    """
    waiting = threading.Thread(target=_end_as_python_does, daemon=True)
    waiting.start()
    waiting.join(PATIENCE)
    return sorted(each.name for each in _unended())[:_MOST_NAMES] if waiting.is_alive() else []


def _end_as_python_does() -> None:
    for function in reversed(threading._threading_atexits):  # type: ignore[attr-defined]  # noqa: SLF001 (ends idle threads of executors)
        function()
    for each in _unended():
        each.join()


def _unended() -> list[Any]:
    every: list[Any] = [*threading.enumerate(), *multiprocessing.active_children()]
    return [each for each in every if not each.daemon and each is not threading.main_thread()]


def _execute(
    path: Path, module: types.ModuleType, called: str, value: Callable[[], dict[str, Tree]]
) -> Tree:
    os.chdir(path.parent)
    sys.path.insert(0, str(path.parent))
    module.__file__ = str(path)
    linecache.checkcache(str(path))
    try:
        # dont_inherit: the __future__ import of this module would keep annotations unevaluated.
        code = compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 (runs a student's script on purpose)
    except SystemExit as end:
        status = _exit_status(end.code)
        if status:
            raise ExitRank({"value": {**value(), "exit": status}}) from None
    except BaseException as error:  # noqa: BLE001 (a student's script may raise anything)
        rest = {key: known for key, known in value().items() if key != "exit"}
        raise ExitRank({**rest, "error": _describe_error(error, path, called)}) from None
    return value()


def _exit_status(code: object) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)  # noqa: T201 (as Python does)
    return 1


def _describe_error(error: BaseException, path: Path, called: str) -> dict[str, Tree]:
    """The error as data, with the script's line; prints the traceback, as a program does."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != str(path):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)
    cause = root_cause(error)
    return {**describe(cause, called), "line": _find_script_line(cause.__traceback__, path)}


def _find_script_line(trace: TracebackType | None, path: Path) -> str:
    found = ""
    for frame, number in traceback.walk_tb(trace):
        if frame.f_code.co_filename == str(path):
            text = linecache.getline(str(path), number).strip()
            found = f"line {number} of {path.name}, in {frame.f_code.co_name}: {text}"
    return found


def launch_by_fork(files: Path) -> None:
    """Have Lightning's launcher request further ranks from the supervisor, which forks them."""

    class Popen:
        """A rank of the supervisor in place of a subprocess."""

        returncode = None
        pid = 0

        def __new__(cls, command: list[str], **keywords: Any) -> Any:
            """Start a real subprocess if the command does not run this script."""
            if command[1:2] != [os.path.abspath(sys.argv[0])]:  # noqa: PTH100 (Lightning's way)
                return subprocess.Popen(command, **keywords)
            return object.__new__(cls)

        def __init__(self, command: list[str], env: dict[str, str], **_: Any) -> None:
            number = int(env["LOCAL_RANK"])
            rank_launcher.request_rank(files, RankSpec(number, env, tuple(command[2:])))

        def poll(self) -> None:
            """Return None: the supervisor alone knows whether the rank has ended."""

        def send_signal(self, number: int) -> None:
            """Do nothing: the supervisor ends the rank."""

    for name in _LAUNCHERS:
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "subprocess"):
            module.subprocess = types.SimpleNamespace(Popen=Popen)  # type: ignore[attr-defined]
