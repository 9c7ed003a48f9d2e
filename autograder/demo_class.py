"""The class of `autograder demo`: who hands in what, and the points that it deserves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nbformat import NotebookNode, v4

from autograder.bank import Case, without_markers
from autograder.classroom import filled
from autograder.course import CHECK, Lab, grade_id

STUB = ""
"""In place of a case's id: the question is left unsolved."""
ALL = "all"
"""In place of a criterion's id: nothing of the question is earned."""


@dataclass(frozen=True)
class Member:
    """A made-up student.

    Args:
        name: its id.
        what: what its submission is, in a few words.
        answers: case of the bank by question id, or `STUB`; the solution where it is silent.
        unusual: takes the last right case of each question in place of the solution.
        lost: what each question loses, by criterion id; `ALL` for all of it.
        change: what is done to the notebook afterwards.
    """

    name: str
    what: str
    answers: Mapping[str, str] = field(default_factory=dict)
    unusual: bool = False
    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    change: Callable[[NotebookNode], NotebookNode | bytes] | None = None

    def submission(
        self, lab: Lab, unsolved: NotebookNode, cases: Mapping[str, list[Case]]
    ) -> NotebookNode | bytes:
        """What this member hands in."""
        sources = {}
        for name, cells in lab.questions.items():
            wanted = self.answers.get(name)
            if wanted == STUB:
                continue
            sources[name] = without_markers(cells.solution)
            case = self._case(name, cases[name])
            if case is not None:
                sources[name] = case.answer(cells.solution)
        notebook = filled(unsolved, sources)
        return self.change(notebook) if self.change else notebook

    def _case(self, question_id: str, cases: list[Case]) -> Case | None:
        wanted = self.answers.get(question_id)
        if wanted is not None:
            return {case.id: case for case in cases}[wanted]
        right = [case for case in cases if case.right]
        return right[-1] if self.unusual and right else None

    def expected(self, lab: Lab) -> dict[str, float]:
        """Points by question id."""
        return {name: self._points(lab, name) for name in lab.questions}

    def _points(self, lab: Lab, question_id: str) -> float:
        lost = self.lost.get(question_id, ())
        criteria = lab.judge_of(question_id).criteria
        share = sum(c.share for c in criteria if c.id not in lost and ALL not in lost)
        return round(lab.questions[question_id].points * share, 4)


def _place(notebook: NotebookNode, name: str) -> int:
    return [grade_id(cell) for cell in notebook.cells].index(name)


def _cut_short(notebook: NotebookNode) -> bytes:
    return json.dumps(notebook).encode()[:1000]


def _with_cell(before: str, source: str) -> Callable[[NotebookNode], NotebookNode]:
    def change(notebook: NotebookNode) -> NotebookNode:
        notebook.cells.insert(_place(notebook, before), v4.new_code_cell(source))
        return notebook

    return change


def _lacking(*names: str) -> Callable[[NotebookNode], NotebookNode]:
    def change(notebook: NotebookNode) -> NotebookNode:
        notebook.cells = [cell for cell in notebook.cells if grade_id(cell) not in names]
        return notebook

    return change


def _untidy(notebook: NotebookNode) -> NotebookNode:
    """A check cell that stands there twice, and another that was turned into text."""
    spare = notebook.cells[_place(notebook, "wrap" + CHECK)]
    notebook.cells.append(v4.new_code_cell(spare.source, metadata=spare.metadata))
    place = _place(notebook, "evaluate" + CHECK)
    cell = notebook.cells[place]
    notebook.cells[place] = v4.new_markdown_cell(cell.source, metadata=cell.metadata)
    return notebook


_EVERY = ("wrap", "evaluate", "datamodule", "fit", "reload", "timer")
_NOTHING = dict.fromkeys(_EVERY, (ALL,))

CLASS = (
    Member("ada", "all of it right"),
    Member("ben", "nothing solved", answers=dict.fromkeys(_EVERY, STUB), lost=_NOTHING),
    Member("chen", "right in unusual ways", unusual=True),
    Member(
        "dora",
        "the first half solved",
        answers=dict.fromkeys(_EVERY[3:], STUB),
        lost=dict.fromkeys(_EVERY[3:], (ALL,)),
    ),
    Member(
        "emil",
        "AdamW for Adam, accuracy in percent",
        answers={"wrap": "AdamW", "evaluate": "percent"},
        lost={"wrap": ("step",), "evaluate": ("val_acc", "test_acc")},
    ),
    Member(
        "fatima",
        "logs no loss, images not normalised",
        answers={"wrap": "logs nothing", "datamodule": "not normalised"},
        lost={"wrap": ("log",), "datamodule": ("images",)},
    ),
    Member(
        "goran",
        "one epoch's data order, no timer",
        answers={"datamodule": "no shuffle", "timer": STUB},
        lost={"datamodule": ("order",), "timer": (ALL,)},
    ),
    Member("hana", "a file that breaks off", change=_cut_short, lost=_NOTHING),
    Member("ivo", "a loop that never ends", change=_with_cell("timer", "while True:\n    pass")),
    Member("june", "lacks a check cell", change=_lacking("evaluate" + CHECK)),
    Member("kofi", "its Python dies", change=_with_cell("evaluate", "import os\nos._exit(1)")),
    Member("lena", "a cell doubled, a cell turned into text", change=_untidy),
)
