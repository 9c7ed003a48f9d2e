"""The two processes of a kernel: an init process, which waits, and its child, the kernel."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from autograder.engine import sandbox, syscalls
from autograder.engine.limits import Limits


def run_init(request: dict[str, Any], limits: Limits, report: int) -> None:
    """Fork the kernel that `request` describes, and report on it; never returns.

    Args:
        request: from `WarmProvisioner.launch_kernel`.
        limits: limits of the kernel.
        report: file descriptor for lines of JSON: `pid`, then `ready` or `error`, then `status`,
            the kernel's wait status.
    """
    syscalls.die_with_parent(signal.SIGKILL)
    os.setsid()
    ready, ready_pipe = os.pipe()
    close_others({ready, ready_pipe, report})
    user = sandbox.own_user(os.getpid())
    try:
        if request["sandbox"]:
            sandbox.unshare_namespaces()
            syscalls.die_with_parent(signal.SIGKILL)  # a new user namespace resets it
        pid = os.fork()
    except OSError as error:
        _send_line(report, {"error": str(error)})
        os._exit(1)
    if not pid:
        os.close(report)
        os.close(ready)
        _run_kernel(request, limits, ready_pipe, user)
    os.close(ready_pipe)
    _send_line(report, {"pid": pid})
    message = os.read(ready, 65536)
    if message != b"ready":
        _send_line(
            report, {"error": message.decode("utf-8", "replace") or "the kernel died at its start"}
        )
    elif request["sandbox"]:
        sandbox.close_channel()
    if message == b"ready":
        _send_line(report, {"ready": True})
    _, status = os.waitpid(pid, 0)
    _send_line(report, {"status": status})  # no exit code of ours could tell all of them apart
    os._exit(0)


def _send_line(report: int, what: dict[str, Any]) -> None:
    os.write(report, json.dumps(what).encode() + b"\n")


def close_others(kept: set[int]) -> None:
    """Close every file descriptor but `kept`; connect the standard streams to /dev/null."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    low = 3
    for number in sorted(kept):
        os.closerange(low, number)
        low = number + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def _run_kernel(request: dict[str, Any], limits: Limits, ready_pipe: int, user: int) -> None:
    try:
        _die_first()
        _enter_sandbox(request, limits, user)
        app = _start_kernel_app(request)
    except BaseException as error:  # noqa: BLE001 (the init process reports it)
        os.write(ready_pipe, f"{type(error).__name__}: {error}".encode()[:60000])
        os._exit(1)
    os.write(ready_pipe, b"ready")
    os.close(ready_pipe)
    try:
        app.start()
    finally:
        os._exit(0)


def _die_first() -> None:
    """Have Linux kill this process and its children first where the machine has no memory left.

    Limits on memory are looked at a few times a second. Code that knows it can take the mark off
    again, unless the grader is a root with CAP_SYS_RESOURCE (proc(5), oom_score_adj).
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _enter_sandbox(request: dict[str, Any], limits: Limits, user: int) -> None:
    paths = request["place"]
    if request["sandbox"]:
        sandbox_paths = sandbox.Place(
            Path(paths["channel"]),
            Path(paths["root"]),
            Path(paths["work"]),
            tuple(map(Path, paths["hidden"])),
            tuple(map(Path, paths["visible"])),
        )
        sandbox.enter(sandbox_paths, limits, user)
    else:
        os.chdir(paths["work"])
    syscalls.die_with_parent(signal.SIGKILL)
    limits.apply(count_processes=request["sandbox"])
    os.environ.clear()
    os.environ.update(request["environment"])


def _start_kernel_app(request: dict[str, Any]) -> Any:
    _reset_process_state()
    import ipykernel.ipkernel
    import ipykernel.kernelapp

    file = Path(request["connection_file"])
    file.write_text(json.dumps(request["connection"]), encoding="utf-8")
    # The start must not load settings or modules that a student handed in: an endless loop in one
    # of them would show up nowhere.
    work = Path.cwd()
    os.chdir("/")
    app = ipykernel.kernelapp.IPKernelApp.instance(connection_file=str(file))
    with _hide_modules(ipykernel.ipkernel):
        app.initialize(["--HistoryManager.enabled=False"])  # type: ignore[no-untyped-call]
    os.chdir(work)
    shell: Any = app.shell
    shell.user_ns["_dh"][:] = [work]
    # IPython's `exit` ends the kernel a moment later, in another cell; `sys.exit` raises
    # SystemExit, an error of this cell alone.
    shell.user_ns["exit"] = shell.user_ns["quit"] = sys.exit
    shell.ask_exit = lambda: None
    return app


@contextlib.contextmanager
def _hide_modules(ipkernel: Any) -> Iterator[None]:
    """Hide the imported modules from ipykernel 7.4, which lists their files for a debugger.

    Reading a module counts a reference, so it writes to its page, and a fork's first write copies
    the page: that list took an eighth of a kernel's start.
    """
    ipkernel.sys = SimpleNamespace(modules={}, platform=sys.platform)
    try:
        yield
    finally:
        ipkernel.sys = sys


def _reset_process_state() -> None:
    """Renew what forks share: random states, the authentication key, our modules, signals."""
    import multiprocessing
    import random

    import numpy as np
    import torch

    torch.seed()
    random.seed()
    np.random.seed()  # noqa: NPY002 (the global state is the one to be renewed)
    multiprocessing.current_process().authkey = os.urandom(32)
    sys.argv = ["ipykernel"]
    tempfile.tempdir = None  # the warm process found its own, which a sandbox does not have
    for name in [name for name in sys.modules if name.partition(".")[0] == "autograder"]:
        del sys.modules[name]
    signal.signal(signal.SIGINT, signal.default_int_handler)
