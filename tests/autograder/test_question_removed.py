"""A lab from which an instructor took a question: it builds, verifies and is graded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograder import bank
from autograder.bank import without_markers
from autograder.building.build import build, find_stale
from autograder.course import Course
from autograder.demo.made_up_students import (
    copy_course,
    fill_notebook,
    hand_in,
    nbgrader,
    read_points,
)
from autograder.verifying import verify
from litcourse.check import Check
from litcourse.core.registry import question_ids
from tests.autograder.otter_runs import points_by_otter, run_program
from tests.course import points_of

ROOT = Path(__file__).resolve().parents[2]
LAB, KEPT, REMOVED = "lab1_mnist", ("wrap", "evaluate"), "timer"


def _course(folder: Path, lab: str, kept: tuple[str, ...]) -> Course:
    folder.mkdir()
    origin = Course(ROOT)
    return copy_course(origin, folder, origin.lab(lab), kept)


@pytest.mark.parametrize("lab", list(Course(ROOT).labs))
def test_any_question_may_go(lab: str, tmp_path: Path) -> None:
    names = list(Course(ROOT).lab(lab).questions)
    for number, gone in enumerate(names):
        kept = tuple(name for name in names if name != gone)
        left = _course(tmp_path / str(number), lab, kept).lab(lab)
        verify.look_ahead(left)
        assert list(bank.load(left)) == list(kept)
        for cases in bank.load(left).values():
            assert gone not in {name for case in cases for name, _ in case.after}


def test_the_answers_of_a_removed_question_stay_in_the_package(tmp_path: Path) -> None:
    course = _course(tmp_path / "course", "lab3_ddp", ("kwargs",))
    frozen = ROOT / "litcourse/labs/lab3_ddp/frozen/recipe.safetensors"
    before = frozen.read_bytes()
    assert not [line for line in find_stale(course) if "frozen" in line]
    build(course)
    assert frozen.read_bytes() == before
    assert find_stale(course) == []


def test_its_check_still_answers_to_whoever_calls_it() -> None:
    assert REMOVED in question_ids(LAB)
    assert "check.timer()" in repr(Check(LAB).timer)


@pytest.mark.slow
def test_the_others_are_verified_and_graded_with_their_points(tmp_path: Path) -> None:
    course = _course(tmp_path / "course", LAB, KEPT)
    lab = course.lab(LAB)
    build(course)
    answers = {name: without_markers(cells.solution) for name, cells in lab.questions.items()}
    hand_in(course.root, "ada", LAB, fill_notebook(lab.notebook, answers))
    hand_in(course.root, "ben", LAB, fill_notebook(lab.notebook, answers | {"evaluate": "pass"}))
    most = {name: points_of(LAB, name) for name in KEPT}
    due = {"ada": most, "ben": {**most, "evaluate": 0.0}}
    run_program(course.root, "autograder", "grade", LAB)
    assert read_points(course.root, LAB, ["ada", "ben"]) == due
    run_program(course.root, "nbgrader", "autograde", LAB, "--force")
    assert read_points(course.root, LAB, ["ada", "ben"]) == due
    solved = nbgrader(course.root / "submitted/ada" / LAB, "validate", f"{LAB}.ipynb")
    assert "Success!" in solved.stdout + solved.stderr
    assert points_by_otter(course.root, LAB, "ada", tmp_path / "otter") == most
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("autograder")),
            "verify",
            LAB,
            "--question",
            "evaluate",
            "--json",
        ],
        cwd=course.root,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)
    assert (done.returncode, found.get("details")) == (0, {}), done.stdout + done.stderr
