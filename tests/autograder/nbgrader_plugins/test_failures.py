"""A name that is missing because a cell failed: the finding names the cell, in both commands."""

import json
from pathlib import Path
from typing import Any

import pytest
from nbformat import v4

from autograder.bank import without_markers
from autograder.course import Course, grade_id
from autograder.demo.made_up_students import copy_course, fill_notebook, hand_in
from autograder.engine.cell_client import Outcome
from autograder.grading import run
from autograder.grading.run import Options
from autograder.nbgrader_plugins.failures import Failure, explain_missing, find_failure

ROOT = Path(__file__).resolve().parents[3]
LAB = "lab1_mnist"
DIED = "the Python process ended"
FAILING = {
    "wrap": "class LitClassifier(L.LightningModule)\n    ...",
    "evaluate": "import os\nos._exit(3)",
    "datamodule": "class MNISTDataModule(grain.Module): ...",
    "fit": "# elsewhere",
}


def outcome(error: str, *traceback: str) -> Outcome:
    shown = v4.new_output("error", ename="", evalue="", traceback=list(traceback))
    return Outcome("done", error, [shown])


def test_a_failure_has_its_first_line_and_the_line_of_the_cell() -> None:
    syntax = outcome("SyntaxError: expected ':' (19.py, line 29)", "  Cell In[6], line 29\n")
    assert find_failure(syntax, "") == Failure("ended with SyntaxError: expected ':' (line 29)")
    coloured = outcome("OSError: \x1b[31mno\x1b[0m\nmore", "\x1b[1mCell In[2], line 3\x1b[0m\n")
    assert find_failure(coloured, "") == Failure("ended with OSError: no (line 3)")
    assert find_failure(Outcome("dead"), DIED) == Failure(f"was stopped: {DIED}")
    assert find_failure(Outcome("done"), "") is None


def test_a_stub_is_told_as_a_stub() -> None:
    stub = find_failure(outcome("NotImplementedError: "), "")
    assert stub == Failure("ended with NotImplementedError", stub=True)
    assert (explain_missing(stub, {}) or ("",))[0] == "LIT900"
    assert explain_missing(None, {3: stub}) is None


def test_the_own_cell_comes_first_and_the_first_of_the_others_is_named() -> None:
    broken, other = Failure("ended with A"), {2: Failure("ended with B"), 5: Failure("ended")}
    code, detail = explain_missing(broken, other) or ("", "")
    assert code == "LIT916"
    assert (
        detail == "the cell that should define it ended with A; before that, cell [2] ended with B"
    )
    assert explain_missing(None, other) == ("LIT916", "before this check, cell [2] ended with B")
    assert explain_missing(None, {}) is None


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The first lab, with a submission of failing cells and one of a misspelled name, graded."""
    origin = Course(ROOT)
    folder = tmp_path_factory.mktemp("course")
    lab = origin.lab(LAB)
    made = copy_course(origin, folder, lab, list(lab.questions))
    right = {name: without_markers(cells.solution) for name, cells in lab.questions.items()}
    failing = fill_notebook(lab.notebook, right | FAILING)
    place = [grade_id(cell) for cell in failing.cells].index("wrap")
    failing.cells.insert(place, v4.new_code_cell("import grain_of_nobody as grain"))
    hand_in(folder, "failing", LAB, failing)
    misspelled = right["timer"].replace("EpochTimer", "Timer")
    hand_in(folder, "misspelled", LAB, fill_notebook(lab.notebook, right | {"timer": misspelled}))
    assert run.grade(made, Options(feedback=False)) == 0
    return made


def findings(course: Course, student: str) -> dict[str, tuple[str, str, float]]:
    folder = course.root / "evidence" / LAB / student
    found: dict[str, tuple[str, str, float]] = {}
    for path in folder.glob("[!_]*.json"):
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for finding in known["findings"][:1]:
            found[path.stem] = (finding["code"], finding["got"], known["points"])
    return found


def check(found: dict[str, tuple[str, str, float]]) -> None:
    name = "ModuleNotFoundError: No module named 'grain_of_nobody' (line 1)"
    assert found["wrap"][0] == found["evaluate"][0] == found["datamodule"][0] == "LIT916"
    assert found["wrap"][1].startswith(
        "LitClassifier is not defined: the cell that should define it ended with "
        "SyntaxError: expected ':' (line 1); before that, cell ["
    )
    assert f"was stopped: {DIED}" in found["evaluate"][1]
    assert "NameError: name 'grain' is not defined (line 1); before that" in found["datamodule"][1]
    assert found["datamodule"][1].endswith(f"ended with {name}")
    assert found["fit"][1].startswith("train is not defined: before this check, cell [")
    assert {found[name][2] for name in FAILING} == {0.0}


@pytest.mark.slow
def test_cells_that_failed_are_named_and_judged_again_alike(course: Course) -> None:
    first = findings(course, "failing")
    check(first)
    source = course.lab(LAB).path
    source.write_text(source.read_text("utf-8").replace('"points": 10', '"points": 8'), "utf-8")
    assert run.rejudge(Course(course.root), Options([LAB], feedback=False)) == 0
    assert findings(course, "failing") == first


@pytest.mark.slow
def test_a_misspelled_name_stays_a_misspelled_name(course: Course) -> None:
    assert findings(course, "misspelled")["timer"][0] == "LIT901"
