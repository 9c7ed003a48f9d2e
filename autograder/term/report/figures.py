"""Pictures of a report, as SVG that stands in the page and reads well in grey."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autograder.term.report.class_facts import ClassFacts, LabFacts, QuestionFacts

_DARK, _MIDDLE, _LIGHT = "#1f3b57", "#7d9bb5", "#dde5ec"
"""All, some, none: three steps of lightness, so that print in grey tells them apart."""
_INCH = 0.3
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw_questions(lab: LabFacts) -> str:
    """A bar for each question: how many have all points, some, none."""
    height = 0.9 + _INCH * len(lab.questions)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, height), layout="constrained")
        axes = figure.add_subplot()
        names = [question.id for question in lab.questions]
        left = [0] * len(names)
        parts: list[tuple[str, str, list[int]]] = [
            ("all points", _DARK, [q.full for q in lab.questions]),
            ("some", _MIDDLE, [q.partial for q in lab.questions]),
            ("none", _LIGHT, [q.zero for q in lab.questions]),
        ]
        for label, colour, counts in parts:
            axes.barh(names, counts, left=left, color=colour, label=label, edgecolor="white")
            left = [a + b for a, b in zip(left, counts, strict=True)]
        axes.invert_yaxis()
        axes.set_xlabel("students")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
        return _as_svg(figure)


def draw_totals(lab: LabFacts) -> str:
    """A histogram of the totals of a lab."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 1.7), layout="constrained")
        axes = figure.add_subplot()
        axes.hist(list(lab.totals.values()), bins=20, range=(0, lab.maximum or 1), color=_DARK,
                  edgecolor="white")  # fmt: skip
        axes.set_xlabel(f"points, of {lab.maximum:g}")
        axes.set_ylabel("students")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        return _as_svg(figure)


def draw_trend(facts: ClassFacts) -> str:
    """Mean of each lab, of 100, and how many handed in."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 2.2), layout="constrained")
        axes = figure.add_subplot()
        names = [f"{lab.lab}\n{len(lab.totals)} handed in" for lab in facts.labs]
        means = [100 * (lab.mean or 0) / (lab.maximum or 1) for lab in facts.labs]
        axes.plot(names, means, marker="o", color=_DARK)
        axes.set_ylim(0, 105)
        axes.set_ylabel("mean, of 100")
        for name, mean in zip(names, means, strict=True):
            axes.annotate(f"{mean:.0f}", (name, mean), (0, -13),
                          textcoords="offset points", ha="center")  # fmt: skip
        axes.margins(x=0.12)
        return _as_svg(figure)


def describe_questions(questions: Sequence[QuestionFacts]) -> str:
    """The numbers of `draw_questions`, for those who can't see it."""
    return "; ".join(
        f"{q.id}: {q.full} all points, {q.partial} some, {q.zero} none" for q in questions
    )


def _as_svg(figure: Figure) -> str:
    """The picture as an element of a page: no XML head, no date, no metadata."""
    text = io.StringIO()
    nothing = dict.fromkeys(["Date", "Creator", "Format", "Type"])
    figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    return text.getvalue()[text.getvalue().index("<svg") :]
