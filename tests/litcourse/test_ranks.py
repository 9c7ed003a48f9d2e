"""Ranks are real, see each other, are described when they fail, and are gone afterwards."""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import distributed, nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from litcourse import crew, supervisor
from litcourse.evidence import Evidence, MalformedError
from litcourse.lightning_tools import quiet_trainer
from litcourse.packet import decode, encode
from litcourse.question import Finding
from litcourse.ranks import rank_findings, rank_values, run_ranks
from litcourse.stacks import collective, main_thread
from litcourse.student import quiet_room

NOTEBOOK = """
import lightning as L
import torch
from torch import nn

class Base(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = nn.Linear(4, 2)

class Student(Base):
    def training_step(self, batch, index):
        images, labels = batch
        loss = nn.functional.cross_entropy(self.model(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, index):
        images, labels = batch
        right = (self.model(images).argmax(1) == labels).float().mean()
        self.log("val_acc", right, sync_dist=True)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
"""
CRITERIA = ("a",)


@pytest.fixture(autouse=True)
def _in_a_quiet_room(_neutral: None) -> Any:
    with quiet_room():
        yield


@pytest.fixture
def student() -> Any:
    """A class as a notebook defines it: of __main__, in no module that could be imported."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(NOTEBOOK, namespace)  # noqa: S102 (as a kernel does)
    return namespace["Student"]


def data(count: int = 32) -> TensorDataset:
    torch.manual_seed(1)
    return TensorDataset(torch.randn(count, 4), torch.randint(0, 2, (count,)))


def fit(cls: Any, batch_size: int = 4, **arguments: Any) -> Any:
    torch.manual_seed(0)
    module, samples = cls(), data()
    ranks, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    dealt: Any = DistributedSampler(samples, ranks, rank, shuffle=False)  # Lightning's own shuffles
    loader = DataLoader(samples, batch_size, sampler=dealt)
    trainer = quiet_trainer(max_epochs=1, use_distributed_sampler=False, **arguments)
    trainer.fit(module, loader, loader)
    return trainer


def join() -> None:
    distributed.init_process_group("gloo")


def finding(seen: dict[str, Any]) -> Finding:
    """The one finding, of evidence that went the way it goes in grading."""
    (found,) = rank_findings(Evidence(decode(encode(seen))), CRITERIA)
    return found


# --- what works ----------------------------------------------------------------------------------


def test_two_ranks_train_as_one_process_on_the_global_batch(student: Any) -> None:
    def work(rank: int) -> dict[str, Any]:
        trainer = fit(student, strategy="ddp", devices=2)
        module = trainer.lightning_module
        acc, steps = trainer.callback_metrics["val_acc"], trainer.global_step
        seen = {"weight": module.model.weight, "acc": acc, "steps": steps}
        return seen | {"rank": trainer.global_rank, "asked": rank}

    first, second = rank_values(Evidence(run_ranks(work)))
    # Rank r of two gets every second sample: a batch of eight, dealt out.
    alone = fit(student, batch_size=8)
    weight = alone.lightning_module.model.weight
    assert first["steps"].integer() == alone.global_step == 4
    assert torch.allclose(first["weight"].tensor(), weight, atol=1e-5)
    assert torch.equal(first["weight"].tensor(), second["weight"].tensor())
    assert torch.equal(first["acc"].tensor(), second["acc"].tensor())
    for rank, seen in enumerate((first, second)):
        assert seen["rank"].integer() == seen["asked"].integer() == rank


def test_ranks_know_their_node() -> None:
    def work(_: int) -> dict[str, Any]:
        trainer = quiet_trainer(strategy="ddp", devices=2, num_nodes=2)
        return {"place": [trainer.global_rank, trainer.node_rank, trainer.local_rank],
                "world_size": trainer.world_size}  # fmt: skip

    seen = rank_values(Evidence(run_ranks(work, 4, nodes=2)))
    assert [each["place"].integers() for each in seen] == [
        [0, 0, 0], [1, 0, 1], [2, 1, 0], [3, 1, 1],
    ]  # fmt: skip
    assert {each["world_size"].integer() for each in seen} == {4}


def test_ranks_must_fit_on_the_nodes() -> None:
    with pytest.raises(ValueError, match="3 ranks can't be shared evenly by 2 nodes"):
        run_ranks(lambda _: {}, 3, nodes=2)


def test_random_states_differ_by_rank_and_follow_from_the_callers() -> None:
    def work(_: int) -> dict[str, Any]:
        return {"drawn": torch.rand(3)}

    def drawn() -> list[torch.Tensor]:
        return [seen["drawn"].tensor() for seen in rank_values(Evidence(run_ranks(work)))]

    torch.manual_seed(5)
    first = drawn()
    assert not torch.equal(*first)
    assert all(map(torch.equal, first, drawn()))
    torch.manual_seed(6)
    assert not torch.equal(first[0], drawn()[0])


def test_nothing_of_the_caller_is_touched(student: Any, capfd: pytest.CaptureFixture[str]) -> None:
    def state() -> list[Any]:
        threads = sorted(thread.name for thread in threading.enumerate())
        return [dict(os.environ), Path.cwd(), threads, torch.get_rng_state().tolist(),
                torch.get_num_threads(), distributed.is_initialized(), sys.argv[:], sys.path[:],
                signal.getsignal(signal.SIGINT), list(Path().iterdir())]  # fmt: skip

    def work(rank: int) -> dict[str, Any]:
        os.environ["CHANGED"] = "yes"
        print(f"rank {rank} speaks")  # noqa: T201
        os.write(2, b"and so does a library")
        return {"fit": bool(fit(student, strategy="ddp", devices=2))}

    before = state()
    seen = run_ranks(work)
    assert state() == before
    for rank, entry in enumerate(seen["ranks"]):
        assert f"rank {rank} speaks" in entry["output"]
        assert "and so does a library" in entry["output"]
    assert capfd.readouterr() == ("", "")


def test_an_allocation_and_torchrun_are_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    slurm = {"SLURM_NTASKS": "8", "SLURM_JOB_NAME": "job", "SLURM_PROCID": "3"}
    for name, value in (slurm | {"RANK": "7", "WORLD_SIZE": "9", "LITCOURSE_DATA": "/x"}).items():
        monkeypatch.setenv(name, value)

    def work(_: int) -> dict[str, Any]:
        trainer = quiet_trainer(strategy="ddp", devices=2)
        return {"world_size": trainer.world_size, "data": os.environ.get("LITCOURSE_DATA")}

    for seen in rank_values(Evidence(run_ranks(work))):
        assert seen["world_size"].integer() == 2
        assert seen["data"].is_none


def test_a_group_can_be_left_and_joined_again() -> None:
    def work(_: int) -> dict[str, Any]:
        total = torch.ones(1)
        for _again in range(2):
            join()
            distributed.all_reduce(total)
            distributed.destroy_process_group()
        return {"total": total}

    assert [seen["total"].tensor() for seen in rank_values(Evidence(run_ranks(work)))] == [4, 4]


def test_a_rank_that_takes_its_time_is_no_deadlock() -> None:
    def work(rank: int) -> dict[str, Any]:
        join()
        time.sleep(2.5 * rank)
        distributed.barrier()
        return {}

    assert not rank_findings(Evidence(run_ranks(work)), CRITERIA)


# --- deadlocks -----------------------------------------------------------------------------------


def saves_alone(rank: int, student: Any) -> None:
    trainer = fit(student, strategy="ddp", devices=2)
    if rank == 0:
        trainer.save_checkpoint("alone.ckpt")


def reduces_alone(rank: int, _: Any) -> None:
    join()
    if rank == 1:
        distributed.all_reduce(torch.ones(1))


def ends_early(rank: int, student: Any) -> None:
    join()
    network = nn.parallel.DistributedDataParallel(student().model)
    for _ in range(2 + rank):
        network(torch.ones(1, 4)).sum().backward()


def never_joins(rank: int, _: Any) -> None:
    if rank == 0:
        join()


@pytest.mark.parametrize(
    ("does", "rank", "waits_for", "line"),
    [
        (saves_alone, 0, "barrier (in save_checkpoint)", "trainer.save_checkpoint"),
        (reduces_alone, 1, "all_reduce", "distributed.all_reduce"),
        (ends_early, 1, "all_reduce (gradients, in backward)", "sum().backward()"),
        (never_joins, 0, "init_process_group", "init_process_group"),
    ],
)
def test_a_deadlock_is_named(
    does: Callable[[int, Any], None], rank: int, waits_for: str, line: str, student: Any
) -> None:
    def work(rank: int) -> dict[str, Any]:
        does(rank, student)
        return {}

    seen = run_ranks(work)
    stuck = seen["ranks"][rank]["stuck"]
    assert stuck["waits_for"] == waits_for
    assert line in stuck["line"]
    assert "test_ranks.py" in stuck["stack"]
    assert stuck["seconds"] < 20
    found = finding(seen)
    assert found.code == "LIT932"
    assert f"rank {rank} waits in {waits_for}" in found.got
    assert f"rank {1 - rank} is done" in found.got


def test_mismatched_collectives_are_both_named() -> None:
    def work(rank: int) -> dict[str, Any]:
        join()
        if rank:
            distributed.all_reduce(torch.ones(1))
        else:
            distributed.broadcast(torch.ones(1), 0)
            distributed.barrier()
        return {}

    found = finding(run_ranks(work))
    assert found.code == "LIT932"
    assert "rank 1 waits in all_reduce" in found.got
    assert found.got.startswith(("rank 0 waits in barrier", "rank 0 waits in broadcast"))


@pytest.mark.parametrize(("idles", "told"), [(False, "goes on and on"), (True, "sleeps")])
def test_ranks_that_come_to_no_end(idles: bool, told: str) -> None:
    def work(rank: int) -> dict[str, Any]:
        while rank:
            time.sleep(60 if idles else 0)
        return {}

    found = finding(run_ranks(work, limit=1.0))
    assert found.code == "LIT935"
    assert f"rank 0 is done; rank 1 {told} (line " in found.got


# --- ranks that fail -----------------------------------------------------------------------------


def test_what_one_rank_raises_is_not_masked_by_what_it_does_to_the_others(student: Any) -> None:
    class Faulty(student):  # type: ignore[misc]
        def training_step(self, batch: Any, index: int) -> Any:
            if self.global_rank == 1 and index == 2:
                raise KeyError("a label of its own")
            return super().training_step(batch, index)

    seen = run_ranks(lambda _: {"done": bool(fit(Faulty, strategy="ddp", devices=2))})
    assert "error" in seen["ranks"][0]  # the connection was lost
    found = finding(seen)
    assert (found.code, found.called) == ("LIT902", "rank 1 of 2")
    assert "a label of its own" in found.got


def test_the_line_is_the_notebooks() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def fails(rank):\n    return {'x': 1 / (1 - rank)}", namespace)  # noqa: S102
    found = finding(run_ranks(namespace["fails"]))
    assert "ZeroDivisionError" in found.got
    assert found.where.startswith("line 2 of the cell, in fails")


@pytest.mark.parametrize(
    ("ends", "code", "got"),
    [
        (lambda: sys.exit(3), "LIT933", "SystemExit: 3"),
        (lambda: os._exit(0), "LIT931", "exit code 0"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "LIT931", "signal 9"),
        (faulthandler._sigsegv, "LIT931", "signal 11"),  # type: ignore[attr-defined]
    ],
)
def test_a_rank_that_ends_is_a_finding(ends: Callable[[], None], code: str, got: str) -> None:
    def work(rank: int) -> dict[str, Any]:
        join()
        if rank:
            ends()
        distributed.barrier()
        return {}

    found = finding(run_ranks(work))
    assert (found.code, found.called, found.got) == (code, "rank 1 of 2", got)


def test_a_value_that_is_no_evidence() -> None:
    found = finding(run_ranks(lambda _: {"value": object()}, 1))
    assert "PacketError" in found.got


def test_evidence_that_is_none_is_refused() -> None:
    trees: list[Any] = [
        {"ranks": []},
        {"ranks": [{}]},
        {"ranks": [{"stuck": {}}]},
        {},
        {"ranks": 3},
    ]
    for forged in trees:
        with pytest.raises(MalformedError):
            rank_findings(Evidence(forged), CRITERIA)
    with pytest.raises(MalformedError):
        rank_findings(Evidence({"ranks": [{"value": {}}]}), CRITERIA, world_size=2)


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


def test_ranks_end_when_whoever_asked_is_killed(tmp_path: Path) -> None:
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
    with supervisor._held_port() as port:
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

    monkeypatch.setenv(crew.FRESH, "1")
    seen = run_ranks(work)
    assert finding(seen).got.startswith("rank 0 is done; rank 1 waits in barrier (line ")
    weight = seen["ranks"][0]["value"]["weight"]
    assert torch.allclose(weight, fit(student, batch_size=8).lightning_module.model.weight)


def test_a_fork_serves_unless_the_process_is_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert crew.fork_serves() == (sys.platform == "linux")
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    assert not crew.fork_serves()
    monkeypatch.undo()
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    assert not crew.fork_serves()


def test_with_a_gpu_in_sight_a_fork_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert crew.fork_serves()
    monkeypatch.setattr(torch.Tensor, "backward", lambda *_: 1 / 0)
    assert not crew.fork_serves()


# --- stacks --------------------------------------------------------------------------------------

DUMP = """Thread 0x00007f (most recent call first):
  File "/lib/python3.11/threading.py", line 327 in wait

Current thread 0x00007e (most recent call first):
  File "/site-packages/torch/autograd/graph.py", line 1005 in _engine_run_backward
  File "/site-packages/torch/_tensor.py", line 626 in backward
  File "/tmp/ipykernel_7/1.py", line 3 in training_step
  File "/x/litcourse/rank_process.py", line 40 in be_rank
  File "/x/notebook.py", line 1 in <module>
"""


def test_the_stack_ends_where_the_rank_began() -> None:
    frames = main_thread(DUMP)
    assert [frame.name for frame in frames] == ["_engine_run_backward", "backward", "training_step"]
    assert collective(frames) == "all_reduce (gradients, in backward)"
    assert [frame.name for frame in frames if frame.is_own][-1] == "training_step"


def test_a_stack_that_waits_for_no_rank() -> None:
    lines = DUMP.replace("torch/autograd/graph.py", "torch/utils/data/dataloader.py")
    assert collective(main_thread(lines.replace("_engine_run_backward", "_get_data"))) == ""
    assert collective([]) == ""
