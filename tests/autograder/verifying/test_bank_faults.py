"""What is wrong with a bank is told before anything runs: file, question, fault, next step."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from autograder.building.scaffold import scaffold
from autograder.course import AuthorError, Course, Lab
from autograder.verifying.verify import look_ahead

BANK = "autograder/bank/lab0_tiny/add_one.py"
LATER = "autograder/bank/lab0_tiny/add_two.py"
NEXT = "\n  Next: "
RIGHT = 'right("swapped", ("number + 1", "1 + number")),'
WRONG = 'wrong("two more", "LIT900", ("+ 1", "+ 2")),'
LABS = Course(Path(__file__).resolve().parents[3]).labs


def write(course: Course, file: str, *cases: str) -> None:
    text = (
        "from autograder.bank import Case, right, wrong\nCASES = [\n" + "\n".join(cases) + "\n]\n"
    )
    (course.root / file).write_text(text)


def fault(course: Course, file: str = BANK, again: str = "add_one") -> str:
    """The one error that looking ahead gives; it names file, question and next command."""
    with pytest.raises(AuthorError) as raised:
        look_ahead(course.lab("lab0_tiny"))
    assert raised.value.file == file
    assert raised.value.question_id == again
    head, _, step = str(raised.value).partition(NEXT)
    assert head.startswith(f"{file}, question {again!r}: ")
    assert step
    return str(raised.value)


@pytest.mark.parametrize("lab", LABS.values(), ids=LABS)
def test_our_own_labs_have_none(lab: Lab) -> None:
    look_ahead(lab)


def test_nothing_heavy_is_imported_for_it(root: Path) -> None:
    code = """
        import sys
        from autograder.course import find_course
        from autograder.verifying.verify import look_ahead
        for lab in find_course().labs.values():
            look_ahead(lab)
        print(sorted({"torch", "lightning"} & set(sys.modules)))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


AHEAD = {
    "two cases of one id": (f"{RIGHT} {WRONG} {WRONG}", "two cases have the id 'two more'"),
    "a reserved id": (
        f'{RIGHT} {WRONG} wrong("stub", "LIT900", ("+ 1", "+ 2")),',
        "a case has the id 'stub', which verify gives to a case of its own",
    ),
    "an id with a slash": (
        f'{RIGHT} {WRONG} wrong("a/b", "LIT900", ("+ 1", "+ 2")),',
        "a case has the id 'a/b'",
    ),
    "no wrong answer": (RIGHT, "it has no wrong answer"),
    "no right answer": (WRONG, "it has no right answer"),
    "an unknown finding": (
        f'{RIGHT} wrong("w", "LIT9O0", ("+ 1", "+ 2")),',
        "case 'w' expects 'LIT9O0', which the catalogue lacks. Nearest first: LIT900, ",
    ),
    "an edit that does not fit": (
        f'{RIGHT} wrong("w", "LIT900", ("numbr", "")),',
        "case 'w': the solution has no 'numbr'",
    ),
    "edits and code": (
        f'{RIGHT} wrong("w", "LIT900", ("+ 1", "+ 2"), code="pass"),',
        "case 'w' has edits and code",
    ),
    "an edit that is no pair": (
        f'{RIGHT} wrong("w", "LIT900", "+ 1", "+ 2"),',
        "case 'w': its edits hold '+ 1', which is no pair of texts",
    ),
    "costs of a criterion that the question lacks": (
        f'{RIGHT} wrong("w", "LIT900", ("+ 1", "+ 2"), costs=("nothing",)),',
        "case 'w': its costs= names a criterion 'nothing', which the question lacks",
    ),
    "a wrong answer that is the solution": (
        f'{RIGHT} wrong("w", "LIT900"),',
        "case 'w' changes nothing: it is the solution",
    ),
}


@pytest.mark.parametrize(("cases", "told"), AHEAD.values(), ids=AHEAD)
def test_a_fault_of_a_case(tiny: Course, cases: str, told: str) -> None:
    write(tiny, BANK, cases)
    text = fault(tiny)
    assert told in text
    assert text.endswith(", then: make verify LAB=lab0_tiny Q=add_one")


AFTER = {
    "an unknown question": (
        '(("ad_one", "swapped"),)',
        "names the question 'ad_one', which the lab lacks. Nearest first: add_one",
    ),
    "the question itself": (
        '(("add_two", "swapped"),)',
        "the question 'add_two', which stands no earlier in the notebook. Nearest first: add_one",
    ),
    "an unknown case": (
        '(("add_one", "swaped"),)',
        "names 'swaped', no answer to 'add_one'. Nearest first: swapped, ",
    ),
    "a question twice": (
        '(("add_one", "stub"), ("add_one", "swapped"))',
        "names the question 'add_one' twice",
    ),
    "no pair": ('("add_one", "stub")', "its after hold 'add_one', which is no pair of texts"),
}


@pytest.mark.parametrize(("after", "told"), AFTER.values(), ids=AFTER)
def test_a_fault_of_an_earlier_answer(tiny: Course, after: str, told: str) -> None:
    scaffold(tiny, "lab0_tiny", "add_two")
    write(tiny, BANK, RIGHT, WRONG)
    write(tiny, LATER, RIGHT, WRONG, f'right("later", after={after}),')
    text = fault(tiny, LATER, "add_two")
    assert "case 'later': its after" in text
    assert told in text
    assert text.endswith("Q=add_two")


def test_an_earlier_answer_that_exists_is_none(tiny: Course) -> None:
    scaffold(tiny, "lab0_tiny", "add_two")
    write(tiny, BANK, RIGHT, WRONG)
    write(tiny, LATER, RIGHT, WRONG, 'right("later", after=(("add_one", "two more"),)),')
    look_ahead(tiny.lab("lab0_tiny"))


def test_a_missing_bank(tiny: Course) -> None:
    (tiny.root / BANK).unlink()
    assert f"it has no bank{NEXT}write {BANK} with a list CASES" in fault(tiny)


BROKEN = {
    "no Python": (
        "CASES = [\n",
        "it can't be imported: SyntaxError: '[' was never closed (add_one",
    ),
    "a missing module": (
        "import of_nobody\n",
        "be imported: ModuleNotFoundError: No module named 'of_nobody' (add_one.py, line 1)",
    ),
    "an exception": ("\n1 / 0\n", "ZeroDivisionError: division by zero (add_one.py, line 2)"),
    "no case": ("CASES = ['w']\n", "its list CASES holds 'w', which is no case"),
    "no list": ("CASES = 3\n", "its CASES is no list"),
}


@pytest.mark.parametrize(("text", "told"), BROKEN.values(), ids=BROKEN)
def test_a_bank_that_is_none(tiny: Course, text: str, told: str) -> None:
    (tiny.root / BANK).write_text(text)
    assert told in fault(tiny)


def test_a_bank_of_no_question(tiny: Course) -> None:
    write(tiny, "autograder/bank/lab0_tiny/add_on.py", RIGHT, WRONG)
    told = fault(tiny, "autograder/bank/lab0_tiny/add_on.py", "add_on")
    assert "no cell asks this question. Nearest first: add_one" in told
    assert "add the cells 'add_on' and 'add_on-check', or delete" in told
