"""Ranks that wait for ever, fail or end are described, the first cause in front."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, nn

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.ranks import all_done, rank_findings, run_ranks, supervisor
from litcourse.ranks.messages import Job
from litcourse.ranks.stack_dumps import Frame, find_collective, read_main_thread
from tests.litcourse.ranks.rank_jobs import CRITERIA, finding, fit, join

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
    assert "test_deadlocks.py" in stuck["stack"]
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


def test_one_process_waits_for_no_rank() -> None:
    weight = nn.Parameter(torch.ones(500, 500))

    def work(_: int) -> dict[str, Any]:
        while True:
            (weight @ weight).sum().backward()

    found = finding(run_ranks(work, 1, limit=1.0))
    assert (found.code, found.called) == ("LIT935", "1 rank")
    assert "rank 0 goes on and on (line " in found.got


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
    assert "SerializationError" in found.got


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


# --- stacks --------------------------------------------------------------------------------------

DUMP = """Thread 0x00007f (most recent call first):
  File "/lib/python3.11/threading.py", line 327 in wait

Current thread 0x00007e (most recent call first):
  File "/site-packages/torch/autograd/graph.py", line 1005 in _engine_run_backward
  File "/site-packages/torch/_tensor.py", line 626 in backward
  File "/tmp/ipykernel_7/1.py", line 3 in training_step
  File "/x/litcourse/ranks/rank_process.py", line 40 in run_rank
  File "/x/notebook.py", line 1 in <module>
"""


def test_the_stack_ends_where_the_rank_began() -> None:
    frames = read_main_thread(DUMP)
    assert [frame.name for frame in frames] == ["_engine_run_backward", "backward", "training_step"]
    assert find_collective(frames) == "all_reduce (gradients, in backward)"
    assert [frame.name for frame in frames if frame.is_own][-1] == "training_step"


def test_what_a_rank_calls_of_its_own_process_does_not_end_the_stack() -> None:
    frame = '  File "/site-packages/torch/_tensor.py"'
    ours = '  File "/x/litcourse/ranks/rank_process.py", line 150 in handler\n'
    frames = read_main_thread(DUMP.replace(frame, ours + frame))
    assert frames == read_main_thread(DUMP)


def test_a_stack_that_waits_for_no_rank() -> None:
    lines = DUMP.replace("torch/autograd/graph.py", "torch/utils/data/dataloader.py")
    assert (
        find_collective(read_main_thread(lines.replace("_engine_run_backward", "_get_data"))) == ""
    )
    assert find_collective([]) == ""


# --- ranks that meet -----------------------------------------------------------------------------

MEETS = [
    Frame("/x/torch/distributed/rendezvous.py", 215, "_create_c10d_store"),
    Frame("/x/torch/distributed/distributed_c10d.py", 2714, "init_process_group"),
]
REDUCES = [Frame("/x/torch/distributed/distributed_c10d.py", 3100, "all_reduce")]


def supervised(stacks: list[list[Frame]], *, ended: int, idle: int) -> bool:
    """Whether ranks with these stacks, beside others that have ended, are in a deadlock."""
    job = Job(lambda _: {}, (), 20.0, Path(), 0)
    found = supervisor._Supervisor(job, 0)
    found.idle = idle
    ranks = [supervisor._Rank(n, 0, Path("none")) for n in range(len(stacks) + ended)]
    found.ranks = ranks
    return found.is_deadlock(stacks)


@pytest.mark.parametrize(
    ("stacks", "ended", "idle", "deadlock"),
    [
        ([MEETS, MEETS], 0, supervisor.IDLE_SAMPLES, False),  # the later one has just come
        ([MEETS, MEETS], 0, supervisor.RENDEZVOUS_SAMPLES, True),
        ([MEETS, REDUCES], 0, supervisor.IDLE_SAMPLES, True),
        ([MEETS], 1, supervisor.IDLE_SAMPLES, True),  # nobody else will come
        ([MEETS], 0, supervisor.IDLE_SAMPLES, True),  # the script started one rank of several
        ([REDUCES, REDUCES], 0, supervisor.IDLE_SAMPLES, True),
        ([REDUCES, []], 0, supervisor.IDLE_SAMPLES, False),
    ],
)
def test_ranks_that_are_about_to_meet_get_time(
    stacks: list[list[Frame]], ended: int, idle: int, *, deadlock: bool
) -> None:
    assert supervised(stacks, ended=ended, idle=idle) is deadlock


@pytest.mark.release
def test_a_rank_that_comes_late_is_no_deadlock() -> None:
    """On a busy machine: torch's first rank asks again after pauses that grow to seconds."""

    def work(rank: int) -> dict[str, Any]:
        time.sleep(8 * (1 - rank))
        join()
        return {}

    assert all_done(run_ranks(work, 2))
