"""Each attack of this folder, graded on the road that every submission takes.

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

from autograder.classroom import hand_in, points
from tests.attacks.arena import CANARY, LAB, QUESTION, Arena, Attack, Result
from tests.attacks.traces import Traces
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
    before = Traces.of(arena)
    result = results[name] = arena.grade(name, attacked)
    assert Traces.of(arena) == before, "it left something behind"
    _no_gain(attacked, result, controls)
    _nothing_reached(attacked, result)
    assert result.active <= active(arena.unsolved), "it could run in a page that shows it"
    if attacked.finding:
        assert attacked.finding in result.codes, result.text[-3000:]
    after = arena.grade("after", attack("right"))
    assert after.points == controls["right"], after.log


def _no_gain(attacked: Attack, result: Result, controls: dict[str, float]) -> None:
    assert result.points is not None, f"no score was recorded: {result.log[-3000:]}"
    assert result.record["points"] == result.points
    assert result.points <= controls[attacked.control], "it gained points"
    if attacked.points is not None:
        assert result.points == attacked.points, (result.record, result.text[-3000:])


def _nothing_reached(attacked: Attack, result: Result) -> None:
    assert not CANARY.search(result.text)
    reached = re.findall(r"REACHED: .*", result.text)
    assert not reached, reached
    assert len(re.findall(r"held: ", result.text)) >= attacked.held, result.text[:6000]
    assert re.search(attacked.says, result.text), result.text[:6000]


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


def test_no_page_that_the_command_writes_runs(arena: Arena) -> None:
    scripted = arena.notebook(attack("page_scripted"))
    plain = active(arena.unsolved)
    assert sum((active(scripted) - plain).values()) > len(attack("page_scripted").texts), "blind"
    program = Path(sys.executable).with_name("autograder")
    found = {}
    for name in ("right", "wrong", "page_scripted"):
        path = hand_in(arena.root, name, LAB, arena.notebook(attack(name)))
        if files := attack(name).files:
            files(path.parent, {})
        subprocess.run([program, "grade", LAB, "--student", name], cwd=arena.root, check=True)
        places = [arena.root / kind / name / LAB / LAB for kind in ("feedback", "autograded")]
        page = Page(places[0].with_suffix(".html").read_text(encoding="utf-8")).found
        graded = nbformat.read(places[1].with_suffix(".ipynb"), as_version=4)
        assert active(graded) <= plain
        found[name] = (page, points(arena.root, LAB, [name])[name][QUESTION])
    assert found["page_scripted"] == found["wrong"]
    assert found["page_scripted"][0] == found["right"][0]
