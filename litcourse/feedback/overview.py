"""Shows where a student is in a lab: each question with its points and the last result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from litcourse.feedback.rendering import Report, format_score, load_template, wrap_text

NOT_RUN = "not run yet"


@dataclass(frozen=True)
class Row:
    """One question in the overview.

    Args:
        question_id: id of the question.
        title: its title.
        result: the last result in words.
        passed: whether all of it is right.
    """

    question_id: str
    title: str
    result: str
    passed: bool


class Overview:
    """Where a student is in a lab.

    Args:
        lab: id of the lab.
        titles: titles of the questions by id, in the lab's order.
        points: points of the questions by id; those that are not known are missing.
        reports: the last report of each question that was checked.
    """

    def __init__(
        self,
        lab: str,
        titles: Mapping[str, str],
        points: Mapping[str, float],
        reports: Mapping[str, Report],
    ) -> None:
        self.lab = lab
        self.rows: Sequence[Row] = [
            self._row(name, title, points.get(name), reports.get(name))
            for name, title in titles.items()
        ]
        scores = [self._fraction(reports.get(name)) * points.get(name, 0.0) for name in titles]
        self.total = (
            f"{round(sum(scores), 2):g} of {sum(points.values()):g} points" if points else ""
        )

    @staticmethod
    def _fraction(report: Report | None) -> float:
        verdict = report.verdict if report is not None else None
        return (verdict.score or 0.0) if verdict is not None else 0.0

    def _row(self, name: str, title: str, points: float | None, report: Report | None) -> Row:
        verdict = report.verdict if report is not None else None
        if report is None:
            worth = f", {points:g} points" if points is not None else ""
            return Row(name, title, NOT_RUN + worth, passed=False)
        if verdict is None:
            return Row(name, title, "stopped, nothing was judged", passed=False)
        if verdict.score is None:
            return Row(name, title, "no score", passed=False)
        return Row(name, title, format_score(verdict.score, points), verdict.passed)

    @property
    def next_question(self) -> str:
        """The first question that is not all right, or ""."""
        return next((row.question_id for row in self.rows if not row.passed), "")

    @property
    def next_step(self) -> str:
        """What to do next, in a sentence."""
        if self.next_question:
            return f"Next: check.{self.next_question}()"
        return "All of it is right, as far as these checks saw your code in this kernel."

    def __repr__(self) -> str:
        """The table as text."""
        width = max((len(row.question_id) for row in self.rows), default=0)
        lines = [self.lab + (f" · {self.total}" if self.total else "")]
        lines += [
            f"  {'+' if row.passed else '-'} {row.question_id:<{width}}  {row.result}"
            for row in self.rows
        ]
        return "\n".join(line for part in [*lines, self.next_step] for line in wrap_text(part))

    def _repr_html_(self) -> str:
        html: str = load_template("overview.html.jinja").render(overview=self)
        return html
