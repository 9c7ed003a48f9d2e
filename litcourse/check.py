"""The checks that a notebook's check cells call: `check = Check("lab1_mnist"); check.wrap()`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from litcourse.core.names import UnknownNameError
from litcourse.core.registry import find_question, question_ids
from litcourse.feedback.rendering import Footer, Report
from litcourse.feedback.stopped import Stop, StoppedReport
from litcourse.frontends.executions import EXECUTIONS
from litcourse.frontends.notebook import PUBLIC_SEED, check_question
from litcourse.frontends.progress_line import progress_line
from litcourse.frontends.stopping import run_stoppable
from litcourse.probing.silenced import Printed

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
        return self._questions

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

    def __call__(self, question_id: str) -> Report:
        """Check `question_id` against the names that the caller defines.

        Raises:
            UnknownNameError: the lab has no such question; its message lists the valid ones.
        """
        if question_id not in self._questions:
            raise UnknownNameError("question", question_id, self._questions, self._lab)
        return _check(self._lab, question_id, sys._getframe(1).f_globals, self._limit)  # noqa: SLF001 (caller)

    def __repr__(self) -> str:
        """The calls of all checks."""
        calls = ", ".join(f"check.{question_id}()" for question_id in self._questions)
        return f"Checks of {self._lab}: {calls}"


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
        return _check(self.lab, self.question_id, sys._getframe(1).f_globals, self.limit)  # noqa: SLF001 (caller)

    def __repr__(self) -> str:
        """A hint for a student who left out the parentheses."""
        return f"Call it: check.{self.question_id}()"


def _check(lab: str, question_id: str, namespace: Mapping[str, Any], limit: float) -> Report:
    if _otter_grades():
        return Report(None)
    question, printed = find_question(lab, question_id), Printed()

    def work() -> Any:
        return check_question(lab, question_id, namespace, Random(PUBLIC_SEED), printed=printed)

    with progress_line(f"check.{question_id}()", limit) as tick:
        done = run_stoppable(work, limit, tick)
    if isinstance(done, Stop):
        return StoppedReport(lab, question_id, question, done)
    judged = EXECUTIONS.describe((*question.defines, *question.files))
    return Report(done, Footer(judged, printed.text(), printed.lines))


def _otter_grades() -> bool:
    """Whether otter grades this notebook; its own tests then replace the check."""
    module = sys.modules.get("otter.check.notebook")
    return bool(module and getattr(module.Notebook, "_grading_mode", False))
