"""A smaller mistake never costs more than a larger one, by the criteria that the banks name.

`verify` shows that each case costs just the criteria of its `costs=`.
"""

from __future__ import annotations

import pytest

from tests.autograder.verifying.test_bank import BANK, LAB_OF

PAIRS = (
    ("wrap", "back to the CPU", "returns a pair"),
    ("wrap", "arrays of NumPy", "the plain loop's three lines"),
    ("wrap", "returns a pair", "a copy of the network"),
    ("evaluate", "a count", "test is not written"),
    ("fit", "patience of ten", "no early stopping"),
    ("fit", "stops on another key", "no early stopping"),
    ("fit", "stops by the loss", "no early stopping"),
    ("fit", "monitors another key", "no checkpoints"),
    ("fit", "the best by the loss", "no checkpoints"),
    ("fit", "under ddp", "on the CPU"),
    ("fit", "on the GPU", "returns nothing"),
    ("fit", "fits twice", "a Trainer for each epoch"),
    ("schedule", "test is not written", "returns a number"),
    ("schedule", "a slip in the validation", "validation is not written"),
    ("schedule", "to a device of its own", "returns a number"),
    ("augment", "upside down, too", "no augmentation"),
    ("augment", "upside down", "no augmentation"),
    ("augment", "crops alone", "no augmentation"),
    ("augment", "drops the tail of test", "drops both tails"),
    ("augment", "an argument download", "no augmentation"),
    ("engineer", "a misspelt metric", "the best by the loss"),
    ("engineer", "always ddp", "always the GPU"),
)
"""Questions, each with a smaller mistake and a larger one."""


def share_lost(question_id: str, case_id: str) -> float:
    """Part of the question's points that a case costs."""
    case = next(case for case in BANK[question_id] if case.id == case_id)
    assert case.costs, f"{question_id}, {case_id}: give it costs=, so that verify checks them"
    criteria = LAB_OF[question_id].find_question(question_id).criteria
    return sum(each.share for each in criteria if each.id in case.costs)


@pytest.mark.parametrize(("question_id", "smaller", "larger"), PAIRS)
def test_a_smaller_mistake_never_costs_more(question_id: str, smaller: str, larger: str) -> None:
    assert share_lost(question_id, smaller) <= share_lost(question_id, larger)
