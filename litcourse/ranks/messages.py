"""What launcher, supervisor and ranks tell each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from litcourse.core.tree import Tree


@dataclass(frozen=True)
class RankSpec:
    """How a rank begins.

    Args:
        number: its place among the ranks of the job.
        environment: variables that it has beside those of the process that asked.
        arguments: of its command line, if it runs a script.
    """

    number: int
    environment: dict[str, str]
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """What ranks are to do together.

    Args:
        work: called in each rank.
        ranks: those that are started at once; a rank may ask for more
            (`rank_launcher.request_rank`).
        limit: seconds that the job may take, counted while ranks have the processor or sleep.
        folder: for the files of this job.
        seed: of the first rank's random state.
    """

    work: Callable[[RankSpec], Tree]
    ranks: tuple[RankSpec, ...]
    limit: float
    folder: Path
    seed: int


SLACK = 4.0
"""By the clock a job may take so many times its limit, on a machine that has much else to do."""


class ExitRank(Exception):  # noqa: N818 (no error: an end)
    """Raised by the work of a rank to end its process at once.

    Args:
        outcome: `{"value": ...}` or `{"error": ...}`.
    """

    def __init__(self, outcome: dict[str, Tree]) -> None:
        super().__init__()
        self.outcome = outcome
