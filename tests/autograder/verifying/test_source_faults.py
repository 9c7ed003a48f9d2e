"""What is wrong with a question's own findings: seen in its source, else at the first verdict.

Neither earns a student a point, in `verify` or anywhere else.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import lightning  # noqa: F401, ICN001  sets environment variables when it is first imported
import pytest
import torchmetrics  # noqa: F401  as above

from autograder.course import AuthorError, Course
from autograder.engine import judge_server
from autograder.verifying import verify
from autograder.verifying.verify import look_ahead
from litcourse.core.serialization import encode
from litcourse.feedback.rendering import Report, as_html, as_text
from litcourse.frontends.notebook import PUBLIC_SEED, check_question
from litcourse.frontends.otter import finding_text

pytestmark = pytest.mark.usefixtures("torch_threads")
MODULE = "litcourse/labs/lab0_tiny/add_one.py"
LAST = '    return [Finding("LIT900", every, CALLED, "a written judge", got)]\n'
AGAIN = ", then: make verify LAB=lab0_tiny Q=add_one"
BANK = """
from autograder.bank import right, wrong
CASES = [
    right("swapped", ("number + 1", "1 + number")),
    wrong("two more", "LIT900", ("+ 1", "+ 2")),
]
"""


def rewrite(course: Course, old: str, new: str) -> None:
    (course.root / "autograder/bank/lab0_tiny/add_one.py").write_text(BANK)
    path = course.root / MODULE
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def line_of(course: Course, part: str) -> int:
    lines = (course.root / MODULE).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if part in line)


def told(raised: pytest.ExceptionInfo[AuthorError], file: str = MODULE) -> str:
    """The error's text; it names file, question and next command."""
    head, _, step = str(raised.value).partition("\n  Next: ")
    assert head.startswith(f"{file}, question 'add_one': ")
    assert step
    return str(raised.value)


SEEN = {
    "a misspelt criterion": (
        'Finding("LIT900", ("al",), got)',
        "the finding LIT900 names a criterion 'al', which the question lacks. Nearest first: all",
    ),
    "no criterion": ('Finding("LIT900", ())', "the finding LIT900 names no criterion of all"),
    "no criterion, by name": (
        'Finding(criteria=(), code="LIT900")',
        "the finding LIT900 names no criterion of all",
    ),
    "text in place of a tuple": (
        'Finding("LIT900", "all", got)',
        "the finding LIT900 has the criteria 'all', which is no tuple such as ('all',)",
    ),
    "an unknown code": (
        'Finding("LIT9O0", every)',
        "the catalogue has no finding 'LIT9O0'. Nearest first: LIT900, ",
    ),
    "an unknown code in a table": (
        'Finding({"a": "LIT900", "b": "LIT99999"}["b"], every)',
        "the catalogue has no finding 'LIT99999'. Nearest first: ",
    ),
}


@pytest.mark.parametrize(("finding", "fault"), SEEN.values(), ids=SEEN)
def test_what_the_source_shows_is_told_before_anything_runs(
    tiny: Course, finding: str, fault: str
) -> None:
    rewrite(tiny, LAST, f"    return [{finding}]\n")
    with pytest.raises(AuthorError) as raised:
        look_ahead(tiny.lab("lab0_tiny"))
    text = told(raised)
    assert f": line {line_of(tiny, finding)}: {fault}" in text
    assert text.endswith(AGAIN)


def test_a_constant_is_looked_up(tiny: Course) -> None:
    rewrite(tiny, LAST, '    return [Finding("LIT900", COST)]\n\n\nCOST = ("all", "most")\n')
    with pytest.raises(AuthorError, match="names a criterion 'most'"):
        look_ahead(tiny.lab("lab0_tiny"))


def test_two_criteria_of_one_id(tiny: Course) -> None:
    one = 'Criterion("all", "does what the task asks", 1.0),'
    rewrite(tiny, one, 2 * one.replace("1.0", "0.5"))
    with pytest.raises(AuthorError) as raised:
        look_ahead(tiny.lab("lab0_tiny"))
    assert "two criteria have the id 'all'" in told(raised)


def test_a_question_that_is_no_python(tiny: Course) -> None:
    rewrite(tiny, LAST, "    return [\n")
    with pytest.raises(AuthorError, match="it can't be read: ") as raised:
        look_ahead(tiny.lab("lab0_tiny"))
    told(raised)


def test_a_helper_that_questions_share(tiny: Course) -> None:
    rewrite(tiny, LAST, LAST)
    (tiny.root / "litcourse/labs/lab0_tiny/_helper.py").write_text('CODE = "LIT99999"\n')
    with pytest.raises(AuthorError, match="no finding 'LIT99999'") as raised:
        look_ahead(tiny.lab("lab0_tiny"))
    assert raised.value.file == "litcourse/labs/lab0_tiny/_helper.py"


def test_the_parts_of_a_folder_are_seen(tiny: Course) -> None:
    rewrite(tiny, LAST, LAST)
    path = tiny.root / MODULE
    folder = path.with_suffix("")
    folder.mkdir()
    path.rename(folder / "__init__.py")
    (folder / "_part.py").write_text('FOUND = Finding("LIT900", ("most",))\n')
    with pytest.raises(AuthorError, match="names a criterion 'most'") as raised:
        look_ahead(tiny.lab("lab0_tiny"))
    assert raised.value.file == "litcourse/labs/lab0_tiny/add_one/_part.py"
    assert "as litcourse/labs/lab0_tiny/add_one/__init__.py lists them" in str(raised.value)


# --- what is computed ------------------------------------------------------------------------

COMPUTED = {
    "a misspelt criterion": (
        'Finding("LIT900", tuple(["al"]))',
        "the finding LIT900 names a criterion 'al', which the question lacks. Nearest first: all",
    ),
    "no criterion": (
        'Finding("LIT900", every[1:])',
        "the finding LIT900 names no criterion of all",
    ),
    "an unknown code": (
        'Finding("LIT" + str(99999), every)',
        "the catalogue has no finding 'LIT99999'. Nearest first: ",
    ),
    "an exception": ("every[3]", "its judge raises IndexError: tuple index out of range (add_one"),
}


@pytest.mark.parametrize(("finding", "fault"), COMPUTED.values(), ids=COMPUTED)
def test_what_a_judge_computes_is_told_with_its_case(
    tiny: Course, finding: str, fault: str
) -> None:
    rewrite(tiny, LAST, f"    return [{finding}]\n")
    with pytest.raises(AuthorError) as raised:
        verify.run(tiny, [tiny.lab("lab0_tiny")], jobs=1)
    text = told(raised)
    assert f": on case 'two more', seed 0: {fault}" in text
    assert text.endswith(AGAIN)


def test_a_draw_that_fails(tiny: Course) -> None:
    rewrite(tiny, "rng.randrange(10**9)", "rng.randrange(0)")
    with pytest.raises(AuthorError, match=r"its draw fails: ValueError: .*\(random.py") as raised:
        verify.run(tiny, [tiny.lab("lab0_tiny")], jobs=1)
    assert told(raised).endswith(AGAIN)


def test_shares_that_do_not_sum_to_one(tiny: Course) -> None:
    rewrite(tiny, '"does what the task asks", 1.0', '"does what the task asks", 0.9')
    with pytest.raises(AuthorError, match="can't be imported: ValueError: The shares of") as raised:
        verify.run(tiny, [tiny.lab("lab0_tiny")], jobs=1)
    assert told(raised).endswith(f"mend {MODULE}")


# --- such a finding elsewhere ------------------------------------------------------------------


def two_more(number: int) -> int:
    return number + 2


@pytest.mark.parametrize("criteria", ['tuple(["al"])', "every[1:]"])
def test_a_student_gets_no_points_and_no_traceback(tiny: Course, criteria: str) -> None:
    rewrite(tiny, LAST, f'    return [Finding("LIT900", {criteria})]\n')
    verdict = check_question("lab0_tiny", "add_one", {"add_one": two_more}, Random(PUBLIC_SEED))
    assert (verdict.score, verdict.passed) == (0, False)
    assert verdict.findings[0].code == "LIT903"
    card = " ".join(repr(Report(verdict)).split())
    assert "a fault of the course, not of your code: the finding LIT900 names" in card


def test_a_grader_gives_no_points_and_is_told(tiny: Course) -> None:
    rewrite(tiny, LAST, '    return [Finding("LIT900", every[1:])]\n')
    question = tiny.lab("lab0_tiny").find_question("add_one")
    evidence = encode({"value": 0})
    verdict, broke = judge_server.judge("lab0_tiny", "add_one", question.draw(Random(0)), evidence)
    assert (verdict.score, verdict.findings[0].code) == (0, "LIT903")
    assert "JudgeError: the finding LIT900 names no criterion of all" in broke


def test_a_code_without_an_entry_costs_points_and_no_card(tiny: Course) -> None:
    rewrite(tiny, LAST, '    return [Finding("LIT" + str(99999), every)]\n')
    verdict = check_question("lab0_tiny", "add_one", {"add_one": two_more}, Random(PUBLIC_SEED))
    assert verdict.score == 0
    for shown in (as_text(verdict), as_html(verdict), finding_text(verdict.findings[0])):
        assert "A finding without a text" in shown
        assert "LIT99999" in shown


# --- the notebook ---------------------------------------------------------------------------


def _cells(course: Course, change: str) -> Path:
    path = course.lab("lab0_tiny").path
    notebook = json.loads(path.read_text(encoding="utf-8"))
    checks = [c for c in notebook["cells"] if c["id"] == "add_one-check"]
    if change == "twice":
        notebook["cells"].append({**checks[0], "id": "again"})
    else:
        del checks[0]["metadata"]["nbgrader"]["points"]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("twice", "two cells have the grade_id 'add_one-check'"),
        ("no points", "the check cell 'add_one-check' has no points"),
    ],
)
def test_a_cell_that_is_no_check(tiny: Course, change: str, fault: str) -> None:
    path = _cells(tiny, change)
    with pytest.raises(AuthorError, match=fault) as raised:
        look_ahead(tiny.lab("lab0_tiny"))
    told(raised, str(path))
