"""Finds faults of a bank before anything runs: ids, findings, edits, earlier answers.

Each is an `AuthorError` that names the bank's file, the question, the fault and the next step. Only
the banks are imported.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from importlib import import_module

from autograder.bank import FRESH, SOLUTION, STUB, Case, bank_file, without_markers
from autograder.course import CHECK, AuthorError, Lab
from litcourse.core.names import sort_by_similarity
from litcourse.core.registry import question_ids
from litcourse.core.verdict import misnamed_criteria
from litcourse.feedback.catalogue import catalogue

_SHOWN = 8
"""Number of names that an error lists."""


def check_bank(
    lab: Lab, bank: dict[str, list[Case]], criteria: Mapping[str, list[str] | None]
) -> None:
    """Check the cases of every question of `lab`.

    Args:
        lab: the lab.
        bank: its cases by question, in the notebook's order.
        criteria: ids of each question's criteria, as its source has them; None if nobody knows.

    Raises:
        AuthorError: there is a fault; the first one is reported.
    """
    _nothing_left_over(lab)
    for question_id, cases in bank.items():
        _ids(lab, question_id, cases)
        _both_kinds(lab, question_id, cases)
        for case in cases:
            _finding(lab, question_id, case)
            _costs(lab, question_id, case, criteria[question_id])
            _answer(lab, question_id, case)
    for question_id, cases in bank.items():  # after the cases that `after` names have been checked
        for case in cases:
            _after(lab, question_id, case, bank)


def again(lab_id: str, question_id: str, step: str) -> str:
    """The next step of a fault, followed by the command that verifies again."""
    return f"{step}, then: make verify LAB={lab_id} Q={question_id}"


def nearest_first(name: str, valid: Sequence[str]) -> str:
    """The valid names for a message about an unknown one."""
    names = sort_by_similarity(name, valid)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"Nearest first: {', '.join(names[:_SHOWN]) or 'none'}{more}"


def _error(lab: Lab, question_id: str, fault: str, step: str) -> AuthorError:
    step = again(lab.id, question_id, step)
    return AuthorError(bank_file(lab, question_id), question_id, fault, step)


def _nothing_left_over(lab: Lab) -> None:
    package = import_module(f"autograder.bank.{lab.id}")
    known_ids = {*lab.questions, *question_ids(lab.id)}  # an instructor may take out a question
    for module in pkgutil.iter_modules(package.__path__):
        if module.name[0] != "_" and module.name not in known_ids:
            file = bank_file(lab, module.name)
            known = nearest_first(module.name, list(lab.questions))
            step = f"add the cells {module.name!r} and {module.name + CHECK!r}, or delete {file}"
            raise AuthorError(file, module.name, f"no cell asks this question. {known}", step)


def _ids(lab: Lab, question_id: str, cases: list[Case]) -> None:
    names = [case.id for case in cases]
    for name in names:
        if names.count(name) > 1:
            raise _error(lab, question_id, f"two cases have the id {name!r}", "rename one of them")
        if name in {SOLUTION, STUB, FRESH}:
            fault = f"a case has the id {name!r}, which verify gives to a case of its own"
            raise _error(lab, question_id, fault, "rename it")
        if not name.strip() or name.strip() != name or "/" in name:
            fault = f"a case has the id {name!r}"
            step = "give it an id without / and without blanks at its ends"
            raise _error(lab, question_id, fault, step)


def _both_kinds(lab: Lab, question_id: str, cases: list[Case]) -> None:
    """Check for right and wrong answers: without both, a judge may pass all of them, or none."""
    if all(case.right for case in cases):
        step = "add wrong(...) for every mistake that you can think of"
        raise _error(lab, question_id, "it has no wrong answer", step)
    if not any(case.right for case in cases):
        step = "add right(...) for two unusual answers or more"
        raise _error(lab, question_id, "it has no right answer", step)


def _finding(lab: Lab, question_id: str, case: Case) -> None:
    if not case.right and case.expects not in catalogue():
        known = nearest_first(case.expects, list(catalogue()))
        fault = f"case {case.id!r} expects {case.expects!r}, which the catalogue lacks. {known}"
        step = f"name one of those, or add it to litcourse/feedback/findings/{lab.id}.toml"
        raise _error(lab, question_id, fault, step)


def _costs(lab: Lab, question_id: str, case: Case, ids: list[str] | None) -> None:
    fault = misnamed_criteria(case.costs, ids) if case.costs and ids is not None else ""
    if fault:
        text = f"case {case.id!r}: its costs= {fault}"
        raise _error(lab, question_id, text, "name criteria of the question")


def _answer(lab: Lab, question_id: str, case: Case) -> None:
    solution = lab.questions[question_id].solution
    if case.edits and case.code:
        fault = f"case {case.id!r} has edits and code, and the code would win"
        raise _error(lab, question_id, fault, "leave one of them out")
    _pairs(lab, question_id, case, "edits", '("old text", "new text")')
    try:
        answer = case.answer(solution)
    except ValueError as error:
        raise _error(lab, question_id, str(error), "edit the case, or the solution") from error
    if answer == without_markers(solution) and not case.after:
        fault = f"case {case.id!r} changes nothing: it is the solution"
        raise _error(lab, question_id, fault, "give it edits, code or after=")


def _pairs(lab: Lab, question_id: str, case: Case, name: str, example: str) -> None:
    """Check a tuple of pairs: without inner parentheses it is a tuple of texts."""
    for pair in getattr(case, name):
        whole = isinstance(pair, tuple) and len(pair) == len(("old", "new"))
        if not whole or not all(isinstance(text, str) for text in pair):
            fault = (
                f"case {case.id!r}: its {name} hold {str(pair)[:60]!r}, which is no pair of texts"
            )
            raise _error(lab, question_id, fault, f"write {example}")


def _after(lab: Lab, question_id: str, case: Case, bank: dict[str, list[Case]]) -> None:
    _pairs(lab, question_id, case, "after", 'after=(("question", "case"),)')
    order = list(bank)
    earlier = order[: order.index(question_id)]
    for position, (name, answer) in enumerate(case.after):
        if name not in earlier:
            why = "stands no earlier in the notebook" if name in order else "the lab lacks"
            fault = f"case {case.id!r}: its after= names the question {name!r}, which {why}"
            known = nearest_first(name, earlier)
            raise _error(lab, question_id, f"{fault}. {known}", "name an earlier question")
        if name in {other for other, _ in case.after[:position]}:
            fault = f"case {case.id!r}: its after= names the question {name!r} twice"
            raise _error(lab, question_id, fault, "leave one of them out")
        answers = [STUB, *(other.id for other in bank[name])]
        if answer not in answers:
            fault = f"case {case.id!r}: its after= names {answer!r}, no answer to {name!r}"
            known = nearest_first(answer, answers)
            raise _error(lab, question_id, f"{fault}. {known}", "name one of those")
