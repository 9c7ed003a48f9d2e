"""Jobs of ranks leave nothing behind, do not meet, and start without a fork too."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import distributed
from torch.utils.data import DataLoader

from litcourse.core.evidence import Evidence
from litcourse.ranks import rank_findings, rank_launcher, run_ranks, supervisor
from tests.litcourse.ranks.rank_jobs import CRITERIA, data, finding, fit, join

# --- nothing is left -----------------------------------------------------------------------------


def sleeper(folder: Path, name: str) -> None:
    """A process of its own session, as a daemon is; its pid goes to a file."""
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    (folder / f"{name}.part").write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
    (folder / f"{name}.part").rename(folder / name)


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def pids(tmp_path: Path) -> list[int]:
    return [int(pid) for file in tmp_path.iterdir() for pid in file.read_text().split()]


def test_what_ranks_start_ends_with_them(tmp_path: Path) -> None:
    def work(rank: int) -> dict[str, Any]:
        sleeper(tmp_path, str(rank))
        join()
        workers = iter(DataLoader(data(), 4, num_workers=1))
        next(workers)
        (tmp_path / f"w{rank}").write_text(str(psutil.Process().children()[-1].pid))
        if rank:
            distributed.barrier()
        return {}

    assert finding(run_ranks(work)).code == "LIT932"
    assert len(pids(tmp_path)) == 6
    assert gone(pids(tmp_path))


def forked(action: Callable[[], object]) -> int:
    """A process that does `action` and nothing else."""
    pid = os.fork()
    if not pid:
        try:
            action()
        finally:
            os._exit(0)
    return pid


def test_ranks_end_when_whoever_asked_is_killed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path_factory.mktemp("jobs")
    monkeypatch.setattr(tempfile, "tempdir", str(place))

    def work(rank: int) -> dict[str, Any]:
        sleeper(tmp_path, str(rank))
        time.sleep(600)
        return {}

    asking = forked(lambda: run_ranks(work))
    deadline = time.monotonic() + 20
    while len([f for f in tmp_path.iterdir() if not f.suffix]) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(asking, signal.SIGKILL)
    os.waitpid(asking, 0)
    assert len(pids(tmp_path)) == 4
    assert gone(pids(tmp_path))
    while any(place.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(place.iterdir())


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises, also in tests that a shell runs in the background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_the_ranks(tmp_path: Path) -> None:
    def work(rank: int) -> dict[str, Any]:
        sleeper(tmp_path, str(rank))
        os.kill(asking, signal.SIGINT)
        time.sleep(600)
        return {}

    asking = os.getpid()
    with pytest.raises(KeyboardInterrupt):
        run_ranks(work, 1)
    assert gone(pids(tmp_path))


def test_what_ranks_print_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    def work(rank: int) -> dict[str, Any]:
        sys.stdout.write(f"Grüße von {rank}\n")
        os.write(1, b"a library's line\n")
        sys.stderr.write("an error's line\n")
        return {}

    entries = run_ranks(work, 2)["ranks"]
    assert capsys.readouterr().out == "rank 0:\nGrüße von 0\n\nrank 1:\nGrüße von 1\n\n"
    for number, entry in enumerate(entries):
        lines = {f"Grüße von {number}", "a library's line", "an error's line"}
        assert lines <= set(entry["output"].splitlines())


def test_jobs_beside_each_other_do_not_meet(tmp_path: Path) -> None:
    def work(_: int) -> dict[str, Any]:
        total = torch.ones(1)
        join()
        for _again in range(20):
            distributed.all_reduce(total)
            total /= 2
        return {"total": total}

    def several(name: str) -> None:
        good = [not rank_findings(Evidence(run_ranks(work)), CRITERIA) for _ in range(3)]
        (tmp_path / name).write_text(str(all(good)), encoding="utf-8")

    others = [forked(lambda name=str(name): several(name)) for name in range(2)]  # type: ignore[misc]
    several("own")
    for other in others:
        os.waitpid(other, 0)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["True"] * 3


def test_a_held_port_is_given_to_nobody_and_serves_the_store() -> None:
    TCPStore = vars(distributed)["TCPStore"]  # noqa: N806 (a class, which torch does not export)
    with supervisor._hold_port() as port:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        store = TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)
        store.set("key", "value")
        assert TCPStore("127.0.0.1", port, is_master=False).get("key") == b"value"


# --- where a fork can't serve --------------------------------------------------------------------


@pytest.mark.slow
def test_classes_of_a_notebook_reach_ranks_of_a_fresh_program(
    student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(rank: int) -> dict[str, Any]:
        trainer = fit(student, strategy="ddp", devices=2)
        if rank == 1:
            distributed.barrier()
        return {"weight": trainer.lightning_module.model.weight, "pid": os.getppid()}

    monkeypatch.setenv(rank_launcher.FRESH, "1")
    seen = run_ranks(work)
    assert finding(seen).got.startswith("rank 0 is done; rank 1 waits in barrier (line ")
    weight = seen["ranks"][0]["value"]["weight"]
    assert torch.allclose(weight, fit(student, batch_size=8).lightning_module.model.weight)


def test_a_fork_serves_unless_the_process_is_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rank_launcher.can_fork() == (sys.platform == "linux")
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    assert not rank_launcher.can_fork()
    monkeypatch.undo()
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    assert not rank_launcher.can_fork()


def test_with_a_gpu_in_sight_a_fork_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert rank_launcher.can_fork()
    monkeypatch.setattr(torch.Tensor, "backward", lambda *_: 1 / 0)
    assert not rank_launcher.can_fork()
