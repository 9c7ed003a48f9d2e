"""The types that the whole project shares: question, criterion, inputs, marks.

A question has three functions. `draw` makes inputs. `probe` runs beside the student's code and
returns *evidence*, plain data. `judge` compares the evidence with a right answer and returns
marks. None of them knows whether a notebook, nbgrader or otter calls it.

There are three marks. `Earned`: the evidence is there and right. `Finding`: the answer is wrong.
`NotLookedAt`: nobody can tell yet. A criterion that no mark names is not looked at either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, ClassVar

from litcourse.core.tree import Tree

if TYPE_CHECKING:
    from litcourse.core.evidence import Evidence
    from litcourse.core.namespace import Student


class JudgeError(ValueError):
    """A mark that can't be scored: a fault of the question's judge, not of an answer."""


@dataclass(frozen=True)
class Criterion:
    """A named share of a question.

    Args:
        id: short name, unique within the question.
        title: what a right answer does, as the card says it.
        share: part of the question's points, 0 to 1; a question's shares sum to 1.
    """

    id: str
    title: str
    share: float


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and where.

    Args:
        code: entry of the catalogue (`explain(code)`), which holds title and advice.
        criteria: ids of the criteria that it costs.
        called: what the probe called.
        expected: what a right answer gives there.
        got: what the student's answer gave.
        where: size and place of the difference.
    """

    code: str
    criteria: tuple[str, ...]
    called: str = ""
    expected: str = ""
    got: str = ""
    where: str = ""
    name: ClassVar[str] = "failed"


@dataclass(frozen=True)
class Earned:
    """Criteria that evidence shows to be right.

    A judge gives this mark only where it compared evidence that is there. "Nothing spoke against
    it" is no reason.

    Args:
        criteria: ids of the criteria.
    """

    criteria: tuple[str, ...]
    name: ClassVar[str] = "earned"


@dataclass(frozen=True)
class NotLookedAt:
    """Criteria on which there is no evidence.

    Args:
        criteria: ids of the criteria.
        reason: what they wait for, or what kept the probe from measuring them.
        by_machine: whether the cause is the machine, the installed software, or something that an
            emulation lacks. Then the question has no score, and a person has to decide. A cause in
            the answer earns nothing.
    """

    criteria: tuple[str, ...]
    reason: str
    by_machine: bool = False
    name: ClassVar[str] = "not looked at"


Mark = Finding | Earned | NotLookedAt


@dataclass(frozen=True)
class Inputs:
    """Inputs of one check.

    Args:
        shown: values that the probe, and so the student's process, may see.
        withheld: values that only the judge sees, e.g. images that no training used.
    """

    shown: dict[str, Tree]
    withheld: dict[str, Tree] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """A question of a lab.

    Args:
        title: a few words, as on the card.
        defines: names that the student's notebook must define.
        criteria: shares that sum to 1.
        draw: `(rng) -> inputs`; the same random source gives the same inputs.
        probe: `(shown, student) -> evidence`, the only part that touches student code.
        judge: `(inputs, evidence) -> marks`, pure.
        picture: `(inputs, evidence) -> SVG` for the card, or None.
        files: files that the notebook must have written, as `%%writefile train.py` does.
        beside: a line for the card of a student's own check, from what this machine has, or "". It
            is never judged.
        by_solution: the expected value is the answer itself, so nothing that ships may hold a
            formula for it. The frontend runs the same probe on the instructor's solution, and
            `judge` finds that evidence as `inputs.withheld["solution"]`
            (`litcourse.frontends.reference_solution`).

    Raises:
        ValueError: the shares don't sum to 1, or two criteria have one id.
    """

    title: str
    defines: tuple[str, ...]
    criteria: tuple[Criterion, ...]
    draw: Callable[[Random], Inputs]
    probe: Callable[[dict[str, Tree], Student], dict[str, Tree]]
    judge: Callable[[Inputs, Evidence], Sequence[Mark]]
    picture: Callable[[Inputs, Evidence], str] | None = None
    files: tuple[str, ...] = ()
    beside: Callable[[], str] | None = None
    by_solution: bool = False

    def __post_init__(self) -> None:
        total = sum(criterion.share for criterion in self.criteria)
        if any(not 0 < criterion.share <= 1 for criterion in self.criteria):
            raise ValueError(f"Each share of {self.title!r} must be above 0 and at most 1.")
        if abs(total - 1.0) > 1e-9:  # noqa: PLR2004 (rounding of decimal shares)
            raise ValueError(f"The shares of {self.title!r} sum to {total}, not to 1.")
        ids = [criterion.id for criterion in self.criteria]
        repeated = sorted({name for name in ids if ids.count(name) > 1})
        if repeated:
            raise ValueError(f"{self.title!r} has two criteria {repeated[0]!r}.")
