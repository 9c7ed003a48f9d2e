"""Runs a mutant as a submission runs: in the sandbox of `autograder.engine.sandbox`.

A changed answer may delete, fill or send things that the right one does not.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

from autograder.engine import sandbox, syscalls
from autograder.engine.limits import Limits
from autograder.verifying.warm_runner import Run, probe
from litcourse.core.environment import swept_folder

LIMITS = Limits(cpu_seconds=120)


def work_in_sandbox(run: Run, folder: Path) -> None:
    """Run the cells isolated, then probe; `folder` holds `inputs` and gets `evidence`.

    Raises:
        OSError: this machine does not allow one of the steps.
    """
    import litcourse
    from litcourse import labs

    place = _make_place(folder, [*litcourse.__path__, *labs.__path__])
    (folder / "evidence").symlink_to(place.channel / "evidence")
    sandbox.unshare_namespaces()
    syscalls.die_with_parent(signal.SIGKILL)  # a new user namespace resets it
    pid = os.fork()  # the first process of the new pid namespace: its end is that of all others
    if not pid:
        try:
            syscalls.die_with_parent(signal.SIGKILL)
            _probe_inside(run, place)
        finally:
            os._exit(0)  # never back into the caller's stack
    os.waitpid(pid, 0)  # no path from here on: entering the sandbox took this process along


def check_sandbox() -> str:
    """Why this machine gives no sandbox, or ""."""
    with swept_folder("warm") as folder:
        read_end, write_end = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                os.write(write_end, _try_sandbox(folder).encode())
            finally:
                os._exit(0)
        os.close(write_end)
        os.waitpid(pid, 0)
        with os.fdopen(read_end, "rb") as pipe:
            return pipe.read().decode()


def _try_sandbox(folder: Path) -> str:
    try:
        (folder / "inputs").touch()
        place = _make_place(folder, [])
        sandbox.unshare_namespaces()
    except OSError as error:
        return str(error)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            sandbox.enter(place, LIMITS)
        except OSError as error:
            os.write(write_end, str(error).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    os.waitpid(pid, 0)
    with os.fdopen(read_end, "rb") as pipe:
        return pipe.read().decode()


def _make_place(folder: Path, visible: list[str]) -> sandbox.Place:
    import autograder

    for name in ("channel", "root", "empty"):
        (folder / name).mkdir()
    (folder / "channel" / "evidence").touch()
    (folder / "inputs").rename(folder / "channel" / "inputs")
    return sandbox.Place(
        folder / "channel",
        folder / "root",
        folder / "empty",
        tuple(map(Path, autograder.__path__)),
        (Path(sys.prefix), Path(sys.base_prefix), *map(Path, visible)),
    )


def _probe_inside(run: Run, place: sandbox.Place) -> None:
    sandbox.enter(place, LIMITS)
    LIMITS.apply(count_processes=True)
    tempfile.tempdir = None  # the warm process found its own, which a sandbox does not have
    os.environ.update({"HOME": str(sandbox.HOME), "TMPDIR": "/tmp", **run.variables})  # noqa: S108
    probe(run, sandbox.CHANNEL / "inputs", sandbox.EVIDENCE)
