"""Runs one rank in a forked process: sets the process up, does the work, writes the outcome."""

from __future__ import annotations

import faulthandler
import importlib
import io
import logging
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from litcourse.core.atomic_write import write_atomically
from litcourse.core.environment import drop_job_variables, only_variables
from litcourse.core.serialization import SerializationError, encode
from litcourse.core.tree import Tree
from litcourse.probing.attempts import describe
from litcourse.ranks.messages import ExitRank, RankSpec
from litcourse.ranks.processes import die_with_parent
from litcourse.ranks.stack_dumps import dump_before_end, is_echo

DUMP = signal.SIGRTMIN + 7 if hasattr(signal, "SIGRTMIN") else signal.SIGUSR2
"""The signal on which a rank dumps its stack; Slurm jobs use SIGUSR1 and SIGUSR2 otherwise."""
_leave = os._exit


def run_rank(spec: RankSpec, work: Callable[[], Tree], folder: Path, seed: int) -> None:
    """Do `work` as a rank, write its outcome to `folder`; never returns."""
    number = spec.number
    try:
        os.setsid()
        die_with_parent()
        _redirect(folder / f"output-{number}", folder / f"printed-{number}")
        _set_up_rank(spec, folder / f"stack-{number}", seed)
        outcome = _run_work(work)
        outcome["at"] = time.monotonic()
        leaves = outcome.pop("leaves", False)
        sys.stdout.flush()
        sys.stderr.flush()
        _write(folder / f"outcome-{number}", outcome)
        if "value" in outcome and not leaves:
            while True:  # if this rank ended, others that wait for it would fail and not wait
                time.sleep(60)
    except BaseException as error:  # noqa: BLE001 (a fork must not return into the parent's code)
        _write(folder / f"outcome-{number}", {"error": describe(error, "starting the rank")})
    finally:
        _leave(1)


def _run_work(work: Callable[[], Tree]) -> dict[str, Tree]:
    try:
        return {"value": work()}
    except ExitRank as end:
        return {**end.outcome, "leaves": True}
    except BaseException as error:  # noqa: BLE001 (student code may raise anything)
        return {"error": describe(root_cause(error), "its rank")}


def root_cause(error: BaseException) -> BaseException:
    """The exception that caused `error`, if `error` only says that another rank failed."""
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


class _CopiedOutput(io.TextIOWrapper):
    """A text stream to a file descriptor that writes all to `copy` too."""

    def __init__(self, number: int, copy: TextIO) -> None:
        raw = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
        super().__init__(raw, encoding="utf-8", errors="replace", line_buffering=True)
        self._copy = copy

    def write(self, text: str) -> int:
        """Write `text` twice."""
        self._copy.write(text)
        return super().write(text)


def _redirect(path: Path, printed: Path) -> None:
    """Send all output to a file, also that of C libraries and of child processes.

    What Python code prints goes to the file `printed` too.
    """
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(number, stream)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    copy = printed.open("a", buffering=1, encoding="utf-8", errors="replace")
    sys.stdout = _CopiedOutput(1, copy)
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 (for the rest of the process)
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]
    for reference in logging._handlerList:  # type: ignore[attr-defined]  # noqa: SLF001 (no public list)
        handler = reference()
        if type(handler) is logging.StreamHandler:
            handler.stream = sys.stderr  # not setStream, which would flush a notebook's stream


def _set_up_rank(spec: RankSpec, stack: Path, seed: int) -> None:
    """Set threads, signals, variables and random states, and leave the interactive session."""
    import torch

    torch.set_num_threads(1)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    file = stack.open("w", encoding="utf-8")
    faulthandler.register(DUMP, file=file, all_threads=True)
    faulthandler.enable(file, all_threads=False)  # dumps the stack if a library crashes
    dump_before_end(file)
    _protect_handler()
    kept = drop_job_variables(os.environ)
    os.environ.clear()
    os.environ.update({**kept, **cpu_variables(), **spec.environment})
    _find_group(spec)
    _forget_gpus()
    _seed_all(seed + spec.number)
    _be_non_interactive(spec.number)


_MEETING = ("MASTER_ADDR", "MASTER_PORT")


def _find_group(spec: RankSpec) -> None:
    """Have `init_process_group("gloo")` find rank and world size, which no variable holds.

    torch would read RANK and WORLD_SIZE. Student code must not see them: only torchrun sets both,
    and a job that Lightning or srun has started has no RANK. A single rank has no variables at all.
    """
    if not spec.world_size:
        return
    module = importlib.import_module("torch.distributed.rendezvous")  # also a function's name
    handlers: Any = module._rendezvous_handlers  # noqa: SLF001 (one can only add to them)
    original = handlers["env"]
    place = {"RANK": str(spec.number), "WORLD_SIZE": str(spec.world_size)}
    place |= {name: spec.environment[name] for name in _MEETING}
    if spec.world_size == 1:
        for name in _MEETING:
            del os.environ[name]

    def handler(*arguments: Any, **keywords: Any) -> Iterator[Any]:
        with only_variables({**os.environ, **place}):
            found = next(original(*arguments, **keywords))
        yield found

    handlers["env"] = handler


def cpu_variables() -> dict[str, str]:
    """Variables of a rank on the CPU: no visible GPU, one thread, gloo over the loopback."""
    return {
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": _loopback_name(),
    }


def _forget_gpus() -> None:
    """Have torch see no GPU and no bad fork, so that this process can fork like a new program."""
    import torch

    # 0, not None: torch would count again, and a count without NVML spoils CUDA in later forks.
    torch.cuda._cached_device_count = 0  # noqa: SLF001 (no public way)
    torch.cuda._is_in_bad_fork = lambda: False  # noqa: SLF001 (as above)


def _protect_handler() -> None:
    """Keep `DUMP`: Lightning 2.6 resets all signals after a fit, and drops non-Python handlers."""
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
    """Leave the notebook's interactive mode, where Lightning refuses DDP strategies."""
    if hasattr(sys, "ps1"):
        del sys.ps1
    for name, module in list(sys.modules.items()):
        if name.startswith("lightning.") and hasattr(module, "_IS_INTERACTIVE"):
            module._IS_INTERACTIVE = False  # type: ignore[attr-defined]  # noqa: SLF001 (no public switch)
    rank_zero = sys.modules.get("lightning_utilities.core.rank_zero")
    if rank_zero is not None:
        rank_zero.rank_zero_only.rank = rank
