"""Points, criteria and seconds of the questions of a lab."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from autograder.course import Lab
from autograder.grading.reporting.table import Row
from autograder.term.report.class_facts import CriterionFacts, QuestionFacts
from litcourse.core.names import UnknownNameError
from litcourse.core.registry import find_question

Results = Mapping[tuple[str, str], Mapping[str, Any]]
"""By student and question, what `evidence_store` keeps of the verdict."""
LIMITS = frozenset({"LIT906", "LIT907", "LIT920", "LIT921", "LIT923"})
"""Why a probe left no evidence, where a limit or its own end was the reason."""
_MARKS = {"earned": "earned", "failed": "failed", "not looked at": "not_looked_at"}
_MOST = 0.9


def gather_questions(lab: Lab, rows: Sequence[Row], results: Results) -> list[QuestionFacts]:
    """The facts of each question, in the notebook's order.

    Args:
        lab: the lab.
        rows: its submissions in the gradebook.
        results: their verdicts.
    """
    return [_gather(lab, name, rows, results) for name in lab.questions]


def _gather(lab: Lab, name: str, rows: Sequence[Row], results: Results) -> QuestionFacts:
    facts = QuestionFacts(name, lab.questions[name].points, criteria=_criteria(lab.id, name))
    points = [row.points[name] for row in rows if name in row.points]
    facts.mean = statistics.fmean(points) if points else None
    for row in rows:
        facts.no_score += name in row.undecided
        facts.by_hand += name in row.by_hand
        if name in row.points:
            got, most = row.points[name], row.maximum[name]
            facts.full += got >= most
            facts.zero += got <= 0 < most
            facts.partial += 0 < got < most
    found = [results[row.student, name] for row in rows if (row.student, name) in results]
    _count_marks(facts.criteria, found)
    seconds = sorted(float(entry["seconds"]) for entry in found if entry.get("seconds"))
    if seconds:
        facts.seconds = statistics.median(seconds)
        facts.most_seconds = seconds[min(len(seconds) - 1, int(_MOST * len(seconds)))]
    facts.limits = sum(entry.get("reason") in LIMITS for entry in found)
    return facts


def _criteria(lab: str, name: str) -> list[CriterionFacts]:
    try:
        known = find_question(lab, name).criteria
    except UnknownNameError:  # a question that this version has no more
        return []
    return [CriterionFacts(one.id, one.title, one.share) for one in known]


def _count_marks(criteria: Sequence[CriterionFacts], found: Sequence[Mapping[str, Any]]) -> None:
    for entry in found:
        if entry.get("score") is None:
            continue
        marks = entry.get("marks", {})
        for one in criteria:
            counter = _MARKS.get(marks.get(one.id, ""), "not_looked_at")
            setattr(one, counter, getattr(one, counter) + 1)
