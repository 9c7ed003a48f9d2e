"""Ranks are real, train together, and touch nothing of the process that asks for them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed

from litcourse.core.evidence import Evidence
from litcourse.probing.trainers import quiet_trainer
from litcourse.ranks import change_nodes, rank_findings, read_rank_values, run_ranks
from tests.litcourse.ranks.rank_jobs import CRITERIA, fit, join


def test_two_ranks_train_as_one_process_on_the_global_batch(student: Any) -> None:
    def work(rank: int) -> dict[str, Any]:
        trainer = fit(student, strategy="ddp", devices=2)
        module = trainer.lightning_module
        acc, steps = trainer.callback_metrics["val_acc"], trainer.global_step
        seen = {"weight": module.model.weight, "acc": acc, "steps": steps}
        return seen | {"rank": trainer.global_rank, "asked": rank}

    first, second = read_rank_values(Evidence(run_ranks(work)))
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

    seen = read_rank_values(Evidence(run_ranks(work, 4, nodes=2)))
    assert [each["place"].integers() for each in seen] == [
        [0, 0, 0], [1, 0, 1], [2, 1, 0], [3, 1, 1],
    ]  # fmt: skip
    assert {each["world_size"].integer() for each in seen} == {4}


@pytest.mark.parametrize(
    ("ranks", "nodes", "names"),
    [
        (1, 1, ""),
        (2, 1, "LOCAL_RANK NODE_RANK MASTER_ADDR"),
        (2, 2, "SLURM_PROCID SLURM_NTASKS MASTER_ADDR"),
    ],
)
def test_ranks_have_the_variables_of_a_real_job(ranks: int, nodes: int, names: str) -> None:
    known = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "NODE_RANK", "MASTER_ADDR", "SLURM_PROCID"}

    def work(_: int) -> dict[str, Any]:
        there = sorted(({*known, "SLURM_NTASKS"}) & set(os.environ))
        join()
        place = [distributed.get_rank(), distributed.get_world_size()]
        return {"there": there, "place": place, "left": sorted(known & set(os.environ))}

    for rank, seen in enumerate(read_rank_values(Evidence(run_ranks(work, ranks, nodes=nodes)))):
        assert seen["there"].texts() == sorted(names.split())
        assert set(seen["left"].texts()) <= set(names.split())
        assert seen["place"].integers() == [rank, ranks]


def test_a_job_may_change_its_nodes() -> None:
    def work(rank: int) -> dict[str, Any]:
        local = [quiet_trainer(strategy="ddp", devices=2).local_rank]
        change_nodes(rank, 2, 2)
        trainer = quiet_trainer(strategy="ddp", devices=1, num_nodes=2)
        return {"place": [*local, trainer.local_rank, trainer.global_rank]}

    seen = read_rank_values(Evidence(run_ranks(work)))
    assert [each["place"].integers() for each in seen] == [[0, 0, 0], [1, 0, 1]]


def test_ranks_must_fit_on_the_nodes() -> None:
    with pytest.raises(ValueError, match="3 ranks can't be shared evenly by 2 nodes"):
        run_ranks(lambda _: {}, 3, nodes=2)


def test_random_states_differ_by_rank_and_follow_from_the_callers() -> None:
    def work(_: int) -> dict[str, Any]:
        return {"drawn": torch.rand(3)}

    def drawn() -> list[torch.Tensor]:
        return [seen["drawn"].tensor() for seen in read_rank_values(Evidence(run_ranks(work)))]

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
    shown = capfd.readouterr()
    assert shown.out == "rank 0:\nrank 0 speaks\n\nrank 1:\nrank 1 speaks\n\n"
    assert shown.err == ""


def test_an_allocation_and_torchrun_are_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    slurm = {"SLURM_NTASKS": "8", "SLURM_JOB_NAME": "job", "SLURM_PROCID": "3"}
    for name, value in (slurm | {"RANK": "7", "WORLD_SIZE": "9", "LITCOURSE_DATA": "/x"}).items():
        monkeypatch.setenv(name, value)

    def work(_: int) -> dict[str, Any]:
        trainer = quiet_trainer(strategy="ddp", devices=2)
        return {"world_size": trainer.world_size, "data": os.environ.get("LITCOURSE_DATA")}

    for seen in read_rank_values(Evidence(run_ranks(work))):
        assert seen["world_size"].integer() == 2
        assert seen["data"].is_none


def test_a_group_can_be_left_and_joined_again() -> None:
    def work(rank: int) -> dict[str, Any]:
        total = torch.ones(1)
        for _again in range(2):
            join()
            distributed.all_reduce(total)
            distributed.barrier()
            time.sleep(0.3)  # gloo: who leaves at once cuts off those who still read
            distributed.destroy_process_group()
            time.sleep(rank)  # or it joins by the store of rank 0's old group, which then closes
        return {"total": total}

    assert [seen["total"].tensor() for seen in read_rank_values(Evidence(run_ranks(work)))] == [
        4,
        4,
    ]


def test_a_rank_that_takes_its_time_is_no_deadlock() -> None:
    def work(rank: int) -> dict[str, Any]:
        join()
        time.sleep(2.5 * rank)
        distributed.barrier()
        return {}

    assert not rank_findings(Evidence(run_ranks(work)), CRITERIA)
