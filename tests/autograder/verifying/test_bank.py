"""The banks of all labs: enough answers, each applicable, and each finding expected by one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from autograder.bank import Case, load, right, without_markers, wrong
from autograder.course import AuthorError, Course, Lab
from autograder.stubs import is_foreign
from litcourse.feedback.catalogue import catalogue

ROOT = Path(__file__).resolve().parents[3]
LABS = Course(ROOT).labs
LAB_OF = {question_id: lab for lab in LABS.values() for question_id in lab.questions}
"""No two labs have a question of the same id."""
BANK = {name: cases for lab in LABS.values() for name, cases in load(lab).items()}
ALL = [(question_id, case) for question_id, cases in BANK.items() for case in cases]
NAMES = [f"{question_id}: {case.id}" for question_id, case in ALL]
BROKEN = "does not compile"
"""An answer of that name is a file with a syntax error, on purpose."""
NEVER: dict[str, str] = {
    "LIT2122": "comes second to LIT2117: the schedule moves momentum",
    "LIT2236": "comes second to LIT320: an empty loader has the wrong size",
}
"""Findings that no answer of a bank triggers, each with the reason."""
BY_OTHERS = {
    "LIT900": "the stub of every question, which `verify` adds by itself",
    "LIT903": "forged evidence: tests/litcourse/labs",
    "LIT915": "a file that was not written: tests/autograder/verifying/test_solutions.py",
    **{
        f"LIT{n}": "what grading finds: tests/autograder"
        for n in (*range(905, 915), *range(950, 953))
    },
    **{f"LIT{n}": "what grading finds: tests/autograder" for n in range(916, 920)},
    **{f"LIT{n}": "what ranks do: tests/litcourse/ranks" for n in (931, 933, 934, 935)},
    **{f"LIT{n}": "limits of the sandbox: tests/attacks" for n in range(920, 928)},
}


def solution(question_id: str) -> str:
    return LAB_OF[question_id].questions[question_id].solution


def program(answer: str) -> str:
    """The Python of an answer, without the magic that writes it into a file."""
    head, _, rest = answer.partition("\n")
    return rest if head.startswith("%%") else answer


def test_ids_of_questions_are_unique_in_the_course() -> None:
    assert len(LAB_OF) == sum(len(lab.questions) for lab in LABS.values())


@pytest.mark.parametrize("question_id", BANK)
def test_every_question_has_enough_answers(question_id: str) -> None:
    cases = BANK[question_id]
    own = [case for case in cases if not case.after]
    assert solution(question_id)
    assert sum(case.right for case in own) >= 2
    assert sum(not case.right for case in own) >= 6


@pytest.mark.parametrize("question_id", BANK)
def test_names_are_unique_and_none_is_reserved(question_id: str) -> None:
    names = [case.id for case in BANK[question_id]]
    assert len(names) == len(set(names))
    assert not {"solution", "stub"} & set(names)
    assert all(name.strip() == name and name and "/" not in name for name in names)


@pytest.mark.parametrize(("question_id", "case"), ALL, ids=NAMES)
def test_every_edit_applies_and_gives_python(question_id: str, case: Case) -> None:
    answer = case.answer(solution(question_id))
    if case.id != BROKEN and not is_foreign(answer):
        ast.parse(program(answer))
    assert "SOLUTION" not in answer
    assert not (case.edits and case.code)
    changed = answer != without_markers(solution(question_id))
    assert changed is bool(case.edits or case.code)
    assert changed or case.after


@pytest.mark.parametrize("question_id", BANK)
def test_no_two_answers_are_the_same(question_id: str) -> None:
    answers: dict[tuple[str, object], str] = {}
    for case in BANK[question_id]:
        key = case.answer(solution(question_id)), case.after
        assert key not in answers, f"{case.id} is {answers[key]} again"
        answers[key] = case.id


@pytest.mark.parametrize(("question_id", "case"), ALL, ids=NAMES)
def test_answers_to_earlier_questions_exist(question_id: str, case: Case) -> None:
    order = list(BANK)
    for earlier, name in case.after:
        assert order.index(earlier) < order.index(question_id)
        assert LAB_OF[earlier] is LAB_OF[question_id]
        assert name in {"stub", *(other.id for other in BANK[earlier])}


def test_every_finding_that_is_expected_is_in_the_catalogue() -> None:
    assert not {case.expects for _, case in ALL if not case.right} - set(catalogue())


def test_every_finding_is_expected_by_an_answer() -> None:
    expected = {case.expects for _, case in ALL}
    assert set(catalogue()) - expected - set(NEVER) - set(BY_OTHERS) == set()
    assert not expected & set(NEVER), "take it out of NEVER: an answer triggers it now"


# --- docs/mistakes.md -----------------------------------------------------------------------

ANSWERS = re.compile(r"((?:`\w+`(?: and )?)+): ([^;|]+)")
PAGE = (ROOT / "docs/mistakes.md").read_text(encoding="utf-8")


def answers_named() -> list[tuple[str, str]]:
    """Pairs of question and names of answers, as the last columns of the tables have them."""
    cells = [line.split("|")[3] for line in PAGE.splitlines() if line.startswith("|")]
    cells = [cell for cell in cells if not cell.startswith(" lab ")]  # of labs to come
    found = [match for cell in cells for match in ANSWERS.findall(cell.replace("\\", ""))]
    return [(name, text) for names, text in found for name in re.findall(r"`(\w+)`", names)]


def test_the_page_of_mistakes_names_answers_that_exist() -> None:
    for question_id, text in answers_named():
        rest = re.sub(r"\([^)]*\)", "", text)
        for name in sorted((case.id for case in BANK[question_id]), key=len, reverse=True):
            rest = rest.replace(name, "")
        assert not rest.strip(" ,"), f"{question_id} has no answer {rest.strip(' ,')!r}"
    assert len(answers_named()) > 50


def test_the_page_of_mistakes_names_findings_that_exist() -> None:
    named = set(re.findall(r"LIT\d{3,4}", PAGE))
    assert named
    assert not named - set(catalogue())


def test_every_row_has_a_finding_or_says_which_lab() -> None:
    rows = [line.split("|")[2:4] for line in PAGE.splitlines() if line.startswith("| ")]
    for finding, answers in rows:
        if finding.strip() == "later":
            assert re.search(r"lab [2-5], `\w+`", answers)
        elif finding.strip() != "finding":
            assert finding.strip().startswith(("LIT", "none"))


# --- cases themselves ------------------------------------------------------------------------


def test_a_case_is_right_unless_it_expects_a_finding() -> None:
    assert right("a", ("x", "y")).right
    assert not wrong("a", "LIT901", ("x", "y")).right


def test_edits_apply_in_order_and_once_each() -> None:
    source = "def f():\n    ### BEGIN SOLUTION\n    a = 1\n    b = 1\n    ### END SOLUTION\n"
    case = wrong("a", "LIT901", ("= 1", "= 2"), ("= 2", "= 3"))
    assert case.answer(source) == "def f():\n    a = 3\n    b = 1\n"


def test_an_edit_that_does_not_apply_says_which() -> None:
    with pytest.raises(ValueError, match=r"case 'typo': the solution has no 'c = 1'"):
        wrong("typo", "LIT901", ("c = 1", "")).answer("a = 1\n")


def test_whole_answers_are_dedented() -> None:
    assert right("a", code="\n        def f():\n            pass\n").answer("") == (
        "def f():\n    pass\n"
    )


def test_a_question_without_a_bank_is_an_authors_error(tiny: Course, lab: Lab) -> None:
    (tiny.root / "autograder/bank/lab0_tiny/add_one.py").unlink()
    with pytest.raises(AuthorError, match="it has no bank") as error:
        load(lab)
    assert error.value.file == "autograder/bank/lab0_tiny/add_one.py"


def test_a_bank_without_cases_is_an_authors_error(tiny: Course, lab: Lab) -> None:
    (tiny.root / "autograder/bank/lab0_tiny/add_one.py").write_text("CASES = []\n")
    with pytest.raises(AuthorError, match="its list CASES is empty"):
        load(lab)
