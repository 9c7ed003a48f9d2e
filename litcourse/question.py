"""The words that the whole project shares: question, criterion, draw, finding, verdict.

A question is a pair of functions. `probe` runs beside the student's code and returns
*evidence*, plain data; `judge` compares evidence with what a right answer does and returns
findings. Neither knows who asks: a notebook, nbgrader or otter.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from litcourse import labs
from litcourse.names import UnknownNameError

if TYPE_CHECKING:
    from litcourse.evidence import Evidence
    from litcourse.student import Student

Tree = Any
"""None, bool, int, float, str, torch.Tensor, or a list or str-keyed dict of such."""


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
class Draw:
    """Inputs of one check.

    Args:
        given: what the probe, and so the student's process, may see.
        kept: what only the judge sees, e.g. images that the trained weights never met.
    """

    given: dict[str, Tree]
    kept: dict[str, Tree] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """A question of a lab.

    Args:
        title: a few words, as on the card.
        defines: names that the student's notebook must define.
        criteria: shares that sum to 1.
        draw: makes inputs from a random source; the same source, the same inputs.
        probe: `(given, student) -> evidence`, the only part that touches student code.
        judge: `(draw, evidence) -> findings`, pure.
        picture: `(draw, evidence) -> SVG` for the card, or None.
        files: files that the notebook must have written, as `%%writefile train.py` does.
        by_solution: the expected value is the answer itself, so that nothing shipped may hold a
            formula for it. Whoever draws runs the same probe on the instructor's solution, and
            `judge` finds that evidence as `draw.kept["solution"]` (`litcourse.solved`).
    """

    title: str
    defines: tuple[str, ...]
    criteria: tuple[Criterion, ...]
    draw: Callable[[Random], Draw]
    probe: Callable[[dict[str, Tree], Student], dict[str, Tree]]
    judge: Callable[[Draw, Evidence], list[Finding]]
    picture: Callable[[Draw, Evidence], str] | None = None
    files: tuple[str, ...] = ()
    by_solution: bool = False

    def __post_init__(self) -> None:
        total = sum(criterion.share for criterion in self.criteria)
        if any(not 0 < criterion.share <= 1 for criterion in self.criteria):
            raise ValueError(f"Each share of {self.title!r} must be above 0 and at most 1.")
        if abs(total - 1.0) > 1e-9:  # noqa: PLR2004 (rounding of decimal shares)
            raise ValueError(f"The shares of {self.title!r} sum to {total}, not to 1.")


@dataclass(frozen=True)
class Verdict:
    """What a judge said of one answer.

    Args:
        lab: id of the lab.
        question_id: id of the question.
        question: the question itself.
        findings: what is wrong, the thing to fix first in front.
        picture: SVG for the card, or "".
    """

    lab: str
    question_id: str
    question: Question
    findings: tuple[Finding, ...]
    picture: str = ""

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
        """Whether every criterion is earned."""
        return not self.findings


def lab_ids() -> list[str]:
    """Ids of all labs, in order."""
    return sorted(m.name for m in pkgutil.iter_modules(labs.__path__) if m.ispkg)


def question_ids(lab: str) -> list[str]:
    """Ids of the questions that `litcourse` can judge in `lab`, alphabetically.

    Raises:
        UnknownNameError: there is no such lab.
    """
    if lab not in lab_ids():
        raise UnknownNameError("lab", lab, lab_ids())
    package = importlib.import_module(f"litcourse.labs.{lab}")
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.name[0] != "_")


def find_question(lab: str, question_id: str) -> Question:
    """The question `question_id` of `lab`.

    Raises:
        UnknownNameError: there is no such lab or question; its message lists the valid ones.
    """
    name = f"litcourse.labs.{lab}.{question_id}"
    # What is imported is there: to list the folders each time took longer than to judge.
    known = name in sys.modules and not question_id.startswith("_")
    if not known and question_id not in question_ids(lab):
        raise UnknownNameError("question", question_id, question_ids(lab), lab)
    module = importlib.import_module(name)
    question = getattr(module, "QUESTION", None)
    if not isinstance(question, Question):
        raise TypeError(f"{module.__name__}.QUESTION must be a Question.")
    return question


def order(findings: Sequence[Finding], question: Question) -> tuple[Finding, ...]:
    """`findings` by the place of the first criterion that they cost, otherwise as given."""
    places = {criterion.id: place for place, criterion in enumerate(question.criteria)}
    return tuple(sorted(findings, key=lambda f: min((places[c] for c in f.criteria), default=99)))
