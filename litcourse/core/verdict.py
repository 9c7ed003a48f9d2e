"""The verdict on one answer: a mark for each criterion, and the score that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litcourse.core.names import sort_by_similarity
from litcourse.core.question import (
    Criterion,
    Earned,
    Finding,
    JudgeError,
    Mark,
    NotLookedAt,
    Question,
)

UNMEASURED = "nothing was measured that shows it"
"""Reason if a judge named neither the criterion nor any finding."""


@dataclass(frozen=True)
class Verdict:
    """A judge's marks on one answer.

    Several marks may name one criterion, e.g. those of several networks. A finding then counts
    before `NotLookedAt`, and that before `Earned`.

    Args:
        lab: id of the lab.
        question_id: id of the question.
        question: the question itself.
        marks: the marks; of the findings the one to fix first comes first.
        picture: SVG for the card, or "".

    Raises:
        JudgeError: a mark names no criterion, or one that the question does not have. Such a
            finding would cost nothing, and a wrong answer would have full points.
    """

    lab: str
    question_id: str
    question: Question
    marks: tuple[Mark, ...]
    picture: str = ""

    def __post_init__(self) -> None:
        ids = [criterion.id for criterion in self.question.criteria]
        for mark in self.marks:
            fault = misnamed_criteria(mark.criteria, ids)
            if fault:
                raise JudgeError(f"{_describe(mark)} {fault}")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong; the finding to fix first comes first."""
        return tuple(mark for mark in self.marks if isinstance(mark, Finding))

    def mark(self, criterion: Criterion) -> Mark:
        """The mark that counts for `criterion`."""
        marks = [mark for mark in self.marks if criterion.id in mark.criteria]
        for kind in (Finding, NotLookedAt, Earned):
            for mark in marks:
                if isinstance(mark, kind):
                    return mark
        return NotLookedAt((criterion.id,), self._waits_for())

    def _waits_for(self) -> str:
        """Reason for a criterion that the judge did not name."""
        return f"it waits for {self.findings[0].code}" if self.findings else UNMEASURED

    @property
    def score(self) -> float | None:
        """Earned fraction of the question's points, 0 to 1; None if a person has to decide."""
        if self.undecided:
            return None
        earned = sum(c.share for c in self.question.criteria if isinstance(self.mark(c), Earned))
        return min(1.0, max(0.0, round(earned, 9)))

    @property
    def undecided(self) -> str:
        """Why there is no score: the machine's reason, or "" if there is one."""
        for mark in map(self.mark, self.question.criteria):
            if isinstance(mark, NotLookedAt) and mark.by_machine:
                return mark.reason or UNMEASURED
        return ""

    @property
    def passed(self) -> bool:
        """Whether every criterion is earned."""
        return all(isinstance(self.mark(c), Earned) for c in self.question.criteria)


def _describe(mark: Mark) -> str:
    """A mark in an author's error."""
    return f"the finding {mark.code}" if isinstance(mark, Finding) else f"{mark}"


def misnamed_criteria(criteria: object, ids: Sequence[str]) -> str:
    """What is wrong with the `criteria` of a mark, or "".

    Args:
        criteria: ids of the criteria that the mark names.
        ids: ids of the question's criteria.
    """
    if not isinstance(criteria, (tuple, list)):
        return f"has the criteria {criteria!r}, which is no tuple such as ({str(criteria)!r},)"
    if not criteria:
        return f"names no criterion of {', '.join(ids) or 'the question'}"
    for name in criteria:
        if name not in ids:
            known = ", ".join(sort_by_similarity(str(name), ids))
            return f"names a criterion {name!r}, which the question lacks. Nearest first: {known}"
    return ""
