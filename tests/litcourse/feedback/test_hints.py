"""Hints and commonest findings: complete, in three steps, and no answer."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from autograder.course import Course, Lab
from litcourse.check import Check
from litcourse.core.names import UnknownNameError
from litcourse.feedback import hints
from litcourse.feedback.catalogue import catalogue
from litcourse.feedback.guidance import find_guidance

LABS = Course(Path(__file__).resolve().parents[3]).labs
HELPED = [
    (lab, name)
    for lab in LABS.values()
    for name in lab.questions
    if lab.id in {"lab1_mnist", "lab2_cifar10", "lab3_ddp"}
]
LONG = 30
"""Characters from which a line of a solution is told from any other text."""


@pytest.mark.parametrize(("lab", "name"), HELPED, ids=[f"{lab.id} {n}" for lab, n in HELPED])
def test_help_is_complete_and_holds_no_line_of_an_answer(lab: Lab, name: str) -> None:
    guidance = find_guidance(lab.id, name)
    assert len(guidance.hints) == 3
    assert 4 <= len(guidance.common) <= 6
    assert len(guidance.think) == 2
    assert set(guidance.common) <= set(catalogue())
    if not guidance.call.startswith("!"):
        ast.parse(guidance.call)
    own = re.findall(r"### BEGIN SOLUTION(.*?)### END", lab.questions[name].solution, re.DOTALL)
    lines = {line.strip() for part in own for line in part.splitlines() if len(line.strip()) > LONG}
    shown = " ".join([*guidance.hints, *guidance.think, str(hints.tell_others(lab.id, name))])
    assert not [line for line in lines if line in shown]


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
