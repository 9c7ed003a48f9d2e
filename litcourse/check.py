"""What a check cell calls: `check = Check("lab1_mnist")`, then `check.wrap()`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from litcourse.names import UnknownNameError
from litcourse.question import question_ids
from litcourse.render import Report

PUBLIC_SEED = "public"
"""Seed of the inputs that a student's own check uses; graded ones are drawn from a secret."""


class Check:
    """The checks of one lab, one method per question.

    Args:
        lab: id of the lab, e.g. "lab1_mnist".

    Raises:
        UnknownNameError: there is no such lab; its message lists those there are.
    """

    def __init__(self, lab: str) -> None:
        self._lab = lab
        self._questions = question_ids(lab)

    def __dir__(self) -> list[str]:
        """The lab's questions, for tab completion."""
        return self._questions

    def __getattr__(self, question_id: str) -> Callable[[], Report]:
        """The check of `question_id`.

        Raises:
            AttributeError: the lab has no such question; its message lists the valid ones.
        """
        if question_id.startswith("_"):
            raise AttributeError(question_id)
        if question_id not in self._questions:
            unknown = UnknownNameError(f"question of {self._lab}", question_id, self._questions)
            raise AttributeError(str(unknown))
        return lambda: self._report(question_id, sys._getframe(1).f_globals)  # noqa: SLF001 (caller)

    def __call__(self, question_id: str) -> Report:
        """Check `question_id` against the names that the caller defines.

        Raises:
            UnknownNameError: the lab has no such question; its message lists the valid ones.
        """
        if question_id not in self._questions:
            raise UnknownNameError(f"question of {self._lab}", question_id, self._questions)
        return self._report(question_id, sys._getframe(1).f_globals)  # noqa: SLF001 (caller)

    def __repr__(self) -> str:
        """How to ask."""
        calls = ", ".join(f"check.{question_id}()" for question_id in self._questions)
        return f"Checks of {self._lab}: {calls}"

    def _report(self, question_id: str, namespace: Mapping[str, Any]) -> Report:
        if _otter_grades():
            return Report(None)
        return Report(ask(self._lab, question_id, namespace, Random(PUBLIC_SEED)))


def ask(lab: str, question_id: str, namespace: Mapping[str, Any], rng: Random) -> Any:
    """Draw, probe and judge in this process, as a student's check and otter do.

    Returns:
        a `litcourse.question.Verdict`.
    """
    from litcourse.question import find_question
    from litcourse.student import take_evidence, torch_state
    from litcourse.verdicts import reach

    question = find_question(lab, question_id)
    with torch_state():  # making networks moves torch's random state, which is the notebook's
        draw = question.draw(rng)
    return reach(lab, question_id, draw, take_evidence(question, draw.given, namespace))


def _otter_grades() -> bool:
    """Whether otter executes this notebook: then its own tests ask, where this cell stands."""
    module = sys.modules.get("otter.check.notebook")
    return bool(module and getattr(module.Notebook, "_grading_mode", False))
