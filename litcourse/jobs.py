"""What a crew of rank processes is told: the words that `crew`, `supervisor` and ranks share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from litcourse.question import Tree


@dataclass(frozen=True)
class Start:
    """How a rank begins.

    Args:
        number: its place among the ranks of the crew.
        environment: variables that it has beside those of the process that asked.
        arguments: of its command line, if it runs a script.
    """

    number: int
    environment: dict[str, str]
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """What a crew of ranks is to do.

    Args:
        work: called in each rank.
        ranks: those that are started at once; a rank may ask for more (`crew.ask_for`).
        limit: seconds that the crew may take, counted while ranks have the processor or sleep.
        folder: for the files of this crew.
        seed: of the first rank's random state.
    """

    work: Callable[[Start], Tree]
    ranks: tuple[Start, ...]
    limit: float
    folder: Path
    seed: int


SLACK = 4.0
"""By the clock a crew may take so many times its limit, on a machine that has much else to do."""


_FOREIGN = (
    "SLURM_", "PMI", "PL_", "TORCHELASTIC_", "OMPI_", "LSB_", "JSM_", "GLOO_", "LITCOURSE_DATA",
)  # fmt: skip
_PLACE = {
    "RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE",
    "GROUP_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
}  # fmt: skip


def without_a_place(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what tells a process of a job, an allocation or a rank."""
    return {
        key: value
        for key, value in environment.items()
        if key not in _PLACE and not key.startswith(_FOREIGN)
    }


class Leave(Exception):  # noqa: N818 (no error: an end)
    """Raised by the work of a rank to end its process at once.

    Args:
        outcome: `{"value": ...}` or `{"error": ...}`.
    """

    def __init__(self, outcome: dict[str, Tree]) -> None:
        super().__init__()
        self.outcome = outcome
