"""Shows a check that ended before there was a verdict."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from litcourse.core.question import Question
from litcourse.feedback.rendering import Report, load_template, wrap_text

NOTHING_JUDGED = "Nothing was judged."


@dataclass(frozen=True)
class Stop:
    """Why a check ended early, and where it stood.

    Args:
        limit: seconds that the check may take; None if the student stopped it.
        line: the student's line at which it stood, or "" if it stood in no line of theirs.
        step: what the check did meanwhile, such as "step 2: 2 ranks", or "".
    """

    limit: float | None
    line: str
    step: str = ""


class StoppedReport(Report):
    """The report of a check that the student stopped, or that took too long.

    Args:
        lab: id of the lab.
        question_id: id of the question.
        question: the question.
        stop: how the check ended.
    """

    def __init__(self, lab: str, question_id: str, question: Question, stop: Stop) -> None:
        super().__init__(None)
        self.head = f"{question_id} · {question.title}"
        self.lab = lab
        self.stop = stop

    def __repr__(self) -> str:
        """The report as text; 0 under `nbgrader autograde`, which reads a number."""
        if os.environ.get("NBGRADER_EXECUTION") == "autograde":
            return "0.0"
        rows = [f"  {name:<9} {value}" for name, value in self.details]
        lines = [f"{self.lab} · {self.head}", self.title, *rows, self.advice]
        return "\n".join(line for part in lines if part for line in wrap_text(part))

    @property
    def title(self) -> str:
        """What happened, in a sentence."""
        if self.stop.limit is None:
            return f"You stopped this check. {NOTHING_JUDGED}"
        return f"This check was ended after {self.stop.limit:g} s. {NOTHING_JUDGED}"

    @property
    def details(self) -> list[tuple[str, str]]:
        """Names and values of what is known of the place where it stood."""
        pairs = [("stood at", self.stop.line), ("during", self.stop.step)]
        return [(name, value) for name, value in pairs if value]

    @property
    def advice(self) -> str:
        """What to do next."""
        if self.stop.limit is None:
            return "The kernel and all your names are as before; run the check again when you like."
        return (
            "No answer of this course takes that long: look for a loop that has no end, or for a "
            "training where none is asked for. On a very busy machine run the check again."
        )

    def _repr_html_(self) -> str:
        html: str = load_template("stopped.html.jinja").render(report=self)
        return html

    def _ipython_display_(self) -> None:
        """Show the card; `nbgrader validate` takes what is printed to stderr for a failure."""
        if os.environ.get("NBGRADER_EXECUTION") == "validate":
            print(repr(self), file=sys.stderr)  # noqa: T201
            return
        raise NotImplementedError  # IPython then asks for __repr__ and _repr_html_
