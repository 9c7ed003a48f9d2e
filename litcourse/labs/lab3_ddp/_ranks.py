"""Trainers for jobs of `run_ranks`, a job on one node and on several, and its own exceptions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import RAISED
from litcourse.core.question import Finding
from litcourse.probing.trainers import quiet_trainer
from litcourse.ranks import all_done, change_nodes, part_of_run, rank_findings, run_ranks

if TYPE_CHECKING:
    import lightning as L

_PATTERNS = (
    ("LIT3310", r"Skipping the `training_step` by returning None in distributed training"),
    ("LIT3330", r"DistributedDataParallel is not needed when a module"),
)
"""Messages of lightning 2.6 and torch 2.15."""


def ddp_trainer(world_size: int, *, nodes: int = 1, **arguments: Any) -> L.Trainer:
    """A quiet Trainer that joins a job of `run_ranks`, and adds no DistributedSampler."""
    defaults = {"strategy": "ddp", "use_distributed_sampler": False, "log_every_n_steps": 1}
    layout = {"devices": world_size // nodes, "num_nodes": nodes}
    return quiet_trainer(**(defaults | layout | arguments))


def run_on_both(
    one_node: Callable[[int], dict[str, Any]],
    on_nodes: Callable[[int], dict[str, Any]],
    world_size: int,
    names: Sequence[str],
    begin_anew: Callable[[], object] = dict,
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Run ranks on one node, then as many nodes of one rank: one job where all goes well.

    Where it does not, each has a job of its own, the second one if the first comes to its end.

    Args:
        one_node: gets the rank; its evidence by name.
        on_nodes: the same, with the single name "nodes".
        world_size: number of ranks.
        names: those of the evidence of `one_node`.
        begin_anew: called before the two jobs, and removes what the one job left.

    Returns:
        what `run_ranks` returns of either; None for what did not run.
    """

    def both(rank: int) -> dict[str, Any]:
        seen = one_node(rank)
        change_nodes(rank, world_size, world_size)
        return seen | on_nodes(rank)

    every = run_ranks(both, world_size)
    if all_done(every):
        return part_of_run(every, names), part_of_run(every, ("nodes",))
    begin_anew()
    first = run_ranks(one_node, world_size)
    return first, run_ranks(on_nodes, world_size, nodes=world_size) if all_done(first) else None


def run_findings(
    seen: Evidence,
    criteria: tuple[str, ...],
    world_size: int,
    known: tuple[tuple[str, str], ...] = (),
) -> list[Finding]:
    """The findings on ranks that failed, with exact codes; [] if all `world_size` ranks ended.

    Args:
        seen: the evidence from `run_ranks`.
        criteria: criteria that a finding costs.
        world_size: number of ranks.
        known: codes and patterns of exceptions that this question names, besides those above; a
            pattern is looked for in the exception and, behind " @ ", in the line.

    Raises:
        MalformedError: the number of ranks differs.
    """
    return [_refine_code(found, known) for found in rank_findings(seen, criteria, world_size)]


def _refine_code(finding: Finding, known: tuple[tuple[str, str], ...]) -> Finding:
    if finding.code != RAISED:
        return finding
    for code, pattern in (*known, *_PATTERNS):
        if re.search(pattern, f"{finding.got} @ {finding.where}"):
            return replace(finding, code=code)
    return finding
