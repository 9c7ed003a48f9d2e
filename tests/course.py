"""The course of this checkout, for tests that mean all its labs, or all questions of one.

No test lists ids, titles or points by hand: a new question is tested the moment it exists.
"""

from __future__ import annotations

from pathlib import Path

from autograder.course import Course, Lab

ROOT = Path(__file__).resolve().parents[1]
LABS: dict[str, Lab] = Course(ROOT).labs
EVERY_QUESTION = [(lab.id, name) for lab in LABS.values() for name in lab.questions]
"""Pairs of lab and question, in the order of the notebooks."""


def questions(lab_id: str) -> list[str]:
    """Ids of the questions of a lab, in the order of its notebook."""
    return list(LABS[lab_id].questions)


def points_of(lab_id: str, name: str, *lost: str) -> float:
    """Points of a question, as its notebook has them, without those of the criteria `lost`."""
    criteria = LABS[lab_id].find_question(name).criteria if lost else ()
    share = 1 - sum(criterion.share for criterion in criteria if criterion.id in lost)
    return round(LABS[lab_id].questions[name].points * share, 4)
