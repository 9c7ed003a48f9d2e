"""Runs one question for the test files of an otter bundle, at the place of its check cell.

Each run draws new inputs. Probe and judge both run in the kernel that runs the student's code,
which is otter's own trust model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random, SystemRandom
from typing import Any

from litcourse.core.question import Earned, Finding, NotLookedAt
from litcourse.core.verdict import Verdict
from litcourse.feedback.rendering import finding_details
from litcourse.frontends.notebook import check_question

SEED_BITS = 128


class NotEarnedError(Exception):
    """The answer does not earn a criterion; the message is the finding or the reason."""

    def __init__(self, mark: Finding | NotLookedAt) -> None:
        super().__init__(mark_text(mark))


class CheckedQuestion:
    """A question and its verdict, which the first test case computes.

    otter makes one object per run of a test file, so the probe runs once for all criteria, and
    again if a student copied the check cell.

    Args:
        lab: id of the lab.
        question_id: id of the question.
        solution: solved cells, where the question is judged by the solution.
    """

    def __init__(self, lab: str, question_id: str, solution: Sequence[str] = ()) -> None:
        self.lab, self.question_id, self.solution = lab, question_id, solution
        self._verdict: Verdict | None = None

    def earn(self, criterion_id: str, env: Mapping[str, Any]) -> None:
        """Return if the criterion is earned.

        Args:
            criterion_id: id of a criterion of the question.
            env: the names that the notebook has defined so far.

        Raises:
            NotEarnedError: the criterion failed or was not looked at. otter knows no third mark, so
                the test case fails with no points, and its message tells which of the two it is.
        """
        verdict = self.verdict(env)
        criterion = next(c for c in verdict.question.criteria if c.id == criterion_id)
        mark = verdict.mark(criterion)
        if not isinstance(mark, Earned):
            raise NotEarnedError(mark)

    def verdict(self, env: Mapping[str, Any]) -> Verdict:
        """The verdict on the names in `env`; computed once."""
        if self._verdict is None:
            rng = Random(SystemRandom().getrandbits(SEED_BITS))
            verdict: Verdict = check_question(self.lab, self.question_id, env, rng, self.solution)
            self._verdict = verdict
        return self._verdict


def mark_text(mark: Finding | NotLookedAt) -> str:
    """Why a criterion is not earned, as lines of text."""
    if isinstance(mark, Finding):
        return finding_text(mark)
    if mark.by_machine:
        return (
            f"Not looked at, for a reason of this machine: {mark.reason}. A person has to grade it."
        )
    return f"Not looked at: {mark.reason}."


def finding_text(finding: Finding) -> str:
    """A finding as lines of text: title and code, details, what to do."""
    from litcourse.feedback.catalogue import shown_entry

    entry = shown_entry(finding.code)
    rows = [f"{entry.title} ({finding.code})"]
    rows += [f"  {name:<9} {value}" for name, value in finding_details(finding)]
    return "\n".join([*rows, f"  to do     {entry.fix}"])
