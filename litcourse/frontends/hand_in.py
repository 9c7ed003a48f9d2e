"""Looks at what would be handed in: the notebook as it is saved, and the files beside it."""

from __future__ import annotations

from pathlib import Path

from litcourse.core.question import Question
from litcourse.core.registry import find_question, question_ids
from litcourse.feedback.readiness import Readiness
from litcourse.frontends.executions import EXECUTIONS
from litcourse.frontends.saved_notebook import find_notebook, read_answers

STUB = "YOUR CODE HERE"
"""nbgrader's mark of an answer that was not written."""


def look_at_hand_in(lab: str) -> Readiness:
    """What is missing in the saved notebook of `lab`, question by question."""
    path = find_notebook(lab)
    if path is None:
        return Readiness(lab, "", {"": f"there is no {lab}.ipynb in {Path.cwd()}: save it there"})
    answers = read_answers(lab)
    known = [name for name in answers if name in question_ids(lab)]
    problems = {
        name: _find_problem(find_question(lab, name), answers.get(name))
        for name in [*known, *(n for n in question_ids(lab) if n not in known)]
    }
    files = [name for each in problems for name in find_question(lab, each).files]
    return Readiness(lab, path.name, problems, files)


def _find_problem(question: Question, saved: str | None) -> str:
    """What is wrong with the saved answer to a question; "" if nothing is."""
    if saved is None:
        return "its cell is not in the saved notebook: take it from the lab as you got it"
    if STUB in saved:
        return "it is not solved in the saved notebook"
    missing = [name for name in question.files if not Path(name).is_file()]
    if missing:
        return f"there is no file {missing[0]} beside the notebook: run the cell that writes it"
    last = EXECUTIONS.find_last((*question.defines, *question.files))
    if last is not None and last.source.strip() != saved.strip():
        return f"what you ran last, as [{last.number}], is not what is saved: save, or run the cell"
    return ""
