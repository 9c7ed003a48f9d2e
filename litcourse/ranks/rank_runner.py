"""Runs a student's code on several real ranks, on the CPU."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from litcourse.core.environment import drop_job_variables
from litcourse.core.tree import Tree
from litcourse.probing.progress import start_step
from litcourse.ranks import rank_launcher
from litcourse.ranks.messages import Job, RankSpec


def all_done(run: dict[str, Tree]) -> bool:
    """Whether every rank returned a value, so that a probe may go on; `run` is from `run_ranks`."""
    return all("value" in entry for entry in run["ranks"])


def run_ranks(
    work: Callable[[int], dict[str, Tree]],
    world_size: int = 2,
    *,
    nodes: int = 1,
    limit: float = 20.0,
) -> dict[str, Tree]:
    """Call `work(rank)` in one process for each rank of a gloo job on this machine.

    `L.Trainer(accelerator="cpu", strategy="ddp", devices=world_size // nodes, num_nodes=nodes)`
    joins the job and launches nothing. Each rank has one thread and its own random state, which
    depends on the caller's. Its variables are those of a real job: on one node those of a process
    that Lightning has started, on several those of a task of srun; a single rank has none. So code
    that reads `RANK`, as only torchrun sets it, fails here as it would there.

    Args:
        work: returns evidence; may use all that the caller sees, also classes of a notebook.
        world_size: number of ranks.
        nodes: number of simulated nodes, each with the same number of ranks.
        limit: seconds that the ranks have for themselves, see `litcourse.ranks.own_time`.

    Returns:
        `{"ranks": [...], "seconds": ...}`; for each rank `{"value": ...}`, `{"error": ...}`,
        `{"stuck": {"waits_for", "line", "stack", ...}}` or `{"died": ...}`, with its "output".

    Raises:
        ValueError: `nodes` does not divide `world_size`, or `world_size` is below 1.
    """
    per_node = world_size // nodes
    if per_node * nodes != world_size or world_size < 1:
        raise ValueError(f"{world_size} ranks can't be shared evenly by {nodes} nodes.")
    started = time.monotonic()
    start_step(f"{world_size} ranks" if world_size > 1 else "1 rank")
    ranks = tuple(
        RankSpec(rank, _environment(rank, world_size, per_node), world_size=world_size)
        for rank in range(world_size)
    )
    with rank_launcher.job_folder() as folder:
        job = Job(
            lambda spec: work(spec.number), ranks, limit, folder, rank_launcher.current_seed()
        )
        entries = rank_launcher.run_job(job)
    return {"ranks": entries, "seconds": time.monotonic() - started}


def part_of_run(run: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """`run`, all of whose ranks returned a value, with these entries of each value alone."""
    ranks = [
        {**entry, "value": {name: entry["value"][name] for name in names}} for entry in run["ranks"]
    ]
    return {**run, "ranks": ranks}


def change_nodes(rank: int, world_size: int, nodes: int) -> None:
    """In a rank: go on as the rank of a job that has so many nodes; its group stays.

    One job of two shapes costs half as much as two jobs.
    """
    meeting = {name: os.environ[name] for name in ("MASTER_ADDR", "MASTER_PORT")}
    kept = drop_job_variables(os.environ)
    os.environ.clear()
    os.environ.update({**kept, **meeting, **_environment(rank, world_size, world_size // nodes)})


def _environment(rank: int, world_size: int, per_node: int) -> dict[str, str]:
    """Variables that place a rank, besides MASTER_ADDR and MASTER_PORT."""
    if world_size == 1:
        return {}
    if world_size == per_node:
        return {"LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    return {
        "SLURM_JOB_ID": "1",
        "SLURM_JOB_NAME": "litcourse",
        "SLURM_NNODES": str(world_size // per_node),
        "SLURM_NTASKS": str(world_size),
        "SLURM_NTASKS_PER_NODE": str(per_node),
        "SLURM_NODEID": str(rank // per_node),
        "SLURM_LOCALID": str(rank % per_node),
        "SLURM_PROCID": str(rank),
    }
