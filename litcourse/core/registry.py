"""Finds labs and questions: the packages and modules in `litcourse.labs` are the only list."""

from __future__ import annotations

import importlib
import pkgutil
import sys

from litcourse import labs
from litcourse.core.names import UnknownNameError
from litcourse.core.question import Question


def lab_ids() -> list[str]:
    """Ids of all labs, sorted."""
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
        TypeError: the question's module has no `QUESTION`.
    """
    name = f"litcourse.labs.{lab}.{question_id}"
    # An imported module needs no look at the folders, which took longer than to judge.
    known = name in sys.modules and not question_id.startswith("_")
    if not known and question_id not in question_ids(lab):
        raise UnknownNameError("question", question_id, question_ids(lab), lab)
    module = importlib.import_module(name)
    question = getattr(module, "QUESTION", None)
    if not isinstance(question, Question):
        raise TypeError(f"{module.__name__}.QUESTION must be a Question.")
    return question
