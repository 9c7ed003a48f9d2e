"""`autograder new`: three places, valid from the start, and none is overwritten."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from subprocess import CompletedProcess

import lightning  # noqa: F401, ICN001  sets environment variables when it is first imported
import nbformat
import pytest
import torchmetrics  # noqa: F401  as above

from autograder import bank
from autograder.building.build import build
from autograder.building.scaffold import free_codes, kinds, next_steps, scaffold
from autograder.course import AuthorError, Course
from autograder.verifying import verify
from litcourse.core.names import UnknownNameError
from litcourse.core.registry import find_question
from litcourse.core.scoring import grade
from litcourse.feedback.catalogue import catalogue

Run = Callable[..., CompletedProcess[str]]
KINDS = ("function", "class", "callback", "file")


@pytest.fixture
def of_every_kind(tiny: Course) -> Course:
    """A lab with a question of each kind."""
    for kind in KINDS:
        scaffold(tiny, "lab0_tiny_kinds", f"accumulation_{kind}", kind=kind)
    return tiny


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


def test_a_question_comes_behind_another(tiny: Course) -> None:
    scaffold(tiny, "lab0_tiny", "add_three")
    scaffold(tiny, "lab0_tiny", "add_two", after="add_one")
    lab = tiny.lab("lab0_tiny")
    assert list(lab.questions) == ["add_one", "add_two", "add_three"]
    ids = [cell.id for cell in lab.notebook.cells]
    place = ids.index("add_one-check")
    assert ids[place + 1 : place + 4] == ["add_two-task", "add_two", "add_two-check"]
    build(tiny)
    headings = [c.source.splitlines()[0] for c in lab.notebook.cells if c.id.endswith("-task")]
    assert headings == [
        "## Question 1 · `add_one`: add one",
        "## Question 2 · `add_two`: add two",
        "## Question 3 · `add_three`: add three",
    ]


@pytest.mark.parametrize(
    ("lab", "options", "told"),
    [
        (
            "lab0_tiny",
            {"after": "ad_one"},
            "lab0_tiny has no question 'ad_one'. Nearest first: add_",
        ),
        (
            "lab0_tinny",
            {"after": "add_one"},
            "lab0_tinny has no question 'add_one'. Nearest first: n",
        ),
        ("lab0_tiny", {"kind": "clas"}, "no kind of question 'clas'. Nearest first: class, "),
    ],
)
def test_an_unknown_name_is_answered_and_nothing_written(
    tiny: Course, lab: str, options: dict[str, str], told: str
) -> None:
    with pytest.raises(UnknownNameError) as error:
        scaffold(tiny, lab, "add_two", **options)
    assert told in str(error.value)
    assert not list(tiny.root.rglob("add_two*"))
    assert list(tiny.lab("lab0_tiny").questions) == ["add_one"]


# --- kinds ---------------------------------------------------------------------------------


def test_kinds_are_those_that_the_command_names() -> None:
    assert tuple(kinds()) == KINDS


def test_questions_of_every_kind_compile(of_every_kind: Course) -> None:
    name = "lab0_tiny_kinds"
    released = build(of_every_kind, [name]).release / f"{name}/{name}.ipynb"
    cells = nbformat.read(released, as_version=4).cells
    stubs = [cell.source for cell in cells if "raise NotImplementedError" in cell.source]
    starts = (
        "def ",
        "import lightning as L\nimport torch\n",
        "import lightning as L\n\n",
        "%%writefile ",
    )
    assert [stub.startswith(start) for stub, start in zip(stubs, starts, strict=True)] == [True] * 4


def test_a_file_is_what_its_question_asks_for(tiny: Course) -> None:
    scaffold(tiny, "lab0_tiny", "train_it", kind="file")
    question = find_question("lab0_tiny", "train_it")
    assert (question.defines, question.files) == ((), ("train_it.py",))


def test_nothing_is_wrong_with_what_it_writes_but_that_the_judge_is_not_written(
    of_every_kind: Course,
) -> None:
    for lab in of_every_kind.labs.values():
        if lab.id.startswith("lab0"):
            verify.look_ahead(lab)


@pytest.mark.slow
@pytest.mark.usefixtures("torch_threads")
def test_verify_fails_until_somebody_has_written_the_judge(
    of_every_kind: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = of_every_kind.lab("lab0_tiny_kinds")
    assert verify.run(of_every_kind, [lab], json=True, jobs=2) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["false_passes"], found["misnamed"]) == ([], [])
    failed = [name.split("/")[1] for name in found["false_fails"]]
    # The solution and two unusual answers, those of a file also as fresh programs.
    assert [failed.count(name) for name in lab.questions] == [3, 3, 3, 4]
    assert all("not written yet" in text for text in found["details"].values())


@pytest.mark.slow
def test_what_it_writes_passes_mypy(of_every_kind: Course, root: Path, run_in: Run) -> None:
    modules = of_every_kind.root.glob("litcourse/labs/lab0_tiny_kinds/[a-z]*.py")
    config = ["--config-file", str(root / "pyproject.toml")]
    done = run_in(root, sys.executable, "-m", "mypy", *config, *map(str, modules))
    assert done.returncode == 0, done.stdout


# --- what is next --------------------------------------------------------------------------


def test_the_next_steps_name_what_is_there(root: Path) -> None:
    text = next_steps("lab1_mnist", "wrap")
    files = re.findall(r"^  \d\. ([\w/]+\.\w+)", text, re.MULTILINE)
    assert len(files) == 6
    assert all((root / file).is_file() for file in files), files
    assert text.endswith("  7. make release\n  8. make verify LAB=lab1_mnist Q=wrap\n")


@pytest.mark.parametrize(
    ("lab", "before"),
    [("lab1_mnist", "LIT"), ("lab3_ddp", "LIT3"), ("lab8_not_there", "LIT8"), ("extra", "LIT91")],
)
def test_a_question_has_a_hundred_codes_of_its_own(lab: str, before: str) -> None:
    """The first one that no code has, whichever questions there are."""
    first, last = free_codes(lab).split(" to ")
    used = {code[:-2] for code in catalogue()}
    hundred = first.removesuffix("00")
    assert (first, last) == (f"{hundred}00", f"{hundred}99")
    assert hundred.startswith(before)
    assert hundred not in used
    earlier = range(1, int(hundred[-1]))
    assert all(f"{hundred[:-1]}{number}" in used for number in earlier)


# --- as a whole ----------------------------------------------------------------------------


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
    assert ["1 + number" in answer for answer in answers] == [True, False, False]


def test_what_it_writes_passes_our_own_rules(
    of_every_kind: Course, root: Path, run_in: Run
) -> None:
    rules = ["--config", str(root / "pyproject.toml"), "--config", f"src = ['{root}']"]
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, *rules]
        done = run_in(of_every_kind.root, *ruff, "litcourse/labs")
        assert done.returncode == 0, done.stdout
    banks = run_in(of_every_kind.root, *ruff, "autograder/bank")  # in good format as well
    assert banks.returncode == 0, banks.stdout


def test_what_exists_is_named_and_kept(tiny: Course) -> None:
    (tiny.root / "autograder/bank/lab0_tiny/add_one.py").unlink()
    with pytest.raises(AuthorError) as error:
        scaffold(tiny, "lab0_tiny", "add_one")
    assert "litcourse/labs/lab0_tiny/add_one.py" in str(error.value)
    assert "cell 'add_one-check'" in str(error.value)
    assert "bank" not in str(error.value)
    assert not (tiny.root / "autograder/bank/lab0_tiny/add_one.py").exists()


def test_a_question_that_is_a_folder_exists_too(tiny: Course) -> None:
    folder = tiny.root / "litcourse/labs/lab0_tiny/add_two"
    folder.mkdir()
    with pytest.raises(AuthorError, match=f"it exists already: {folder}"):
        scaffold(tiny, "lab0_tiny", "add_two")


@pytest.mark.parametrize("name", ["Add", "1st", "add-one", "class", "", "../up"])
def test_a_name_that_is_no_identifier_is_refused(tiny: Course, name: str) -> None:
    with pytest.raises(AuthorError, match="lower-case"):
        scaffold(tiny, "lab0_tiny", name)


def test_it_wants_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with pytest.raises(AuthorError, match="checkout"):
        scaffold(Course(tmp_path), "lab9_new", "first")


def test_a_class_gets_the_name_that_was_given(tiny: Course) -> None:
    scaffold(tiny, "lab0_tiny", "add_two", kind="callback", name="AddTwo2")
    for path in ("source/lab0_tiny/lab0_tiny.ipynb", "litcourse/labs/lab0_tiny/add_two.py"):
        assert "AddTwo2" in (tiny.root / path).read_text(encoding="utf-8")
    build(tiny)


@pytest.mark.parametrize("name", ["2Add", "Add Two", "class"])
def test_what_can_not_name_a_class_is_refused(tiny: Course, name: str) -> None:
    with pytest.raises(AuthorError, match=r"can't name a class\n.*such as ConfusionMatrix"):
        scaffold(tiny, "lab0_tiny", "add_two", kind="class", name=name)
