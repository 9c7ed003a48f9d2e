"""What happens in a process that was forked to run a script."""

from __future__ import annotations

import argparse
import linecache
import os
import subprocess
import sys
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

_LAUNCHERS = (
    "lightning.pytorch.strategies.launchers.subprocess_script",
    "lightning.fabric.strategies.launchers.subprocess_script",
)


def run_as_program(path: Path, arguments: tuple[str, ...], called: str) -> Tree:
    """Execute the file at `path` as `python FILE ARGUMENTS` does.

    Raises:
        ExitRank: it ended with an error; `called` is how its description calls the run.
    """
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.argv = [path.name, *arguments]
    return _execute(path, main, called, lambda: {"exit": 0})


def import_as_module(path: Path, called: str) -> Tree:
    """Execute the file at `path` as `import` does, noting whether it reads the command line.

    The command line is somebody else's, a test runner's, and not empty.

    Raises:
        ExitRank: as in `run_as_program`.
    """
    parsed = []
    original = argparse.ArgumentParser.parse_known_args

    def noting(parser: Any, *arguments: Any, **keywords: Any) -> Any:
        parsed.append(True)
        return original(parser, *arguments, **keywords)

    argparse.ArgumentParser.parse_known_args = noting  # type: ignore[method-assign, assignment]
    module = types.ModuleType(path.stem)
    sys.modules[path.stem] = module
    sys.argv = _Arguments(["pytest", "-q", "tests"], str(path), parsed)
    return _execute(path, module, called, lambda: {"exit": 0, "parsed": bool(parsed)})


class _Arguments(list[str]):
    """A command line that notes in `parsed` that the file `reader` itself reads it."""

    def __init__(self, arguments: list[str], reader: str, parsed: list[bool]) -> None:
        super().__init__(arguments)
        self._reader = reader
        self._parsed = parsed

    def _note(self) -> None:
        if sys._getframe(2).f_code.co_filename == self._reader:  # noqa: SLF001 (no public way)
            self._parsed.append(True)

    def __getitem__(self, index: Any) -> Any:
        if index != 0:  # the name of the program, which is nobody's argument
            self._note()
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[str]:
        self._note()
        return super().__iter__()

    def __contains__(self, value: object) -> bool:
        self._note()
        return super().__contains__(value)

    def __len__(self) -> int:
        self._note()
        return super().__len__()


def _execute(
    path: Path, module: types.ModuleType, called: str, value: Callable[[], dict[str, Tree]]
) -> Tree:
    os.chdir(path.parent)
    sys.path.insert(0, str(path.parent))
    module.__file__ = str(path)
    linecache.checkcache(str(path))
    try:
        # Not with the __future__ of this module: annotations would not be evaluated.
        code = compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 (a student's script is here to be run)
    except SystemExit as end:
        status = _status(end.code)
        if status:
            raise ExitRank({"value": {**value(), "exit": status}}) from None
    except BaseException as error:  # noqa: BLE001 (a student's script may raise anything)
        noted = {key: known for key, known in value().items() if key != "exit"}
        raise ExitRank({**noted, "error": _describe(error, path, called)}) from None
    return value()


def _status(code: object) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)  # noqa: T201 (as Python does)
    return 1


def _describe(error: BaseException, path: Path, called: str) -> dict[str, Tree]:
    """The error as data, with the script's line; the traceback goes where a program's goes."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != str(path):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)
    cause = root_cause(error)
    return {**describe(cause, called), "line": _line(cause.__traceback__, path)}


def _line(trace: TracebackType | None, path: Path) -> str:
    found = ""
    for frame, number in traceback.walk_tb(trace):
        if frame.f_code.co_filename == str(path):
            text = linecache.getline(str(path), number).strip()
            found = f"line {number} of {path.name}, in {frame.f_code.co_name}: {text}"
    return found


def launch_by_fork(files: Path) -> None:
    """Have Lightning's launcher get its further ranks from the supervisor, forked."""

    class Popen:
        """A rank in place of a fresh program; the supervisor starts, watches and ends it."""

        returncode = None
        pid = 0

        def __new__(cls, command: list[str], **keywords: Any) -> Any:
            """A real program where the command is not this script's own."""
            if command[1:2] != [os.path.abspath(sys.argv[0])]:  # noqa: PTH100 (Lightning's way)
                return subprocess.Popen(command, **keywords)
            return object.__new__(cls)

        def __init__(self, command: list[str], env: dict[str, str], **_: Any) -> None:
            number = int(env["LOCAL_RANK"])
            rank_launcher.request_rank(files, RankSpec(number, env, tuple(command[2:])))

        def poll(self) -> None:
            """Never known here."""

        def send_signal(self, number: int) -> None:
            """Not from here."""

    for name in _LAUNCHERS:
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "subprocess"):
            module.subprocess = types.SimpleNamespace(Popen=Popen)  # type: ignore[attr-defined]
