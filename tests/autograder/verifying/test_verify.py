"""`autograder verify`: what it calls a fault, and that answers which die or hang are counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import lightning  # noqa: F401, ICN001  sets environment variables when it is first imported
import pytest
import torchmetrics  # noqa: F401  as above

from autograder.bank import FRESH, Case, right, wrong
from autograder.building.scaffold import scaffold
from autograder.course import AuthorError, Course, Lab
from autograder.verifying import trials, verify
from autograder.verifying.verify_summary import FAULTS
from autograder.verifying.warm_runner import Run, run_all, warm_up
from litcourse.core.names import UnknownNameError
from litcourse.core.question import Earned, Finding
from litcourse.core.registry import find_question
from litcourse.core.scoring import fail_question, skip_question
from litcourse.core.serialization import decode, encode
from litcourse.core.verdict import Verdict
from litcourse.scripts import script_runner

pytestmark = pytest.mark.usefixtures("torch_threads")
HEAD = "from autograder.bank import right, wrong\n"
RETURN = "return number + 1"
LABS = Course(Path(__file__).resolve().parents[3]).labs
LEAST = 10
"""Cases of a question: solution, stub, two unusual answers and six wrong ones."""
KEYS = {"cases", "false_fails", "false_passes", "misnamed", "seconds"}


# --- what is a fault --------------------------------------------------------------------------

STUB = Case("stub", expects="LIT900")
WRONG = Case("w", expects="LIT111")
ALL = tuple(criterion.id for criterion in find_question("lab1_mnist", "wrap").criteria)


def verdict(*findings: tuple[str, tuple[str, ...]]) -> Verdict:
    """Some criteria failed, the others are earned."""
    found = tuple(Finding(code, criteria) for code, criteria in findings)
    return Verdict("lab1_mnist", "wrap", find_question("lab1_mnist", "wrap"), (*found, Earned(ALL)))


@pytest.mark.parametrize(
    ("case", "of", "fault"),
    [
        (Case("r"), verdict(), ""),
        (Case("r"), verdict(("LIT111", ("loss",))), "false_fails"),
        (Case("r"), fail_question("lab1_mnist", "wrap", "LIT902"), "false_fails"),
        (WRONG, verdict(("LIT111", ("loss",))), ""),
        (WRONG, verdict(("LIT111", ("loss",)), ("LIT140", ("log",))), ""),
        (WRONG, verdict(("LIT140", ("log",)), ("LIT111", ("loss",))), "misnamed"),
        (WRONG, fail_question("lab1_mnist", "wrap", "LIT902"), "misnamed"),
        (WRONG, verdict(), "false_passes"),
        (STUB, verdict(("LIT900", ALL)), ""),
        (STUB, verdict(("LIT900", ALL[1:])), "false_passes"),
        (STUB, verdict(("LIT901", ALL)), "misnamed"),
        (Case("r"), skip_question("lab1_mnist", "wrap", "why"), "false_fails"),
        (WRONG, skip_question("lab1_mnist", "wrap", "why"), "misnamed"),
    ],
)
def test_fault_of(case: Case, of: Verdict, fault: str) -> None:
    assert verify.fault_of(case, of) == fault


# --- a small bank, for real ---------------------------------------------------------------------


def verified(
    course: Course, cases: str, capsys: pytest.CaptureFixture[str], **options: Any
) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of a run over `cases`, the body of a bank's list."""
    bank = course.root / "autograder/bank/lab0_tiny/add_one.py"
    bank.write_text(f"{HEAD}CASES = [\n{cases}\n]\n")
    code = verify.run(course, [course.lab("lab0_tiny")], json=True, jobs=4, **options)
    return code, json.loads(capsys.readouterr().out)


CLEAN = f"""
    right("swapped", ("number + 1", "1 + number")),
    wrong("two more", "LIT900", ("+ 1", "+ 2")),
    wrong("raises", "LIT902", ("{RETURN}", "raise ValueError")),
"""


def test_a_clean_bank(tiny: Course, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = verified(tiny, CLEAN, capsys)
    assert code == 0
    assert found.keys() >= KEYS
    assert (found["cases"], found["trials"]) == (5, 5)  # with the solution and the stub
    assert [found[fault] for fault in FAULTS] == [[] for _ in FAULTS]


def test_faults_are_named_and_fail_the_command(
    tiny: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = f"""{CLEAN}
    wrong("is right", "LIT900", ("number + 1", "1 + number + 0")),
    right("is wrong", ("+ 1", "+ 3")),
    wrong("other finding", "LIT111", ("+ 1", "+ 4")),
    """
    code, found = verified(tiny, cases, capsys)
    assert code == 1
    assert found["false_passes"] == ["lab0_tiny/add_one/is right"]
    assert found["false_fails"] == ["lab0_tiny/add_one/is wrong"]
    assert found["misnamed"] == ["lab0_tiny/add_one/other finding"]
    assert set(found["details"]) == {name for fault in FAULTS for name in found[fault]}
    assert "LIT900" in found["details"]["lab0_tiny/add_one/other finding"]


def test_answers_that_die_or_hang_are_counted_and_leave_nothing(
    tiny: Course, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "LIMIT", 4.0)
    sleeper = "import subprocess; subprocess.Popen(['sleep', '1000']).wait()"
    cases = f"""
    wrong("dies", "LIT902", ("{RETURN}", "import os; os._exit(3)")),
    wrong("is killed", "LIT902", ("{RETURN}", "import os; os.kill(os.getpid(), 9)")),
    wrong("hangs", "LIT902", ("{RETURN}", "while True: pass")),
    right("starts what hangs", ("{RETURN}", "{sleeper}")),
    """
    code, found = verified(tiny, cases, capsys)
    assert code == 1
    assert found["cases"] == 6
    assert found["false_fails"] == ["lab0_tiny/add_one/starts what hangs"]
    assert "took too long" in found["details"]["lab0_tiny/add_one/starts what hangs"]
    assert (found["false_passes"], found["misnamed"]) == ([], [])


def test_seeds_repeat_each_case(tiny: Course, capsys: pytest.CaptureFixture[str]) -> None:
    _, found = verified(tiny, CLEAN, capsys, seeds=3)
    assert (found["cases"], found["trials"], found["seeds"]) == (5, 15, 3)


def test_a_case_that_does_not_fit_its_solution(
    tiny: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AuthorError, match="case 'typo': the solution has no 'numbr'") as error:
        verified(tiny, f'{CLEAN} wrong("typo", "LIT900", ("numbr", ""))', capsys)
    assert error.value.file == "autograder/bank/lab0_tiny/add_one.py"


def test_an_unknown_question(tiny: Course, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownNameError, match="add_one"):
        verified(tiny, CLEAN, capsys, question="add_two")


def test_a_question_is_looked_up_in_the_lab_that_has_it(
    tiny: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    scaffold(tiny, "lab0_tiny_too", "add_two")
    (tiny.root / "autograder/bank/lab0_tiny/add_one.py").write_text(f"{HEAD}CASES = [{CLEAN}]\n")
    chosen = [tiny.labs[name] for name in ("lab0_tiny", "lab0_tiny_too")]
    assert verify.run(tiny, chosen, json=True, question="add_one") == 0
    assert json.loads(capsys.readouterr().out)["cases"] == 5
    with pytest.raises(
        UnknownNameError, match=r"There is no question 'ad_two'.*: add_two, add_one"
    ):
        verify.run(tiny, chosen, question="ad_two")


def test_the_table_names_what_is_wrong(tiny: Course, capsys: pytest.CaptureFixture[str]) -> None:
    bank = tiny.root / "autograder/bank/lab0_tiny/add_one.py"
    wrong = 'wrong("is right", "LIT900", ("+ 1", "+ 1 + 0"))'
    bank.write_text(f"{HEAD}CASES = [{CLEAN} {wrong}]\n")
    assert verify.run(tiny, [tiny.lab("lab0_tiny")], jobs=2) == 1
    out = capsys.readouterr().out
    assert "false_pass: lab0_tiny/add_one/is right, seed 0: 100%, no finding" in out


# --- children ------------------------------------------------------------------------------------


def runs(lab: Lab, *bodies: str) -> Iterator[Run]:
    for body in bodies:
        shown = encode(lab.find_question("add_one").draw(Random(1)).shown)
        cell = f"def add_one(number):\n    {body}\n"
        yield Run(body, [cell], lab.id, "add_one", shown, limit=30)


def test_children_are_forked_with_clean_streams_and_a_folder_of_their_own(
    lab: Lab, capfd: pytest.CaptureFixture[str]
) -> None:
    warm_up()
    bodies = ["print('noise'); return len(list(__import__('pathlib').Path('.').iterdir()))",
              "import sys; sys.stderr.write('noise'); return 7"]  # fmt: skip
    outcomes = {o.run.key: o for o in run_all(runs(lab, *bodies), jobs=2)}
    values = [decode(outcomes[body].evidence)["value"] for body in bodies]
    assert values == [0, 7]  # the folder of a probe is empty
    assert all(o.cpu_seconds > 0 and not o.note for o in outcomes.values())
    assert capfd.readouterr() == ("", "")


def test_a_run_that_is_given_up_ends_its_children(lab: Lab) -> None:
    warm_up()
    outcomes = run_all(runs(lab, "while True: pass", "return 1"), jobs=2)
    assert next(outcomes).run.key == "return 1"
    outcomes.close()


def test_a_script_runs_as_fresh_programs_once(
    lab: Lab, tiny: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny.root / f"litcourse/labs/{lab.id}/add_one.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("defines=", 'files=("say.py",), defines='), encoding="utf-8")
    monkeypatch.setattr(trials, "cells_of", lambda *_: [])
    plans = trials.make_plans(lab, None)
    fresh = [run for run in trials.make_runs(plans, 3) if run.variables]
    assert [(run.key.case.id, run.key.seed, run.key.case.right) for run in fresh] == [
        (FRESH, 0, True)
    ]
    assert fresh[0].variables == {script_runner.FRESH: "1"}
    assert fresh[0].limit > trials.LIMIT


# --- the labs themselves --------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", LABS)
def test_a_lab_holds_against_its_bank(root: Path, name: str) -> None:
    program = Path(sys.executable).with_name("autograder")
    command = [str(program), "verify", name, "--json", "--fresh"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert done.returncode == 0, found["details"]
    assert found.keys() >= KEYS
    assert found["cases"] >= LEAST * len(LABS[name].questions)
    assert [found[fault] for fault in FAULTS] == [[] for _ in FAULTS]
    assert found["seconds"] > 0


def test_cases_of_the_bank_are_built_as_documented() -> None:
    assert right("a").right
    assert wrong("a", "LIT900").expects == "LIT900"
