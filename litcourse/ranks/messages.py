"""The types that launcher, supervisor and ranks share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from litcourse.core.tree import Tree


@dataclass(frozen=True)
class RankSpec:
    """One rank of a job.

    Args:
        number: the rank's number in the job, from 0.
        environment: variables that the rank has beside those of the calling process.
        arguments: command-line arguments, if the rank runs a script.
        world_size: number of ranks in the job, which `init_process_group("gloo")` finds although no
            variable tells it; 0 if the rank runs a script, which asks for ranks itself.
    """

    number: int
    environment: dict[str, str]
    arguments: tuple[str, ...] = ()
    world_size: int = 0


@dataclass(frozen=True)
class Job:
    """The work of several ranks.

    Args:
        work: function that each rank calls.
        ranks: ranks that start at once; a rank may request more (`rank_launcher.request_rank`).
        limit: seconds that the job may take, by the `OwnTime` of its ranks.
        folder: folder for the files of this job.
        seed: seed of rank 0; rank r has `seed + r`.
    """

    work: Callable[[RankSpec], Tree]
    ranks: tuple[RankSpec, ...]
    limit: float
    folder: Path
    seed: int


MOST_STRETCH = 30.0
"""A job may take so many times its limit in wall-clock time, for the sake of a busy machine."""


class ExitRank(Exception):  # noqa: N818 (it ends a rank and is no error)
    """The work of a rank raises this to end the rank's process at once.

    Args:
        outcome: `{"value": ...}` or `{"error": ...}`.
    """

    def __init__(self, outcome: dict[str, Tree]) -> None:
        super().__init__()
        self.outcome = outcome
