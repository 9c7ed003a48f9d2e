"""Running a piece of a student's code on several ranks, for real, on the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable

from litcourse.core.tree import Tree
from litcourse.ranks import rank_launcher
from litcourse.ranks.messages import Job, RankSpec


def all_done(run: dict[str, Tree]) -> bool:
    """Whether each rank of what `run_ranks` returned came to its end, so that more is worth it."""
    return all("value" in entry for entry in run["ranks"])


def run_ranks(
    work: Callable[[int], dict[str, Tree]],
    world_size: int = 2,
    *,
    nodes: int = 1,
    limit: float = 20.0,
) -> dict[str, Tree]:
    """Call `work(rank)` in one process for each rank of a gloo job on this machine.

    Variables are those of torchrun, so that `L.Trainer(accelerator="cpu", strategy="ddp",
    devices=world_size // nodes, num_nodes=nodes)` takes part and launches nothing. Each rank has
    one thread and a random state of its own, which follows from the caller's.

    Args:
        work: returns evidence; may use whatever the caller sees, classes of a notebook too.
        world_size: number of ranks.
        nodes: simulated nodes, each with as many ranks.
        limit: seconds, counted while ranks have the processor or sleep.

    Returns:
        `{"ranks": [...], "seconds": ...}`; for each rank `{"value": ...}`, `{"error": ...}`,
        `{"stuck": {"waits_for", "line", "stack", ...}}` or `{"died": ...}`, with its "output".
    """
    per_node = world_size // nodes
    if per_node * nodes != world_size or world_size < 1:
        raise ValueError(f"{world_size} ranks can't be shared evenly by {nodes} nodes.")
    started = time.monotonic()
    ranks = tuple(RankSpec(r, _environment(r, world_size, per_node)) for r in range(world_size))
    with rank_launcher.job_folder() as folder:
        job = Job(
            lambda spec: work(spec.number), ranks, limit, folder, rank_launcher.current_seed()
        )
        entries = rank_launcher.run_job(job)
    return {"ranks": entries, "seconds": time.monotonic() - started}


def _environment(rank: int, world_size: int, per_node: int) -> dict[str, str]:
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(world_size),
        "LOCAL_RANK": str(rank % per_node),
        "LOCAL_WORLD_SIZE": str(per_node),
        "GROUP_RANK": str(rank // per_node),
        "GROUP_WORLD_SIZE": str(world_size // per_node),
        "NODE_RANK": str(rank // per_node),
        "TORCHELASTIC_RUN_ID": "litcourse",
        "TORCHELASTIC_MAX_RESTARTS": "0",
    }
