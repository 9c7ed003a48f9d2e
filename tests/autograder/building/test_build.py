"""`autograder build`: what it makes, that it makes the same again, and what it refuses."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.building.build import build, find_stale
from autograder.course import AuthorError, Course
from litcourse.core.names import UnknownNameError
from tests.autograder.building.courses import NOTEBOOK, Edit, edit, files

Run = Callable[..., CompletedProcess[str]]


def refusal(course: Course) -> str:
    with pytest.raises(AuthorError) as error:
        build(course)
    assert not (course.root / "release").exists(), "a refused build must publish nothing"
    assert not (course.root / "dist").exists()
    return str(error.value)


# --- what it makes -------------------------------------------------------------------------


def test_release_holds_all_that_a_student_needs(tiny: Course) -> None:
    built = build(tiny)
    made = files(built.release)
    (wheel,) = [name for name in made if name.endswith(".whl")]
    (lab,) = [name for name in made if name.endswith(".ipynb")]
    assert set(made) == {
        "README.md", "AGENTS.md", "nbgrader_config.py", "requirements.txt", "SHA256SUMS", wheel, lab
    }  # fmt: skip
    assert lab == "lab0_tiny/lab0_tiny.ipynb"
    assert f"./{wheel}".encode() in made["requirements.txt"]
    page = made["README.md"].decode()
    assert wheel in page
    assert "check.add_one()" in page
    assert "$" not in page.replace("$HOME", ""), "a placeholder was left"


def test_the_student_notebook_asks_and_does_not_answer(tiny: Course) -> None:
    text = files(build(tiny).release)["lab0_tiny/lab0_tiny.ipynb"].decode()
    assert "# YOUR CODE HERE" in text
    assert "check.add_one()" in text
    assert "number + 1" not in text


def test_two_builds_give_the_same_bytes(tiny: Course, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    build(tiny, out=first)
    build(tiny, out=second)
    assert files(first) == files(second)
    assert "dist/otter/lab0_tiny.zip" in files(first)


def test_no_file_names_the_folder_it_was_built_in(tiny: Course) -> None:
    build(tiny)
    for name, data in files(tiny.root / "release").items():
        assert str(tiny.root).encode() not in data, name


def test_a_second_build_changes_nothing(tiny: Course) -> None:
    assert build(tiny).changed
    assert build(tiny).changed == ()


def test_nbgrader_alone_gives_the_same_bytes(tiny: Course, run_in: Run) -> None:
    build(tiny)
    before = files(tiny.root / "release")
    done = run_in(tiny.root, "nbgrader", "generate_assignment", "lab0_tiny", "--force")
    assert done.returncode == 0, done.stderr
    assert "Writing" in done.stderr
    assert files(tiny.root / "release") == before


def test_a_listed_file_is_published(tiny: Course) -> None:
    (tiny.root / "source/lab0_tiny/numbers.csv").write_text("1,2\n")
    edit(tiny, lambda _, nb: nb.metadata.update(litcourse={"files": ["numbers.csv"]}))
    assert files(build(tiny).release)["lab0_tiny/numbers.csv"] == b"1,2\n"


def test_an_unknown_lab_is_answered_with_the_known_ones(tiny: Course) -> None:
    with pytest.raises(UnknownNameError, match="lab0_tiny"):
        build(tiny, ["lab0_tidy"])


def test_a_course_without_labs_says_how_to_begin(tiny: Course) -> None:
    shutil.rmtree(tiny.root / "source/lab0_tiny")
    assert "autograder new" in refusal(tiny)


# --- --check -------------------------------------------------------------------------------


def test_a_fresh_release_has_no_differences(tiny: Course) -> None:
    build(tiny)
    assert find_stale(tiny) == []


def test_a_stale_notebook_is_shown_as_a_diff(tiny: Course) -> None:
    build(tiny)
    before = files(tiny.root / "release")
    edit(tiny, lambda cells, _: cells["add_one-task"].update(source="### Another task"))
    lines = find_stale(tiny)
    assert any(line.startswith("+") and "### Another task" in line for line in lines)
    assert any(line.startswith("--- release/lab0_tiny/lab0_tiny.ipynb") for line in lines)
    assert files(tiny.root / "release") == before, "a check must write nothing"


def test_a_missing_file_is_reported(tiny: Course) -> None:
    release = build(tiny).release
    (release / "README.md").unlink()
    assert find_stale(tiny) == ["release/README.md: missing"]


# --- what it refuses -----------------------------------------------------------------------


def unlock(cells: dict[str, NotebookNode], _: NotebookNode) -> None:
    cells["add_one-check"].metadata.nbgrader.locked = False


def at_top_level(cells: dict[str, NotebookNode], _: NotebookNode) -> None:
    cells["add_one"].source = "### BEGIN SOLUTION\nadd_one = abs\n### END SOLUTION"


def another_name(cells: dict[str, NotebookNode], _: NotebookNode) -> None:
    cells["add_one"].source = cells["add_one"].source.replace("def add_one", "def add_two")


def check_first(_: dict[str, NotebookNode], notebook: NotebookNode) -> None:
    order = [cell.id for cell in notebook.cells]
    a, b = order.index("add_one"), order.index("add_one-check")
    notebook.cells[a], notebook.cells[b] = notebook.cells[b], notebook.cells[a]


def half_a_demonstration(cells: dict[str, NotebookNode], _: NotebookNode) -> None:
    cells["setup"].metadata.tags = ["demo"]


def open_demonstration(_: dict[str, NotebookNode], notebook: NotebookNode) -> None:
    tags = {"tags": ["demo", "otter_ignore"]}
    notebook.cells.append(nbformat.v4.new_code_cell("1 + 1", id="show", metadata=tags))


def without_region(cells: dict[str, NotebookNode], _: NotebookNode) -> None:
    cells["add_one"].source = "def add_one(number):\n    return number + 1"


FAULTS: dict[str, tuple[Edit, str, str]] = {
    "top level": (at_top_level, "add_one", "outside of any body"),
    "no region": (without_region, "add_one", "no solution region"),
    "another name": (another_name, "add_one", "does not define add_one"),
    "unlocked": (unlock, "add_one-check", "locked"),
    "check first": (check_first, "add_one-check", "before its solution cell"),
    "half a demonstration": (half_a_demonstration, "setup", "both tags"),
    "open demonstration": (open_demonstration, "show", "not locked"),
    "other check": (
        lambda cells, _: cells["add_one-check"].update(source="check.add_one(); 1"),
        "add_one-check", "check.add_one()",
    ),
    "no points": (
        lambda cells, _: cells["add_one-check"].metadata.nbgrader.update(points=0),
        "add_one-check", "no points",
    ),
    "no otter": (
        lambda cells, _: cells["add_one-check"].metadata.pop("otter"),
        "add_one-check", "otter",
    ),
    "does not compile": (
        lambda cells, _: cells["add_one"].update(source=cells["add_one"].source + "\n)"),
        "add_one", "does not compile",
    ),
    "nested regions": (
        lambda cells, _: cells["add_one"].update(
            source=cells["add_one"].source.replace("    return", "### BEGIN SOLUTION\n    return")
        ),
        "", "nested begin solution",
    ),
    "region left open": (
        lambda cells, _: cells["add_one"].update(
            source=cells["add_one"].source.replace("### END SOLUTION", "")
        ),
        "", "no end solution",
    ),
    "hidden test in a task": (
        lambda cells, _: cells["add_one-task"].update(source="### BEGIN HIDDEN TESTS"),
        "", "idden test",
    ),
    "kernel": (lambda _, nb: nb.metadata.kernelspec.update(name="ir"), "", "python3"),
    "old format": (lambda _, nb: nb.update(nbformat_minor=4), "", "4.4"),
    "same grade_id twice": (
        lambda cells, _: cells["setup"].metadata.nbgrader.update(grade_id="add_one"), "", "add_one",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_cell_and_a_next_step(tiny: Course, name: str) -> None:
    change, cell, fault = FAULTS[name]
    edit(tiny, change)
    message = refusal(tiny)
    assert "lab0_tiny.ipynb" in message
    assert repr(cell) in message or not cell
    assert fault in message
    assert "\n  Next: " in message


@pytest.mark.parametrize("new", ['"intro"', '""'])
def test_ids_that_nbformat_would_mend_at_random_are_refused(tiny: Course, new: str) -> None:
    path = tiny.root / NOTEBOOK
    path.write_text(path.read_text().replace('"id": "summary"', f'"id": {new}'))
    assert new.replace('"', "'") in refusal(tiny)


@pytest.mark.parametrize("name", ["answers.txt", "old.ipynb", "deep/er.csv"])
def test_a_file_that_nobody_listed_is_not_published(tiny: Course, name: str) -> None:
    beside = tiny.root / "source/lab0_tiny" / name
    beside.parent.mkdir(exist_ok=True)
    shutil.copy(tiny.root / NOTEBOOK, beside)
    assert name in refusal(tiny)


def test_a_listed_file_that_is_not_there_is_named(tiny: Course) -> None:
    edit(tiny, lambda _, nb: nb.metadata.update(litcourse={"files": ["numbers.csv"]}))
    assert "numbers.csv" in refusal(tiny)


def test_a_question_without_judge_names_the_file_to_write(tiny: Course) -> None:
    (tiny.root / "litcourse/labs/lab0_tiny/add_one.py").unlink()
    assert "litcourse/labs/lab0_tiny/add_one.py" in refusal(tiny)


def test_a_question_without_cells_is_left_out(tiny: Course) -> None:
    folder = tiny.root / "litcourse/labs/lab0_tiny"
    shutil.copy(folder / "add_one.py", folder / "add_two.py")
    built = build(tiny)
    assert "add_two" not in files(built.release)["lab0_tiny/lab0_tiny.ipynb"].decode()


# --- the course itself ---------------------------------------------------------------------


@pytest.mark.slow
def test_the_committed_release_is_fresh(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # set by a lab's first cell, which is run here
    # As in a bare clone: a wheel that somebody built here some time ago is not committed.
    shutil.copytree(root / "release", tmp_path / "release", ignore=shutil.ignore_patterns("*.whl"))
    difference = find_stale(Course(root), out=tmp_path)
    assert not difference, "\n".join([*difference[:60], "Next: make release, and commit release/"])


@pytest.mark.slow
def test_nbgrader_alone_gives_the_same_lab(root: Path, tmp_path: Path, run_in: Run) -> None:
    shutil.copytree(root / "source", tmp_path / "source")
    shutil.copy(root / "nbgrader_config.py", tmp_path)
    done = run_in(tmp_path, "nbgrader", "generate_assignment", "lab1_mnist")
    assert done.returncode == 0, done.stderr
    made, committed = files(tmp_path / "release/lab1_mnist"), files(root / "release/lab1_mnist")
    assert made == committed
