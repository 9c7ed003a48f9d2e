"""Grading with otter: `otter run` on the very notebook that nbgrader uses."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.bank import without_markers
from autograder.building.build import build
from autograder.building.otter_bundle import build_bundle, case_file
from autograder.course import CHECK, Course, Lab, grade_id
from litcourse.core.question import (
    Criterion,
    Earned,
    Finding,
    Inputs,
    Mark,
    NotLookedAt,
    Question,
)
from litcourse.core.verdict import Verdict
from litcourse.frontends import otter
from litcourse.frontends.otter import CheckedQuestion, NotEarnedError
from tests.course import points_of, questions

Run = Callable[..., CompletedProcess[str]]
Edit = Callable[[NotebookNode], NotebookNode]


# --- the test files ------------------------------------------------------------------------


def question(*shares: float) -> Question:
    """A question whose criteria a, b, c, ... have the given shares; b alone is earned."""
    marks: list[Mark] = [Finding("LIT900", ("a",), "f(x)", "1", "2", "there"), Earned(("b",))]
    return Question(
        title="Try",
        defines=(),
        criteria=tuple(Criterion("abcde"[i], f"it does {i}", s) for i, s in enumerate(shares)),
        draw=lambda rng: Inputs({"number": rng.randrange(10**9)}),
        probe=lambda shown, student: {"number": shown["number"], "seen": student["x"]},
        judge=lambda _inputs, _evidence: marks,
    )


def loaded(source: str) -> dict[str, Any]:
    env: dict[str, Any] = {}
    exec(compile(source, "made.py", "exec"), env)  # noqa: S102 (our own test file, as otter does)
    return env


def test_cases_share_out_the_points() -> None:
    env = loaded(case_file("lab1_mnist", "wrap", question(0.3, 0.3, 0.4), 7))
    points = {case.name: case.points for case in env.values() if hasattr(case, "points")}
    assert points == {"it does 0": 2.1, "it does 1": 2.1, "it does 2": 2.8}
    assert env["OK_FORMAT"] is False
    assert env["name"] == "wrap"


def test_a_title_may_hold_quotes() -> None:
    odd = Question("t", (), (Criterion("a", "it's \"quoted\" {x}", 1.0),),
                   lambda _: Inputs({}), lambda *_: {}, lambda *_: [])  # fmt: skip
    env = loaded(case_file("lab1_mnist", "wrap", odd, 1))
    assert env["earns_a"].name == 'it\'s "quoted" {x}'


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> tuple[CheckedQuestion, list[int]]:
    """The question of `question(0.5, 0.5)`, and the inputs of each time that it was asked."""
    seen: list[int] = []
    made = question(0.5, 0.5)

    def draw(rng: Any) -> Inputs:
        seen.append(rng.randrange(10**9))
        return Inputs({"number": seen[-1]})

    object.__setattr__(made, "draw", draw)
    for module in ("core.scoring", "frontends.notebook"):
        monkeypatch.setattr(f"litcourse.{module}.find_question", lambda *_: made)
    return CheckedQuestion("lab1_mnist", "wrap"), seen


def test_the_probe_runs_once_for_all_criteria(asked: tuple[CheckedQuestion, list[int]]) -> None:
    one, seen = asked
    one.earn("b", {"x": 1})
    with pytest.raises(NotEarnedError):
        one.earn("a", {"x": 1})
    assert len(seen) == 1


def test_each_run_draws_anew(asked: tuple[CheckedQuestion, list[int]]) -> None:
    one, seen = asked
    one.earn("b", {"x": 1})
    CheckedQuestion("lab1_mnist", "wrap").earn("b", {"x": 1})
    assert len(set(seen)) == 2


def test_a_failure_says_what_to_mend(asked: tuple[CheckedQuestion, list[int]]) -> None:
    with pytest.raises(NotEarnedError) as error:
        asked[0].earn("a", {"x": 1})
    text = str(error.value)
    for part in ("Not solved yet (LIT900)", "f(x)", "expected", "there", "to do", "Replace"):
        assert part in text
    assert otter.SEED_BITS >= 64


def test_a_criterion_that_nobody_looked_at_fails_and_says_so() -> None:
    made = CheckedQuestion("lab1_mnist", "wrap")
    made._verdict = Verdict("lab1_mnist", "wrap", question(0.5, 0.3, 0.2), (
        Finding("LIT900", ("a",)), NotLookedAt(("b",), "this torch lacks it", by_machine=True),
    ))  # fmt: skip
    with pytest.raises(NotEarnedError, match="a reason of this machine: this torch lacks it"):
        made.earn("b", {})
    with pytest.raises(NotEarnedError, match="Not looked at: it waits for LIT900"):
        made.earn("c", {})


# --- submissions, and what otter says of them -----------------------------------------------


def points(otter: Run, bundle: Path, notebook: NotebookNode, folder: Path) -> dict[str, float]:
    """Run `otter run` on `notebook`; points by question."""
    folder.mkdir()
    nbformat.write(notebook, folder / "submission.ipynb")
    done = otter(folder, "otter", "run", "-a", str(bundle), "-o", ".", "submission.ipynb")
    assert done.returncode == 0, done.stdout + done.stderr
    tests = json.loads((folder / "results.json").read_text())["tests"]
    return {test["name"]: test["score"] for test in tests if "score" in test}


def submission(lab: Lab, released: Path, solved: set[str], *edits: Edit) -> NotebookNode:
    """The released notebook with the solutions of `solved`, then changed by `edits`."""
    notebook: NotebookNode = copy.deepcopy(nbformat.read(released, as_version=4))
    for cell in notebook.cells:
        if grade_id(cell) in solved:
            cell.source = without_markers(lab.questions[grade_id(cell)].solution)
    for edit in edits:
        notebook = edit(notebook)
    return notebook


def without(name: str) -> Edit:
    def edit(notebook: NotebookNode) -> NotebookNode:
        notebook.cells = [cell for cell in notebook.cells if grade_id(cell) != name]
        return notebook

    return edit


def followed_by(name: str, code: str) -> Edit:
    def edit(notebook: NotebookNode) -> NotebookNode:
        place = [grade_id(cell) for cell in notebook.cells].index(name) + 1
        notebook.cells.insert(place, nbformat.v4.new_code_cell(code))
        return notebook

    return edit


def replaced(name: str, old: str, new: str) -> Edit:
    def edit(notebook: NotebookNode) -> NotebookNode:
        for cell in notebook.cells:
            if grade_id(cell) == name:
                assert old in cell.source
                cell.source = cell.source.replace(old, new)
        return notebook

    return edit


def test_two_bundles_are_the_same_bytes(lab: Lab, tmp_path: Path) -> None:
    first, second = build_bundle(lab, tmp_path / "a"), build_bundle(lab, tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


# --- the course's own lab ------------------------------------------------------------------


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A copy of the course, built."""
    root = Path(__file__).resolve().parents[3]
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(root / "source", folder / "source")
    shutil.copy(root / "nbgrader_config.py", folder)
    copied = Course(folder)
    build(copied)
    return copied


FULL = {name: points_of("lab1_mnist", name) for name in questions("lab1_mnist")}
ALL = set(FULL)
SUBMISSIONS: dict[str, tuple[set[str], tuple[Edit, ...], dict[str, float]]] = {
    "solved": (ALL, (), {}),
    "unsolved": (set(), (), dict.fromkeys(FULL, 0.0)),
    "mixed": (
        ALL - {"fit"},
        (
            # One criterion of wrap is lost, and evaluate, which builds on wrap, loses nothing.
            replaced("wrap", 'self.log("train_loss", loss)', "pass"),
            # Without its check cell a question is asked at the end.
            without("timer" + CHECK),
            # Evidence was taken where the check cell stands.
            followed_by("datamodule" + CHECK, "del MNISTDataModule"),
            # An error in a cell of the student's own stops nothing.
            followed_by("evaluate", "1 / 0"),
        ),
        {"fit": 0.0},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBMISSIONS)
def test_otter_gives_the_points(course: Course, tmp_path: Path, run_in: Run, name: str) -> None:
    lab, (solved, edits, differing) = course.lab("lab1_mnist"), SUBMISSIONS[name]
    released = course.root / "release/lab1_mnist/lab1_mnist.ipynb"
    notebook = submission(lab, released, solved, *edits)
    bundle = course.root / "dist/otter/lab1_mnist.zip"
    seen = points(run_in, bundle, notebook, tmp_path / "run")
    expected: dict[str, float] = FULL | differing
    if name == "mixed":
        expected["wrap"] = points_of("lab1_mnist", "wrap", "log")
    assert seen == pytest.approx(expected)
