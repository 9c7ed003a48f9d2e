"""Hints and commonest findings: complete, in three steps, and no answer."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

import pytest

from autograder.bank import Case, load
from autograder.building.leak_scan import solutions
from litcourse.check import Check
from litcourse.core.names import UnknownNameError
from litcourse.feedback import hints
from litcourse.feedback.catalogue import catalogue
from litcourse.feedback.guidance import find_guidance
from tests.course import EVERY_QUESTION, LABS


@pytest.fixture(scope="module")
def banks() -> Mapping[str, Mapping[str, Sequence[Case]]]:
    """Every answer of the banks, by lab and question."""
    return {lab.id: load(lab) for lab in LABS.values()}


@pytest.mark.parametrize(("lab_id", "name"), EVERY_QUESTION)
def test_help_is_complete_and_holds_no_line_of_an_answer(lab_id: str, name: str) -> None:
    guidance = find_guidance(lab_id, name)
    assert len(guidance.hints) == 3
    assert 4 <= len(guidance.common) <= 6
    assert len(guidance.think) == 2
    assert set(guidance.common) <= set(catalogue())
    if not guidance.call.startswith("!"):
        ast.parse(guidance.call)
    others = str(hints.tell_others(lab_id, name))
    shown = " ".join(" ".join([*guidance.hints, *guidance.think, guidance.call, others]).split())
    answer = [passage for passage in solutions(LABS[lab_id], "") if passage.question_id == name]
    assert answer, "nothing to look for"
    assert not [line for passage in answer for line in passage.lines if line in shown]


@pytest.mark.parametrize(("lab_id", "name"), EVERY_QUESTION)
def test_the_commonest_findings_are_those_of_wrong_answers_to_this_question(
    lab_id: str, name: str, banks: Mapping[str, Mapping[str, Sequence[Case]]]
) -> None:
    found = {case.expects for case in banks[lab_id][name] if not case.right}
    assert set(find_guidance(lab_id, name).common) <= found


@pytest.mark.parametrize(("lab_id", "name"), EVERY_QUESTION)
def test_a_task_names_its_hints_and_has_no_other(lab_id: str, name: str) -> None:
    (task,) = [
        cell.source for cell in LABS[lab_id].notebook.cells if f"Your task: `{name}`" in cell.source
    ]
    assert f"`check.{name}.hint()` helps in three steps" in task
    assert f"`check.{name}.others()`" in task
    assert "<details><summary>Hint" not in task


def test_each_call_shows_one_step_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "_steps", {})
    wrap = Check("lab1_mnist").wrap
    shown = [len(wrap.hint().lines) for _ in range(4)]
    assert shown == [1, 2, 3, 3]
    assert len(wrap.hint(1).lines) == 1
    with pytest.raises(UnknownNameError, match="no step"):
        wrap.hint(7)


def test_others_escapes_and_asks() -> None:
    shown = Check("lab1_mnist").wrap.others()
    assert "?" in repr(shown)
    assert "self.log(&#34;" not in shown._repr_html_()  # the advice of LIT140 would be code
    assert shown.entries
    assert "LIT002" in shown._repr_html_()


def test_a_question_without_hints_says_where_to_look() -> None:
    assert hints.NONE_YET in repr(hints.next_hint("lab1_mnist", "nobody"))
    assert hints.NONE_YET.split(":")[0] in repr(hints.tell_others("lab1_mnist", "nobody"))
