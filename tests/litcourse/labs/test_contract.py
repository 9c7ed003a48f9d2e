"""The contract itself: no lab and no question is left out of it."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from litcourse.core.evidence import Evidence
from litcourse.core.registry import lab_ids, question_ids
from tests.course import LABS, questions

from .contract import reads_floats


def test_every_lab_has_a_module_that_inherits_the_contract() -> None:
    texts = [p.read_text(encoding="utf-8") for p in Path(__file__).parent.glob("test_lab*.py")]
    inheriting = [text for text in texts if "(JudgeContract)" in text]
    named = [lab for t in inheriting for lab in re.findall(r'^LAB = "(\w+)"$', t, re.MULTILINE)]
    assert sorted(named) == lab_ids() == sorted(LABS)


def test_notebooks_and_judges_have_the_same_questions() -> None:
    for lab in lab_ids():
        assert sorted(questions(lab)) == question_ids(lab)


def test_a_judge_that_reads_a_float_is_told_from_one_that_does_not() -> None:
    tree = {"value": 0.5, "count": 3, "weights": torch.ones(2), "labels": torch.tensor([1, 2]),
            "at": 1.5}  # fmt: skip
    assert reads_floats(lambda seen: Evidence(seen)["value"].number(), tree)
    assert reads_floats(lambda seen: Evidence(seen)["weights"].tensor(), tree)
    assert not reads_floats(lambda seen: Evidence(seen)["count"].number(), tree)
    assert not reads_floats(lambda seen: Evidence(seen)["at"].number(), tree)
    assert not reads_floats(lambda seen: Evidence(seen)["labels"].tensor(), tree)
