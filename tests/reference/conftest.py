"""Ranks as forks of this process: they start at once, for it has imported Lightning already."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Program = Callable[[], Any]


@pytest.fixture(scope="session")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., list[Any]]]:
    """Run `ranks(program, world_size)`: what each rank's `program()` returned, in their order.

    Ranks see the variables of torchelastic, so Lightning starts none itself. What a rank returns
    travels as JSON; one that raises, or takes more than `seconds`, fails the test.
    """
    children: list[int] = []

    def run(program: Program, world_size: int = 2, seconds: float = 600) -> list[Any]:
        folder = tmp_path_factory.mktemp("ranks")
        with _held_port() as port:
            for rank in range(world_size):
                pid = os.fork()
                if pid == 0:
                    _live(program, rank, world_size, port, folder)
                children.append(pid)
            states = _wait(children, seconds)
        logs = "\n".join(path.read_text() for path in sorted(folder.glob("*.log")))
        assert states == [0] * world_size, f"ranks ended with {states}:\n{logs[-6000:]}"
        return [json.loads((folder / f"{r}.json").read_text()) for r in range(world_size)]

    yield run
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _wait(children: list[int], seconds: float) -> list[int]:
    """The exit codes; one that fails, or time that is up, ends the others."""
    states: dict[int, int] = {}
    order, deadline = list(children), time.monotonic() + seconds
    while children:
        for pid in list(children):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                children.remove(pid)
                states[pid] = os.waitstatus_to_exitcode(status)
        if any(states.values()) or time.monotonic() > deadline:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return [states[pid] for pid in order]


def _live(program: Program, rank: int, world_size: int, port: int, folder: Path) -> None:
    """The life of a rank; does not return."""
    import torch

    code = 1
    try:
        torch.set_num_threads(1)
        for name in [name for name in os.environ if name.startswith("SLURM_")]:
            del os.environ[name]
        numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size}
        numbers |= {"LOCAL_WORLD_SIZE": world_size, "GROUP_RANK": 0, "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in numbers.items()})
        os.environ.update(MASTER_ADDR="127.0.0.1", TORCHELASTIC_RUN_ID="tests")
        # Else Lightning divides the cores among the ranks. A fork in whose parent OpenMP has had
        # several threads waits for them for ever.
        os.environ["OMP_NUM_THREADS"] = "1"
        sys.argv[1:] = []  # LightningCLI warns of a command line that it does not read
        out = os.open(folder / f"{rank}.log", os.O_CREAT | os.O_WRONLY)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        (folder / f"{rank}.json").write_text(json.dumps(program()))
        code = 0
    except BaseException:  # noqa: BLE001  a rank tells of everything that ends it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@contextlib.contextmanager
def _held_port() -> Iterator[int]:
    """A port that nobody else is given meanwhile, and that rank 0 can listen at."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("", 0))
        yield held.getsockname()[1]
