"""The checks that a notebook's check cells call: `check = Check("lab1_mnist"); check.wrap()`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litcourse.core.names import UnknownNameError
from litcourse.core.registry import question_ids
from litcourse.feedback.hints import Hint, Others, next_hint, tell_others
from litcourse.feedback.overview import Overview
from litcourse.feedback.readiness import Readiness
from litcourse.feedback.rendering import Report
from litcourse.feedback.stopped import StoppedReport
from litcourse.frontends.executions import EXECUTIONS
from litcourse.frontends.hand_in import look_at_hand_in
from litcourse.frontends.saved_notebook import read_points
from litcourse.frontends.student_check import make_overview, order_questions, run_check

METHODS = ("all", "ready")
"""Methods of `Check`."""
RESERVED = (*METHODS, "hint", "others", "explain")
"""No question may have such an id: they are methods, or words of other help."""
LIMIT = 120.0
"""Seconds that a check may take, unless `Check` is told otherwise."""


class Check:
    """The checks of one lab, one method per question.

    Args:
        lab: id of the lab, e.g. "lab1_mnist".
        limit: seconds that each check may take.

    Raises:
        UnknownNameError: there is no such lab; its message lists the valid ones.
    """

    def __init__(self, lab: str, limit: float = LIMIT) -> None:
        self._lab = lab
        self._limit = limit
        self._questions = question_ids(lab)
        EXECUTIONS.watch()

    def __dir__(self) -> list[str]:
        """The lab's questions, for tab completion."""
        return [*self._questions, *METHODS]

    def __getattr__(self, question_id: str) -> QuestionCheck:
        """The check of `question_id`.

        Raises:
            AttributeError: the lab has no such question; its message lists the valid ones.
        """
        if question_id.startswith("_"):
            raise AttributeError(question_id)
        if question_id not in self._questions:
            unknown = UnknownNameError("question", question_id, self._questions, self._lab)
            raise AttributeError(str(unknown))
        return QuestionCheck(self._lab, question_id, self._limit)

    def __call__(self, question_id: str | None = None) -> Report | Overview:
        """Check `question_id` against the names that the caller defines.

        Args:
            question_id: id of a question; without one, you see where you are: each question with
                its points and its last result.

        Raises:
            UnknownNameError: the lab has no such question; its message lists the valid ones.
        """
        if question_id is None:
            return make_overview(self._lab, read_points(self._lab))
        if question_id not in self._questions:
            raise UnknownNameError("question", question_id, self._questions, self._lab)
        return run_check(self._lab, question_id, _names_of_caller(), self._limit)

    def all(self) -> Overview:
        """Check all questions in the lab's order, and show the results in a table.

        Pressing stop ends it; questions that were not reached keep their last result.
        """
        namespace, points = _names_of_caller(), read_points(self._lab)
        for question_id in order_questions(self._lab, points):
            report = run_check(self._lab, question_id, namespace, self._limit)
            if isinstance(report, StoppedReport) and report.stop.limit is None:
                break
        return make_overview(self._lab, points)

    def ready(self) -> Readiness:
        """Look at the notebook as it is saved: what is missing before you hand it in."""
        return look_at_hand_in(self._lab)

    def __repr__(self) -> str:
        """The calls of all checks."""
        calls = ", ".join(f"check.{question_id}()" for question_id in self._questions)
        more = "check() shows where you are, check.all() runs all, check.ready() what you hand in"
        return f"Checks of {self._lab}: {calls}; {more}"


@dataclass(frozen=True, repr=False)
class QuestionCheck:
    """The check of one question, such as `check.wrap`.

    Args:
        lab: id of the lab.
        question_id: id of a question of this lab.
        limit: seconds that the check may take.
    """

    lab: str
    question_id: str
    limit: float = LIMIT

    def __call__(self) -> Report:
        """Check the question against the names that the caller defines."""
        return run_check(self.lab, self.question_id, _names_of_caller(), self.limit)

    def hint(self, step: int | None = None) -> Hint:
        """Show the next hint, of three: what to look for, the API's names, the answer's shape.

        Args:
            step: the last hint to show, from 1; without it, each call shows one more.

        Raises:
            UnknownNameError: there is no such step.
        """
        return next_hint(self.lab, self.question_id, step)

    def others(self) -> Others:
        """Show what comes up most often here, with advice, and questions to think on."""
        return tell_others(self.lab, self.question_id)

    def __repr__(self) -> str:
        """A hint for a student who left out the parentheses."""
        return f"Call it: check.{self.question_id}(); also .hint() and .others()"


def _names_of_caller() -> Mapping[str, Any]:
    """The names of the code that calls a check, such as the notebook's."""
    return sys._getframe(2).f_globals  # noqa: SLF001 (no public way)
