"""What a crew of rank processes is told: the words that `crew`, `supervisor` and ranks share."""

from __future__ import annotations

from collections.abc import Callable
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


class Leave(Exception):  # noqa: N818 (no error: an end)
    """Raised by the work of a rank to end its process at once, with a value all the same."""

    def __init__(self, value: Tree) -> None:
        super().__init__()
        self.value = value
