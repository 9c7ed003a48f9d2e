"""Questions, their shares and their look-up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import lightning  # noqa: F401, ICN001  sets environment variables when it is first imported
import pytest

from litcourse import labs
from litcourse.core.evidence import Evidence
from litcourse.core.marks import LONGEST_REASON
from litcourse.core.names import UnknownNameError
from litcourse.core.question import (
    Criterion,
    Earned,
    Finding,
    Inputs,
    JudgeError,
    Mark,
    NotLookedAt,
    Question,
)
from litcourse.core.registry import find_question, lab_ids, question_ids
from litcourse.core.scoring import _sort_marks, fail_question, grade, skip_question
from litcourse.core.verdict import UNMEASURED, Verdict
from tests.course import EVERY_QUESTION, questions

LAB = "lab1_mnist"
QUESTIONS = sorted(questions(LAB))


def question(*shares: float) -> Question:
    criteria = tuple(Criterion(f"c{i}", f"criterion {i}", s) for i, s in enumerate(shares))

    def draw(_: Random) -> Inputs:
        return Inputs({})

    def probe(_: dict[str, Any], __: object) -> dict[str, Any]:
        return {}

    def judge(_: Inputs, __: Evidence) -> list[Mark]:
        return []

    return Question("a title", (), criteria, draw, probe, judge)


@pytest.mark.parametrize("shares", [(0.5, 0.4), (), (1.0, 0.1)])
def test_shares_that_do_not_sum_to_one_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="'a title' sum to"):
        question(*shares)


def test_decimal_shares_sum_to_one() -> None:
    assert question(*[0.1] * 10).criteria


def test_two_criteria_of_one_id_are_refused() -> None:
    asked = question(1.0)
    twice = tuple(replace(asked.criteria[0], share=0.5) for _ in range(2))
    with pytest.raises(ValueError, match="'a title' has two criteria 'c0'"):
        replace(asked, criteria=twice)


@pytest.mark.parametrize(("lab", "name"), EVERY_QUESTION)
def test_every_question_is_whole(lab: str, name: str) -> None:
    found = find_question(lab, name)
    ids = [criterion.id for criterion in found.criteria]
    assert len(ids) == len(set(ids))
    assert all(0 < c.share <= 1 and c.title for c in found.criteria)
    assert found.title
    assert found.defines or found.files


def test_labs_and_questions_are_found_by_looking() -> None:
    assert LAB in lab_ids()
    assert question_ids(LAB) == QUESTIONS


def test_unknown_names_list_the_valid_ones_nearest_first() -> None:
    with pytest.raises(UnknownNameError) as error:
        question_ids("lab1_mnits")
    assert error.value.valid[0] == LAB
    with pytest.raises(UnknownNameError) as error:
        find_question(LAB, "eval")
    assert error.value.valid[0] == "evaluate"
    assert sorted(error.value.valid) == QUESTIONS
    assert str(error.value).startswith(f"{LAB} has no question 'eval'. Nearest first: evaluate, ")


@pytest.mark.parametrize("name", ["_samples", "__init__", "../fit", "fit.QUESTION", ""])
def test_helpers_and_paths_are_no_questions(name: str) -> None:
    with pytest.raises(UnknownNameError):
        find_question(LAB, name)


def test_a_module_without_a_question_is_an_authors_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lab9_typo"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "wrong.py").write_text("QUESTION = 3\n")
    monkeypatch.setattr(labs, "__path__", [*labs.__path__, str(tmp_path)])
    with pytest.raises(TypeError, match=r"lab9_typo\.wrong\.QUESTION must be a Question"):
        find_question("lab9_typo", "wrong")


# --- verdicts ---------------------------------------------------------------------------------


def verdict(asked: Question, *marks: Mark) -> Verdict:
    return Verdict("lab", "q", asked, _sort_marks(marks, asked))


def test_only_an_earned_criterion_earns_its_share() -> None:
    asked = question(0.5, 0.3, 0.2)
    whole = verdict(asked, Earned(("c0", "c1", "c2")))
    assert (whole.score, whole.passed) == (1, True)
    some = verdict(asked, Earned(("c0", "c2")), Finding("LIT901", ("c1",)))
    assert (some.score, some.passed) == (0.7, False)
    assert verdict(asked, Finding("LIT902", ("c0", "c1", "c2"))).score == 0


def test_what_no_mark_names_is_not_looked_at() -> None:
    asked = question(0.5, 0.5)
    nothing = verdict(asked)
    assert (nothing.score, nothing.passed, nothing.undecided) == (0, False, "")
    assert nothing.mark(asked.criteria[0]) == NotLookedAt(("c0",), UNMEASURED)
    hidden = verdict(asked, Finding("LIT901", ("c0",)))
    assert hidden.mark(asked.criteria[1]) == NotLookedAt(("c1",), "it waits for LIT901")
    assert hidden.score == 0


def test_a_finding_counts_before_a_reason_and_that_before_an_earned_share() -> None:
    asked = question(0.5, 0.5)
    marks: list[Mark] = [
        Earned(("c0", "c1")),
        NotLookedAt(("c0", "c1"), "why"),
        Finding("LIT901", ("c0",)),
    ]
    for order in (marks, marks[::-1]):
        found = [verdict(asked, *order).mark(c).name for c in asked.criteria]
        assert found == ["failed", "not looked at"]


def test_a_cause_in_the_machine_leaves_no_score() -> None:
    asked = question(0.5, 0.5)
    found = verdict(asked, Earned(("c0",)), NotLookedAt(("c1",), "no room", by_machine=True))
    assert (found.score, found.passed, found.undecided) == (None, False, "no room")
    failed = verdict(asked, Finding("LIT901", ("c0", "c1")),
                     NotLookedAt(("c1",), "no room", by_machine=True))  # fmt: skip
    assert failed.score == 0  # the answer is wrong, whatever the machine did


def test_evidence_can_say_that_nothing_was_measured() -> None:
    inputs = find_question(LAB, "timer").draw(Random(0))
    found = grade(LAB, "timer", inputs, {"not_measured": "this torch lacks it"})
    assert (found.score, found.undecided, found.findings) == (None, "this torch lacks it", ())
    assert skip_question(LAB, "timer", "why").undecided == "why"


@pytest.mark.parametrize(("reason", "told"), [("", UNMEASURED), ("x" * 999, "x" * LONGEST_REASON)])
def test_whatever_the_reason_is_nobody_gets_zero_for_it(reason: str, told: str) -> None:
    found = grade(
        LAB, "timer", find_question(LAB, "timer").draw(Random(0)), {"not_measured": reason}
    )
    assert (found.score, found.undecided) == (None, told)


@pytest.mark.parametrize(
    ("criteria", "fault"),
    [
        ((), "LIT901 names no criterion of c0, c1"),
        (("c0", "c2"), "LIT901 names a criterion 'c2', which the question lacks. Nearest first: c"),
        ("c0", r"LIT901 has the criteria 'c0', which is no tuple such as \('c0',\)"),
        (None, "LIT901 has the criteria None, which is no tuple"),
    ],
)
def test_a_finding_that_costs_nothing_makes_no_verdict(criteria: Any, fault: str) -> None:
    asked = question(0.5, 0.5)
    with pytest.raises(JudgeError, match=fault):
        Verdict("lab", "q", asked, (Finding("LIT902", ("c1",)), Finding("LIT901", criteria)))


def test_a_verdict_is_passed_where_it_has_the_full_score() -> None:
    asked = question(0.5, 0.5)
    both, first = Earned(("c0", "c1")), Finding("LIT902", ("c0",))
    for marks in ((both,), (both, first), (Earned(("c0",)),), (first,), ()):
        made = verdict(asked, *marks)
        assert made.passed is (made.score == 1)


def test_the_first_criterion_is_mended_first() -> None:
    asked = question(0.5, 0.3, 0.2)
    late, early, both = (Finding(f"LIT90{i}", c) for i, c in
                         enumerate([("c2",), ("c0",), ("c2", "c0")]))  # fmt: skip
    assert _sort_marks([late, early, both], asked) == (early, both, late)
    assert verdict(asked, late, early).mark(asked.criteria[2]) == late


def test_a_failure_of_the_whole_costs_every_criterion() -> None:
    whole = fail_question(LAB, "wrap", "LIT905", got="nothing")
    assert whole.score == 0
    assert {whole.mark(c) for c in whole.question.criteria} == {whole.findings[0]}


def test_a_missing_name_costs_every_criterion() -> None:
    inputs = find_question(LAB, "timer").draw(Random(0))
    evidence = {"missing": {"name": "EpochTimer", "defined": ["Timer"]}}
    found = grade(LAB, "timer", inputs, evidence)
    assert found.score == 0
    assert found.findings[0].code == "LIT901"
    assert found.findings[0].got == "your notebook defines Timer"
    assert found.findings[0].expected == "the name EpochTimer"
