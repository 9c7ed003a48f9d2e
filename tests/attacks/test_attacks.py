"""Each attack of this folder, graded as every submission is.

An attack fails if it gains a point over the honest submission that it is held against, reaches
anything, leaves anything, goes unrecorded, can run in the pages that show it, or spoils the
grading of the next submission.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.demo.made_up_students import copy_course, hand_in, read_points
from tests.attacks.arena import CANARY, LAB, QUESTION, Arena, Attack, Result
from tests.attacks.traces import Traces
from tests.course import points_of
from tests.pages import Page, active

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SUPPORT = {"arena", "conftest", "traces"}
CONTROLS = ("right", "wrong", "unsolved")
LEAST = 20
NAMES = sorted(
    path.stem
    for path in HERE.glob("*.py")
    if path.stem not in SUPPORT and not path.stem.startswith("test_")
)
LIMITS = {"LIT906", "LIT907", *(f"LIT92{number}" for number in range(8))}


def attack(name: str) -> Attack:
    """The attack in the file `name`."""
    found = importlib.import_module(f"tests.attacks.{name}").ATTACK
    assert isinstance(found, Attack)
    return found


@pytest.fixture(scope="module")
def controls(arena: Arena) -> dict[str, float]:
    """Points of the honest submissions."""
    graded = {name: arena.grade(name, attack(name)) for name in CONTROLS}
    assert all(result.points is not None for result in graded.values()), graded
    return {name: result.points or 0.0 for name, result in graded.items()}


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    """What came of the attacks so far."""
    return {}


@pytest.mark.parametrize("name", NAMES)
def test_attack(
    name: str, arena: Arena, controls: dict[str, float], results: dict[str, Result]
) -> None:
    attacked = attack(name)
    if reason := attacked.missing():
        pytest.skip(reason)
    before = Traces.of(arena)
    result = results[name] = arena.grade(name, attacked)
    assert Traces.of(arena) == before, "it left something behind"
    _no_gain(attacked, result, controls)
    _nothing_reached(attacked, result)
    assert result.size <= attacked.most_text
    assert result.active <= active(arena.unsolved), "it could run in a page that shows it"
    if attacked.finding:
        assert attacked.finding in result.codes, result.text[-3000:]
    after = arena.grade("after", attack("right"))
    assert after.points == controls["right"], after.log


def _no_gain(attacked: Attack, result: Result, controls: dict[str, float]) -> None:
    assert result.points is not None, f"no score was recorded: {result.log[-3000:]}"
    assert result.record["points"] == result.points
    assert result.points <= controls[attacked.control], "it gained points"
    if attacked.share is not None:
        due = attacked.share * points_of(LAB, QUESTION)
        assert result.points == pytest.approx(due), (result.record, result.text[-3000:])


def _nothing_reached(attacked: Attack, result: Result) -> None:
    assert not CANARY.search(result.text)
    reached = re.findall(r"REACHED: .*", result.text)
    assert not reached, reached
    assert len(re.findall(r"held: ", result.text)) >= attacked.held, result.text[:6000]
    assert re.search(attacked.says, result.text), result.text[:6000]


def test_other_answers_beside_a_notebook_bring_other_inputs(arena: Arena) -> None:
    kept = arena.root / "evidence" / LAB / "looker" / f"{QUESTION}.inputs"
    seen = set()
    for _ in range(2):
        arena.grade("looker", attack("answers_beside"))
        seen.add(kept.read_bytes())
        arena.grade_files("looker")
        seen.add(kept.read_bytes())
    assert len(seen) == 2  # one for each state of the file


def test_the_same_notebook_draws_the_same_inputs_each_time(arena: Arena) -> None:
    gambler = attack("draws_repeated")
    arena.grade("gambler", gambler)
    folder = arena.root / "submitted" / "gambler" / LAB
    kept = arena.root / "evidence" / LAB / "gambler" / f"{QUESTION}.inputs"
    seen, digits = [], "submission_secret.txt"
    for _ in range(2):
        assert gambler.files is not None
        gambler.files(folder, arena.targets)
        arena.grade_files("gambler")
        seen.append((kept.read_bytes(), (folder / digits).read_bytes()))
    (first, other), (second, another) = seen
    assert first == second
    assert other != another


def test_each_limit_was_hit_with_its_finding(results: dict[str, Result]) -> None:
    if len(results) < len(NAMES):
        pytest.skip("only some of the attacks ran; to enable: run this whole file")
    seen = set().union(*(result.codes for result in results.values()))
    assert seen >= LIMITS


def test_there_are_enough_attacks_and_each_says_what_it_does() -> None:
    assert len(NAMES) >= LEAST + len(CONTROLS)
    for name in NAMES:
        text = importlib.import_module(f"tests.attacks.{name}").__doc__ or ""
        assert "Strategy:" in text, name
        assert "Surface:" in text, name


@pytest.mark.parametrize(("name", "what"), [("course_read", "secret"), ("process_spied", "grader")])
def test_without_the_sandbox_the_same_attack_is_noticed(name: str, what: str, arena: Arena) -> None:
    """So that a runner which sees nothing does not pass for a sandbox that holds."""
    attacked = attack(name)
    # It may wait for ever: what it opens can be a pipe.
    bare = Attack(cells=attacked.cells, settings={"sandbox": False, "cell_seconds": 5})
    result = arena.grade("bare", bare)
    assert f"REACHED: {what}" in result.text


def test_no_page_that_the_command_writes_runs(arena: Arena, tmp_path: Path) -> None:
    """Of a submission beside the controls, in a course of all questions, as the command asks."""
    scripted = attack("page_scripted")
    plain = active(arena.unsolved)
    seen = active(arena.notebook(scripted)) - plain
    assert seen.total() > len(scripted.texts), "the test sees nothing"
    copy_course(arena.origin, tmp_path, arena.origin.lab(LAB), arena.origin.lab(LAB).questions)
    names = ("right", "wrong", "page_scripted")
    for name in names:
        path = hand_in(tmp_path, name, LAB, arena.notebook(attack(name)))
        if files := attack(name).files:
            files(path.parent, {})
    program = Path(sys.executable).with_name("autograder")
    subprocess.run([program, "grade", LAB], cwd=tmp_path, check=True)
    for name in names:
        graded = tmp_path / "autograded" / name / LAB / f"{LAB}.ipynb"
        assert active(nbformat.read(graded, as_version=4)) <= plain
    pages = {name: tmp_path / "feedback" / name / LAB / f"{LAB}.html" for name in names}
    shown = {name: Page(page.read_text(encoding="utf-8")).found for name, page in pages.items()}
    assert shown["page_scripted"] == shown["right"] == shown["wrong"]
    earned = read_points(tmp_path, LAB, names)
    assert earned["page_scripted"] == earned["wrong"]
    assert earned["right"][QUESTION] == points_of(LAB, QUESTION)
