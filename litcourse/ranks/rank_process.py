"""What a process does that was forked to be a rank, before and after its work."""

from __future__ import annotations

import faulthandler
import logging
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litcourse.core.atomic_write import write_atomically
from litcourse.core.environment import drop_job_variables
from litcourse.core.serialization import SerializationError, encode
from litcourse.core.tree import Tree
from litcourse.probing.attempts import describe
from litcourse.ranks.messages import ExitRank, RankSpec
from litcourse.ranks.processes import die_with_parent
from litcourse.ranks.stack_dumps import is_echo

DUMP = signal.SIGRTMIN + 7 if hasattr(signal, "SIGRTMIN") else signal.SIGUSR2
"""Asks a rank for its stack; SIGUSR1 and 2 mean something to Slurm's jobs."""


def run_rank(spec: RankSpec, work: Callable[[], Tree], folder: Path, seed: int) -> None:
    """Do `work` as a rank, write its outcome to `folder`; never returns."""
    number = spec.number
    try:
        os.setsid()
        die_with_parent()
        _redirect(folder / f"output-{number}")
        _set_up_rank(spec.environment, folder / f"stack-{number}", number, seed)
        outcome = _run_work(work)
        outcome["at"] = time.monotonic()
        leaves = outcome.pop("leaves", False)
        sys.stdout.flush()
        sys.stderr.flush()
        _write(folder / f"outcome-{number}", outcome)
        if "value" in outcome and not leaves:
            while True:  # the others may wait for this rank: they are to be seen waiting
                time.sleep(60)
    except BaseException as error:  # noqa: BLE001 (nothing may get back into the parent's code)
        _write(folder / f"outcome-{number}", {"error": describe(error, "starting the rank")})
    finally:
        os._exit(1)


def _run_work(work: Callable[[], Tree]) -> dict[str, Tree]:
    try:
        return {"value": work()}
    except ExitRank as end:
        return {**end.outcome, "leaves": True}
    except BaseException as error:  # noqa: BLE001 (student code may raise anything)
        return {"error": describe(root_cause(error), "its rank")}


def root_cause(error: BaseException) -> BaseException:
    """The exception that came first, where a failing tear-down raised another one."""
    seen = {id(error)}
    while is_echo(str(error)):
        before = error.__cause__ or error.__context__
        if before is None or id(before) in seen:
            break
        seen.add(id(before))
        error = before
    return error


def _write(path: Path, outcome: dict[str, Tree]) -> None:
    try:
        data = encode(outcome)
    except SerializationError as error:
        data = encode({"error": describe(error, "what the rank returned")})
    write_atomically(path, data)


def _redirect(path: Path) -> None:
    """Send all output, of libraries and of further processes too, to a file."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(number, stream)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 (for the rest of the process)
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 (as above)
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]
    for reference in logging._handlerList:  # type: ignore[attr-defined]  # noqa: SLF001 (no public list)
        handler = reference()
        if type(handler) is logging.StreamHandler:
            handler.stream = sys.stderr  # not setStream, which would flush a notebook's stream


def _set_up_rank(environment: dict[str, str], stack: Path, number: int, seed: int) -> None:
    """One thread, no interactive session, signals, random states and variables of its own."""
    import torch

    torch.set_num_threads(1)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    file = stack.open("w", encoding="utf-8")
    faulthandler.register(DUMP, file=file, all_threads=True)
    faulthandler.enable(file, all_threads=False)  # a crash inside a library leaves its stack
    _protect_handler()
    own = drop_job_variables(os.environ)
    os.environ.clear()
    os.environ.update({**own, **cpu_variables(), **environment})
    _forget_gpus()
    _seed_all(seed + number)
    _be_non_interactive(int(environment.get("RANK", "0")))


def cpu_variables() -> dict[str, str]:
    """Variables of a rank on a CPU: no GPU is visible, one thread, gloo over the loopback."""
    return {
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": _loopback_name(),
    }


def _forget_gpus() -> None:
    """This process counts none, and so may fork others, as a fresh program may."""
    import torch

    # Not None: counting anew, without NVML, would forbid CUDA to whatever this process forks.
    torch.cuda._cached_device_count = 0  # noqa: SLF001 (no public way)
    torch.cuda._is_in_bad_fork = lambda: False  # noqa: SLF001 (as above)


def _protect_handler() -> None:
    """Lightning 2.6 resets all signals after a fit, to none those that Python did not set."""
    original = signal.signal

    def guarded(number: int, handler: Any) -> Any:
        return None if number == DUMP else original(number, handler)

    signal.signal = guarded  # type: ignore[assignment]


def _seed_all(seed: int) -> None:
    import numpy as np
    import torch

    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (the state that Lightning seeds)


def _loopback_name() -> str:
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


def _be_non_interactive(rank: int) -> None:
    """Lightning refuses strategies of several processes in a notebook, which this is no more."""
    if hasattr(sys, "ps1"):
        del sys.ps1
    for name, module in list(sys.modules.items()):
        if name.startswith("lightning.") and hasattr(module, "_IS_INTERACTIVE"):
            module._IS_INTERACTIVE = False  # type: ignore[attr-defined]  # noqa: SLF001 (no public switch)
    rank_zero = sys.modules.get("lightning_utilities.core.rank_zero")
    if rank_zero is not None:
        rank_zero.rank_zero_only.rank = rank
