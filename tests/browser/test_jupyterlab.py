"""Labs in a real JupyterLab, in a real browser: lab 1 as a whole, of others the cards.

To look at what the tests saw: `PICTURES=shots pytest tests/browser`.
"""

from pathlib import Path

import nbformat
import pytest

from autograder.bank import load, without_markers
from autograder.course import Course, Lab
from tests.browser.conftest import Open
from tests.browser.jupyterlab import Notebook
from tests.course import questions

pytestmark = [pytest.mark.browser, pytest.mark.slow]

QUESTIONS = questions("lab1_mnist")
RIGHT = "All of it is right."
NOTHING = {"text/plain": ""}


@pytest.fixture
def lab(root: Path) -> Lab:
    return Course(root).lab("lab1_mnist")


@pytest.fixture
def solutions(lab: Lab) -> dict[str, str]:
    return solutions_of(lab)


def solutions_of(lab: Lab) -> dict[str, str]:
    return {name: without_markers(cells.solution) for name, cells in lab.questions.items()}


def wrong_answer(lab: Lab, question: str, case: str) -> str:
    cases = {case.id: case for case in load(lab)[question]}
    return cases[case].answer(lab.questions[question].solution)


def checked(notebook: Notebook, question: str, title: str) -> str:
    """Run a question's check, take a picture of it, and return the text of its card."""
    notebook.run(f"{question}-check")
    notebook.picture(f"{question}-check", f"{question}-{title}")
    return notebook.card(f"{question}-check")


def test_a_check_tells_what_to_mend_until_all_is_right(
    open_lab: Open, lab: Lab, solutions: dict[str, str]
) -> None:
    notebook = open_lab({})
    notebook.run("setup")

    assert "LIT901" in checked(notebook, "wrap", "cell-not-run")
    notebook.run("wrap")
    stub = checked(notebook, "wrap", "unsolved")
    assert "\n0 of 10 points" in stub
    assert "Fix first: Not solved yet" in stub
    assert "LIT900" in stub
    assert "line 11 of the cell, in __init__" in stub

    notebook.write("wrap", wrong_answer(lab, "wrap", "softmax first"))
    notebook.run("wrap")
    card = checked(notebook, "wrap", "wrong")
    assert "Fix first: softmax before cross_entropy" in card
    assert [line.split("\t")[0] for line in card.splitlines() if "\t" in line] == [
        "called", "expected", "got", "where",
    ]  # fmt: skip
    assert 'explain("LIT111")' in card

    notebook.write("wrap", solutions["wrap"])
    notebook.run("wrap")
    assert RIGHT in checked(notebook, "wrap", "right")
    assert "LIT" not in notebook.card("wrap-check")
    assert notebook.errors() == {}

    assert set(QUESTIONS) <= set(notebook.completions("timer", "check."))
    notebook.picture("timer", "completions")
    notebook.write("timer", 'explain("LIT111")')
    notebook.run("timer")
    notebook.picture("timer", "explain")
    assert "softmax before cross_entropy" in notebook.text("timer")


def test_the_solved_lab_runs_from_top_to_bottom(
    open_lab: Open, lab: Lab, solutions: dict[str, str]
) -> None:
    notebook = open_lab(solutions)
    notebook.run_all()
    assert notebook.errors() == {}
    for question in QUESTIONS:
        notebook.picture(f"{question}-check", f"{question}-solved")
        assert RIGHT in notebook.card(f"{question}-check")
        # The card and nothing beside it: what the student's code prints or displays while a
        # check runs (progress bars, tables) stays out of the notebook.
        # (What told how far it was, is empty in the end.)
        shown = [o for o in notebook.outputs(f"{question}-check") if o.get("data") != NOTHING]
        assert len(shown) == 1

    notebook.write("datamodule", wrong_answer(lab, "datamodule", "not normalised"))
    notebook.run("datamodule")
    again = {question: checked(notebook, question, "one-wrong") for question in QUESTIONS}
    assert "LIT311" in again.pop("datamodule")
    assert all(RIGHT in card for card in again.values())


@pytest.mark.parametrize(
    ("lab_id", "question", "wrong", "code"),
    [("lab4_fsdp", "fsdp2", "mesh of both dimensions", "LIT4510"), ("lab5_slurm", "", "", "")],
)
def test_the_cards_of_a_solved_lab_show_their_pictures(
    open_lab: Open, root: Path, lab_id: str, question: str, wrong: str, code: str
) -> None:
    """Without the demonstrations, which `tests/autograder` runs."""
    lab = Course(root).lab(lab_id)
    notebook = open_lab(solutions_of(lab), lab_id)
    for cell in nbformat.read(root / "release" / lab_id / lab.path.name, as_version=4).cells:
        if cell.cell_type == "code" and "demo" not in cell.metadata.get("tags", []):
            notebook.run(cell.metadata.nbgrader.grade_id)
    assert notebook.errors() == {}
    for name in lab.questions:
        notebook.picture(f"{name}-check", f"{name}-solved")
        assert RIGHT in notebook.card(f"{name}-check")
        drawn = lab.find_question(name).picture is not None
        assert notebook.widths(f"{name}-check") == ([pytest.approx(500, abs=100)] if drawn else [])
    if question:
        notebook.write(question, wrong_answer(lab, question, wrong))
        notebook.run(question)
        assert code in checked(notebook, question, "wrong")
