"""The words that the whole project shares: question, criterion, draw, finding, verdict.

A question is a pair of functions. `probe` runs beside the student's code and returns
*evidence*, plain data; `judge` compares evidence with what a right answer does and returns
findings. Neither knows who asks: a notebook, nbgrader or otter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from litcourse.core.names import sort_by_similarity
from litcourse.core.tree import Tree

if TYPE_CHECKING:
    from litcourse.core.evidence import Evidence
    from litcourse.core.namespace import Student


class JudgeError(ValueError):
    """A finding that can't be scored: a fault of the question's judge, not of an answer."""


@dataclass(frozen=True)
class Criterion:
    """A named share of a question.

    Args:
        id: short name, unique within the question.
        title: what a right answer does, as a person reads it on the card.
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
        got: what came.
        where: magnitude and place of the difference.
    """

    code: str
    criteria: tuple[str, ...]
    called: str = ""
    expected: str = ""
    got: str = ""
    where: str = ""


@dataclass(frozen=True)
class Inputs:
    """Inputs of one check.

    Args:
        shown: what the probe, and so the student's process, may see.
        withheld: what only the judge sees, e.g. images that the trained weights never met.
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
        draw: makes inputs from a random source; the same source, the same inputs.
        probe: `(shown, student) -> evidence`, the only part that touches student code.
        judge: `(draw, evidence) -> findings`, pure.
        picture: `(draw, evidence) -> SVG` for the card, or None.
        files: files that the notebook must have written, as `%%writefile train.py` does.
        by_solution: the expected value is the answer itself, so that nothing shipped may hold a
            formula for it. Whoever draws runs the same probe on the instructor's solution, and
            `judge` finds that evidence as `draw.withheld["solution"]`
            (`litcourse.frontends.reference_solution`).
    """

    title: str
    defines: tuple[str, ...]
    criteria: tuple[Criterion, ...]
    draw: Callable[[Random], Inputs]
    probe: Callable[[dict[str, Tree], Student], dict[str, Tree]]
    judge: Callable[[Inputs, Evidence], list[Finding]]
    picture: Callable[[Inputs, Evidence], str] | None = None
    files: tuple[str, ...] = ()
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


@dataclass(frozen=True)
class Verdict:
    """What a judge said of one answer.

    Args:
        lab: id of the lab.
        question_id: id of the question.
        question: the question itself.
        findings: what is wrong, the thing to fix first in front.
        picture: SVG for the card, or "".

    Raises:
        JudgeError: a finding costs no criterion, or one that the question does not have. It would
            cost nothing, so that a wrong answer had full points.
    """

    lab: str
    question_id: str
    question: Question
    findings: tuple[Finding, ...]
    picture: str = ""

    def __post_init__(self) -> None:
        ids = [criterion.id for criterion in self.question.criteria]
        for finding in self.findings:
            fault = misnamed_criteria(finding.criteria, ids)
            if fault:
                raise JudgeError(f"the finding {finding.code} {fault}")

    def failed(self, criterion: Criterion) -> Finding | None:
        """The first finding that costs `criterion`, or None if it is earned."""
        return next((f for f in self.findings if criterion.id in f.criteria), None)

    @property
    def score(self) -> float:
        """Earned fraction of the question's points, 0 to 1."""
        earned = sum(c.share for c in self.question.criteria if self.failed(c) is None)
        return min(1.0, max(0.0, round(earned, 9)))

    @property
    def passed(self) -> bool:
        """Whether every criterion is earned: each finding costs one, or there were no verdict."""
        return not self.findings


def misnamed_criteria(criteria: object, ids: Sequence[str]) -> str:
    """What is wrong with the `criteria` of a finding, or "".

    Args:
        criteria: what the finding costs.
        ids: the question's criteria.
    """
    if not isinstance(criteria, (tuple, list)):
        return f"has the criteria {criteria!r}, which is no tuple such as ({str(criteria)!r},)"
    if not criteria:
        return f"costs no criterion of {', '.join(ids) or 'the question'}"
    for name in criteria:
        if name not in ids:
            known = ", ".join(sort_by_similarity(str(name), ids))
            return f"costs a criterion {name!r}, which the question lacks. Nearest first: {known}"
    return ""
