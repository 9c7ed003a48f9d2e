"""Makes the class of a lab for `autograder demo`, from the lab's bank.

Right, unusual and wrong answers, and the finding of each wrong one, come from the bank. So do the
expected points: all for a right answer, none for a stub, fewer than all with that finding for a
wrong one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from nbformat import NotebookNode, v4

from autograder.bank import Case, without_markers
from autograder.course import CHECK, Lab, grade_id
from autograder.demo.made_up_students import fill_notebook

STUB = ""
"""Takes the place of a case's id: the question stays unsolved."""
WAITS = "LIT904"
"""The finding of a right answer to a question that needs an earlier one."""
Change = Callable[[NotebookNode], "NotebookNode | bytes"]
Bank = Mapping[str, Sequence[Case]]


@dataclass(frozen=True)
class Member:
    """A made-up student.

    Args:
        name: student id.
        what: the submission, in a few words.
        answers: case of the bank by question id, or `STUB`; other questions get the solution.
        change: changes the filled notebook.
        unreadable: whether the file can't be read.
    """

    name: str
    what: str
    answers: Mapping[str, str] = field(default_factory=dict)
    change: Change | None = None
    unreadable: bool = False

    def submission(self, lab: Lab, unsolved: NotebookNode, cases: Bank) -> NotebookNode | bytes:
        """The submission of this member."""
        sources = {}
        for name, cells in lab.questions.items():
            wanted = self.answers.get(name)
            if wanted == STUB:
                continue
            sources[name] = without_markers(cells.solution)
            if wanted is not None:
                sources[name] = _case(cases[name], wanted).answer(cells.solution)
        notebook = fill_notebook(unsolved, sources)
        return self.change(notebook) if self.change else notebook

    def fault(self, lab: Lab, cases: Bank, name: str, got: GradedQuestion) -> str:
        """What is wrong with the result of the question `name`, or ""."""
        most, wanted = lab.questions[name].points, self.answers.get(name)
        if got.points is None:
            return "no score"
        if self.unreadable or wanted == STUB:
            return "" if got.points == 0 else "points for nothing"
        case = _case(cases[name], wanted) if wanted else Case("solution")
        if not case.right:
            named = got.codes[:1] == (case.expects,)
            return "" if got.points < most and named else f"{case.expects} should have cost points"
        waits = set(got.codes) == {WAITS} and self._unsolved_before(lab, cases, name)
        return "" if got.points == most or waits else "points missing"

    def _unsolved_before(self, lab: Lab, cases: Bank, name: str) -> bool:
        """Whether an earlier answer is wrong, so that a later question may need it."""
        earlier = list(lab.questions)[: list(lab.questions).index(name)]
        answers = {question: self.answers.get(question) for question in earlier}
        return any(
            wanted == STUB or (wanted and not _case(cases[question], wanted).right)
            for question, wanted in answers.items()
        )


@dataclass(frozen=True)
class GradedQuestion:
    """The result of one question of one member.

    Args:
        points: points in the gradebook, or None.
        codes: codes of the findings, in order.
    """

    points: float | None
    codes: tuple[str, ...] = ()


def _case(cases: Sequence[Case], name: str) -> Case:
    return next(case for case in cases if case.id == name)


# --- changes of notebooks ----------------------------------------------------------------------


def _index_of(notebook: NotebookNode, name: str) -> int:
    return [grade_id(cell) for cell in notebook.cells].index(name)


def _truncate(notebook: NotebookNode) -> bytes:
    return json.dumps(notebook).encode()[:1000]


def _insert_cell(before: str, source: str) -> Change:
    def change(notebook: NotebookNode) -> NotebookNode:
        notebook.cells.insert(_index_of(notebook, before), v4.new_code_cell(source))
        return notebook

    return change


def _remove_cell(name: str) -> Change:
    def change(notebook: NotebookNode) -> NotebookNode:
        notebook.cells = [cell for cell in notebook.cells if grade_id(cell) != name]
        return notebook

    return change


def _duplicate_and_retype(twice: str, as_text: str) -> Change:
    """Duplicate one check cell, and turn another into text."""

    def change(notebook: NotebookNode) -> NotebookNode:
        spare = notebook.cells[_index_of(notebook, twice)]
        notebook.cells.append(v4.new_code_cell(spare.source, metadata=spare.metadata))
        index = _index_of(notebook, as_text)
        cell = notebook.cells[index]
        notebook.cells[index] = v4.new_markdown_cell(cell.source, metadata=cell.metadata)
        return notebook

    return change


# --- the class ---------------------------------------------------------------------------------


def members(lab: Lab, cases: Bank, *, troubles: bool) -> list[Member]:
    """The class of a lab.

    Args:
        lab: the lab.
        cases: its bank.
        troubles: also members whose files or programs are broken, in ways that suit any lab.
    """
    names = list(lab.questions)
    half = names[: len(names) // 2]
    found = [
        Member("ada", "all of it right"),
        Member("ben", "nothing solved", dict.fromkeys(names, STUB)),
        Member("chen", "right in unusual ways", _choose_unusual(cases)),
        Member("dora", "the first half solved", dict.fromkeys(names[len(half) :], STUB)),
        *_wrong_members(cases, names),
    ]
    return found + _broken_members(names) if troubles else found


def _independent(cases: Sequence[Case], *, right: bool) -> list[Case]:
    """Cases that fit the solutions of all earlier questions."""
    return [case for case in cases if case.right == right and not case.after]


def _choose_unusual(cases: Bank) -> dict[str, str]:
    found = {name: _independent(known, right=True) for name, known in cases.items()}
    return {name: known[-1].id for name, known in found.items() if known}


def _wrong_members(cases: Bank, names: Sequence[str]) -> list[Member]:
    """Members with one wrong answer each, to a last question, on which no other builds."""
    found = []
    for student, name in zip(("emil", "fatima"), names[-2:], strict=False):
        known = _independent(cases[name], right=False)
        if known:
            found.append(Member(student, f"{name}: {known[0].id}", {name: known[0].id}))
    return found


def _broken_members(names: Sequence[str]) -> list[Member]:
    first, second = next(iter(pairwise((*names, names[0]))))
    loop, died = "while True:\n    pass", "import os\nos._exit(1)"
    return [
        Member("hana", "a file that breaks off", change=_truncate, unreadable=True),
        Member("ivo", "a loop that never ends", change=_insert_cell(names[-1], loop)),
        Member("june", "lacks a check cell", change=_remove_cell(second + CHECK)),
        Member("kofi", "its Python dies", change=_insert_cell(second, died)),
        Member(
            "lena",
            "a cell doubled, a cell turned into text",
            change=_duplicate_and_retype(first + CHECK, second + CHECK),
        ),
    ]
