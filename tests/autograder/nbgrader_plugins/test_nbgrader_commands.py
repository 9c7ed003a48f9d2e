"""A lab's whole way through nbgrader, by the commands that instructors and students type."""

import csv
import getpass
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from autograder.bank import without_markers
from autograder.course import Course, grade_id, is_demo
from autograder.demo.made_up_students import copy_course, fill_notebook, nbgrader
from tests.course import points_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
LAB = "lab1_mnist"
USER = getpass.getuser()


@dataclass(frozen=True)
class Way:
    """Where everything lies, and what `nbgrader validate` said of the stub and of the solution."""

    root: Path
    home: Path
    stub: str
    solved: str


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Way:
    """A course of one question, its exchange and a student's home, after all commands."""
    origin, folder = Course(ROOT), tmp_path_factory.mktemp("way")
    for name in ("course", "home", "exchange", "cache"):
        (folder / name).mkdir()
    (folder / "exchange").chmod(0o777)
    course = copy_course(origin, folder / "course", origin.lab(LAB), ("wrap",))
    exchange = (f"--Exchange.root={folder / 'exchange'}", f"--Exchange.cache={folder / 'cache'}")
    _do(course.root, "generate_assignment", LAB)
    _do(course.root, "release_assignment", LAB, *exchange)
    home = folder / "home"
    _do(home, "fetch_assignment", LAB, "--course=litcourse", *exchange)
    notebook = home / LAB / f"{LAB}.ipynb"
    stub, solved = _answer(course, notebook)
    _do(home, "submit", LAB, "--course=litcourse", *exchange)
    _do(course.root, "collect", LAB, *exchange)
    _do(course.root, "autograde", LAB)
    _do(course.root, "generate_feedback", LAB)
    _do(course.root, "export")
    return Way(course.root, home, stub, solved)


def _do(folder: Path, *arguments: str) -> str:
    done = nbgrader(folder, *arguments)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-4000:]
    return text


def _answer(course: Course, path: Path) -> tuple[str, str]:
    """Validate the notebook unsolved, and again solved, as it then stays there."""
    found = nbformat.read(path, as_version=4)
    lab = course.lab(LAB)
    solution = {name: without_markers(cells.solution) for name, cells in lab.questions.items()}
    texts = []
    for notebook in (found, fill_notebook(found, solution)):
        notebook.cells = [cell for cell in notebook.cells if not is_demo(cell)]
        nbformat.write(notebook, path)
        texts.append(_do(path.parent, "validate", path.name, "--Execute.timeout=120"))
    return texts[0], texts[1]


def test_validate_names_the_finding_of_a_stub(way: Way) -> None:
    assert "LIT900" in way.stub
    assert "VALIDATION FAILED" in way.stub.upper() or "FAILED" in way.stub.upper()


def test_validate_passes_the_solution(way: Way) -> None:
    assert "Success! Your notebook passes all the tests." in way.solved


def test_export_has_the_points(way: Way) -> None:
    with (way.root / "grades.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    most = points_of(LAB, "wrap")
    assert (row["student_id"], float(row["score"]), float(row["max_score"])) == (USER, most, most)


def test_feedback_shows_the_card_and_nothing_hidden(way: Way) -> None:
    text = (way.root / "feedback" / USER / LAB / f"{LAB}.html").read_text(encoding="utf-8")
    assert "litcourse-card" in text
    assert "All of it is right." in text
    assert "BEGIN SOLUTION" not in text
    assert not re.search(r"kernel_entry|write_evidence|inputs\b.*evidence\b.*globals", text)


def test_the_released_notebook_is_the_fetched_one(way: Way) -> None:
    released = nbformat.read(way.root / "release" / LAB / f"{LAB}.ipynb", as_version=4)
    names = [grade_id(cell) for cell in released.cells if grade_id(cell) and not is_demo(cell)]
    assert names == ["setup", "wrap", "wrap-check"]
    assert "raise NotImplementedError()" in str(released.cells)
