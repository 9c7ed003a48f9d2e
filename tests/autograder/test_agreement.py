"""One class, graded by `nbgrader autograde` and by `otter run`: the same points per question.

To read the points, name a file for the table:

    AGREEMENT_TABLE=points.txt make test TESTS=tests/autograder/test_agreement.py
"""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode, v4

from autograder import bank
from autograder.building.build import build
from autograder.course import CHECK, Course, Lab, grade_id
from autograder.demo.demo_class import STUB, Member
from autograder.demo.made_up_students import copy_course, hand_in, nbgrader, read_points
from tests.autograder.otter_runs import points_by_otter
from tests.course import questions

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LAB = "lab1_mnist"
QUESTIONS = questions(LAB)
ALL = "all"
"""In place of a criterion's id: nothing of the question is earned."""
Points = dict[str, float | None]


@dataclass(frozen=True)
class Due(Member):
    """A member of which it is known what each question loses, by criterion id."""

    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    somewhat: tuple[str, ...] = ()
    """Questions whose answer is wrong, nobody wrote down in what."""

    def expected(self, lab: Lab) -> dict[str, float]:
        """Points by question id, where they are known."""
        known = [name for name in lab.questions if name not in self.somewhat]
        return {name: self._points(lab, name) for name in known}

    def _points(self, lab: Lab, name: str) -> float:
        lost = self.lost.get(name, ())
        criteria = lab.find_question(name).criteria
        share = sum(c.share for c in criteria if c.id not in lost and ALL not in lost)
        return round(lab.questions[name].points * share, 4)


def _without_a_check(notebook: NotebookNode) -> NotebookNode:
    notebook.cells = [cell for cell in notebook.cells if grade_id(cell) != "fit" + CHECK]
    return notebook


def _with_an_error(notebook: NotebookNode) -> NotebookNode:
    place = [grade_id(cell) for cell in notebook.cells].index("evaluate")
    notebook.cells.insert(place, v4.new_code_cell("1 / 0"))
    return notebook


# Only answers that lose the same criteria under every draw; between them they lose most of
# lab 1's criteria. What a question loses although its answer is right, it loses by waiting for
# an earlier one.
DESCRIBED_CLASS = (
    Due("right", "all of it right"),
    Due(
        "stubs",
        "nothing solved",
        answers=dict.fromkeys(QUESTIONS, STUB),
        lost=dict.fromkeys(QUESTIONS, (ALL,)),
    ),
    Due(
        "unusual",
        "right in unusual ways",
        answers={
            "wrap": "manual optimization",
            "evaluate": "collected and logged at the end",
            "datamodule": "by hand on tensors",
            "fit": "two loggers",
            "reload": "through the network",
            "timer": "by state",
        },
    ),
    Due(
        "mixed1",
        "each question but the last is wrong in part",
        answers={
            "wrap": "AdamW",
            "evaluate": "percent",
            "datamodule": "no seed",
            "fit": "on the CPU",
            "reload": "the last",
        },
        lost={
            "wrap": ("step",),
            "evaluate": ("val_acc", "test_acc"),
            "datamodule": ("repeat",),
            "fit": ("device",),
            "reload": ("best",),
        },
    ),
    Due(
        "mixed2",
        "every question is wrong in part",
        answers={
            "wrap": "logs nothing",
            "evaluate": "another key too",
            "datamodule": "not normalised",
            "fit": "the newest",
            "reload": "train mode",
            "timer": "without the validation",
        },
        lost={
            "wrap": ("log",),
            "evaluate": ("keys",),
            "datamodule": ("images",),
            "fit": ("best",),
            "reload": ("mode",),
            "timer": ("true", "resumed"),
        },
    ),
    Due(
        "mixed3",
        "the first question is not solved",
        answers={"wrap": STUB},
        lost=dict.fromkeys(("wrap", "evaluate", "reload"), (ALL,)) | {"fit": ("converge",)},
    ),
    Due(
        "mixed4",
        "the second question is not solved",
        answers={
            "wrap": "a tensor on the CPU",
            "evaluate": STUB,
            "datamodule": "no shuffle",
            "timer": "fails on a resumed run",
        },
        lost={
            "wrap": ("device",),
            "evaluate": (ALL,),
            "datamodule": ("order",),
            "fit": ("converge",),
            "reload": (ALL,),
            "timer": ("resumed",),
        },
    ),
    Due(
        "mixed5",
        "a module that learns badly",
        answers={
            "wrap": "softmax in forward",
            "datamodule": "ignores batch_size",
            "fit": "a part of the batches",
            "reload": "nothing is loaded",
            "timer": STUB,
        },
        lost={
            "wrap": ("forward", "loss"),
            "datamodule": ("loaders",),
            "fit": ("data", "converge"),
            "reload": ("best", "whole"),
            "timer": (ALL,),
        },
    ),
    Due(
        "mixed6",
        "lacks a check cell",
        answers={
            "evaluate": "no test_step",
            "datamodule": "tests on training data",
            "fit": "no early stopping",
            "timer": "another key",
        },
        lost={
            "evaluate": ("test_loss", "test_acc", "keys"),
            "datamodule": ("split",),
            "fit": ("stop",),
            "timer": (ALL,),
        },
        change=_without_a_check,
    ),
    Due(
        "mixed7",
        "a cell raises",
        answers={
            "wrap": "sum of losses",
            "evaluate": "summed loss",
            "datamodule": "state in prepare_data",
            "fit": "no logger",
            "reload": "the path",
        },
        lost={
            "wrap": ("loss",),
            "evaluate": ("val_loss", "test_loss"),
            "datamodule": (ALL,),
            "fit": ("log",),
            "reload": (ALL,),
        },
        change=_with_an_error,
    ),
)


DESCRIBED = {
    name for member in DESCRIBED_CLASS for name in member.answers if member.name != "stubs"
}
"""Questions of which the class above says what is lost."""


def _with_new_questions(member: Due, number: int) -> Due:
    """`member`, who if it is a mixed one answers by the bank, wrongly, what nobody describes."""
    if not member.name.startswith("mixed"):
        return member
    cases = bank.load(Course(ROOT).lab(LAB))
    new = [name for name in QUESTIONS if name not in DESCRIBED]
    wrong = {name: [case.id for case in cases[name] if not case.right and not case.after]
             for name in new}  # fmt: skip
    answers = {name: ids[number % len(ids)] for name, ids in wrong.items() if ids}
    return replace(member, answers={**answers, **member.answers}, somewhat=tuple(answers))


CLASS = tuple(_with_new_questions(member, number) for number, member in enumerate(DESCRIBED_CLASS))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The lab of a course of its own, built, with the submissions handed in."""
    origin = Course(ROOT)
    folder = tmp_path_factory.mktemp("course")
    course = copy_course(origin, folder, origin.lab(LAB), QUESTIONS)
    build(course, [LAB])
    made = course.lab(LAB)
    unsolved = nbformat.read(folder / "release" / LAB / f"{LAB}.ipynb", as_version=4)
    cases = bank.load(made)
    for member in CLASS:
        hand_in(folder, member.name, LAB, member.submission(made, unsolved, cases))
    return made


@pytest.fixture(scope="module")
def scores(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Points, Points]]:
    """Points of nbgrader and of otter, by student and question; two programs run at a time."""
    course, results = lab.path.parents[2], tmp_path_factory.mktemp("results")
    names = [member.name for member in CLASS]
    with ThreadPoolExecutor(max_workers=2) as pool:
        graded = pool.submit(nbgrader, course, "autograde", LAB)
        otter = pool.map(lambda name: points_by_otter(course, LAB, name, results / name), names)
        by_otter = dict(zip(names, otter, strict=True))
        assert graded.result().returncode == 0, graded.result().stderr[-4000:]
    by_nbgrader = read_points(course, LAB, names)
    if os.environ.get("AGREEMENT_TABLE"):
        text = _table(lab, by_nbgrader, by_otter)
        Path(os.environ["AGREEMENT_TABLE"]).write_text(text, encoding="utf-8")
    return {name: (by_nbgrader[name], by_otter[name]) for name in names}


def _table(lab: Lab, by_nbgrader: dict[str, Points], by_otter: dict[str, Points]) -> str:
    lines = [f"{'student':<9}{'question':<12}{'nbgrader':>9}{'otter':>9}{'due':>9}"]
    for member in CLASS:
        expected = member.expected(lab)
        for name in lab.questions:
            due = expected.get(name)
            found = (by_nbgrader[member.name].get(name), by_otter[member.name].get(name))
            shown = "".join(f"{'none' if n is None else f'{n:g}':>9}" for n in (*found, due))
            lines.append(f"{member.name:<9}{name:<12}{shown}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("member", CLASS, ids=lambda member: member.name)
def test_nbgrader_and_otter_agree(
    lab: Lab, scores: dict[str, tuple[Points, Points]], member: Due
) -> None:
    by_nbgrader, by_otter = scores[member.name]
    assert by_nbgrader == pytest.approx(by_otter, abs=1e-6)
    due = member.expected(lab)
    assert by_nbgrader.keys() == lab.questions.keys()
    assert {name: by_nbgrader[name] for name in due} == pytest.approx(due, abs=1e-6)
    for name in member.somewhat:
        assert (by_nbgrader[name] or 0) < lab.questions[name].points


def test_most_criteria_are_lost_by_somebody(lab: Lab) -> None:
    for name in DESCRIBED:
        lost = {c for m in CLASS for c in m.lost.get(name, ()) if c != ALL}
        known = {criterion.id for criterion in lab.find_question(name).criteria}
        assert lost <= known
        assert len(known - lost) <= 2, f"{name}: nobody loses {known - lost} alone"
