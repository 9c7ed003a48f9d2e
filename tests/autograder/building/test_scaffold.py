"""`autograder new`: three places, valid from the start, and none is overwritten."""

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from subprocess import CompletedProcess

import nbformat
import pytest

from autograder import bank
from autograder.building.build import build
from autograder.building.scaffold import scaffold
from autograder.course import AuthorError, Course
from litcourse.core.registry import find_question
from litcourse.core.scoring import grade

Run = Callable[..., CompletedProcess[str]]


def test_a_question_in_a_lab_that_exists(tiny: Course) -> None:
    written = scaffold(tiny, "lab0_tiny", "add_two")
    assert [str(path.relative_to(tiny.root)) for path in written] == [
        "source/lab0_tiny/lab0_tiny.ipynb",
        "litcourse/labs/lab0_tiny/add_two.py",
        "autograder/bank/lab0_tiny/add_two.py",
    ]
    assert list(tiny.lab("lab0_tiny").questions) == ["add_one", "add_two"]
    build(tiny)


def test_the_summary_stays_at_the_end(tiny: Course) -> None:
    scaffold(tiny, "lab0_tiny", "add_two")
    assert tiny.lab("lab0_tiny").notebook.cells[-1].id == "summary"


def test_a_new_lab_compiles_at_once(tiny: Course) -> None:
    scaffold(tiny, "lab0_tiny_too", "add_one")
    released = build(tiny, ["lab0_tiny_too"]).release / "lab0_tiny_too/lab0_tiny_too.ipynb"
    sources = [cell.source for cell in nbformat.read(released, as_version=4).cells]
    assert any('Check("lab0_tiny_too")' in source for source in sources)


def test_an_unwritten_judge_gives_no_points(tiny: Course) -> None:
    scaffold(tiny, "lab0_tiny", "add_two")
    inputs = find_question("lab0_tiny", "add_two").draw(Random(0))
    verdict = grade("lab0_tiny", "add_two", inputs, {"value": inputs.shown["number"] + 1})
    assert verdict.score == 0
    assert "not written yet" in verdict.findings[0].got


def test_the_bank_skeleton_fits_the_solution_skeleton(tiny: Course) -> None:
    lab = tiny.lab("lab0_tiny")
    answers = [case.answer(lab.questions["add_one"].solution) for case in bank.load(lab)["add_one"]]
    assert ["1 + number" in answer for answer in answers] == [True, False]


def test_what_it_writes_passes_our_own_rules(tiny: Course, root: Path, run_in: Run) -> None:
    rules = ["--config", str(root / "pyproject.toml"), "--config", f"src = ['{root}']"]
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, *rules]
        done = run_in(tiny.root, *ruff, "litcourse/labs/lab0_tiny")
        assert done.returncode == 0, done.stdout


def test_what_exists_is_named_and_kept(tiny: Course) -> None:
    (tiny.root / "autograder/bank/lab0_tiny/add_one.py").unlink()
    with pytest.raises(AuthorError) as error:
        scaffold(tiny, "lab0_tiny", "add_one")
    assert "litcourse/labs/lab0_tiny/add_one.py" in str(error.value)
    assert "cell 'add_one-check'" in str(error.value)
    assert "bank" not in str(error.value)
    assert not (tiny.root / "autograder/bank/lab0_tiny/add_one.py").exists()


@pytest.mark.parametrize("name", ["Add", "1st", "add-one", "class", "", "../up"])
def test_a_name_that_is_no_identifier_is_refused(tiny: Course, name: str) -> None:
    with pytest.raises(AuthorError, match="lower-case"):
        scaffold(tiny, "lab0_tiny", name)


def test_it_wants_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with pytest.raises(AuthorError, match="checkout"):
        scaffold(Course(tmp_path), "lab9_new", "first")
