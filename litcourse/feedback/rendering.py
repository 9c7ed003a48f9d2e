"""Renders a verdict as an HTML card, as text for a terminal, or for nbgrader's Validate."""

from __future__ import annotations

import base64
import html
import os
import re
import sys
import textwrap
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from litcourse.core.question import Earned, Finding, Mark
from litcourse.feedback.catalogue import shown_entry
from litcourse.feedback.guidance import find_guidance

if TYPE_CHECKING:
    from litcourse.core.verdict import Verdict

WIDTH = 79
MANUAL = "It says nothing about your answer: when graded, a person decides."
"""Said where the machine kept a probe from measuring."""
_WITHOUT_CAUSE = ("LIT902", "LIT304", "LIT940", "LIT941", "LIT2202")
"""Codes of findings whose advice is to make the same call oneself."""
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_LONGEST = 1000
"""A card shows so many characters of a detail, whose length a student's code determines."""
_VALIDATE_WIDTH = 80  # nbgrader 0.9.6 cuts lines after 83 columns, its indent included


@dataclass(frozen=True)
class Footer:
    """What stands below a verdict.

    Args:
        judged: which executions of the notebook's cells were judged, or "".
        printed: the end of what the student's code printed, or "".
        lines: number of lines that it printed.
        points: points of the question, if they are known.
        step: what to do next, or "".
        beside: a line of the question's own that is no part of the verdict, or "".
    """

    judged: str = ""
    printed: str = ""
    lines: int = 0
    points: float | None = None
    step: str = ""
    beside: str = ""


NO_FOOTER = Footer()


class Report:
    """The result of a check: a card in a notebook, text in a terminal, points for nbgrader.

    Args:
        verdict: the verdict, or None if otter's own tests report it.
        footer: what stands below it.
    """

    def __init__(self, verdict: Verdict | None, footer: Footer = NO_FOOTER) -> None:
        self.verdict = verdict
        self.footer = footer

    def __repr__(self) -> str:
        """The card as text; under `nbgrader autograde` a fraction of the points, 0 to 1.

        A stock nbgrader gives a cell all its points if it prints no number. So it gets 0 where a
        person has to decide.
        """
        if self.verdict is None:
            return "graded by otter"
        if os.environ.get("NBGRADER_EXECUTION") == "autograde":
            return str(self.verdict.score or 0.0)
        return as_text(self.verdict, footer=self.footer)

    def _repr_html_(self) -> str | None:
        return None if self.verdict is None else as_html(self.verdict, self.footer)

    def _ipython_display_(self) -> None:
        """Show the card; under `nbgrader validate` print a failure to stderr, a pass not at all."""
        if self.verdict is not None and os.environ.get("NBGRADER_EXECUTION") == "validate":
            if not self.verdict.passed:
                print(as_text(self.verdict, _VALIDATE_WIDTH), file=sys.stderr)  # noqa: T201
            return
        raise NotImplementedError  # IPython then asks for __repr__ and _repr_html_


def as_text(verdict: Verdict, width: int = WIDTH, footer: Footer = NO_FOOTER) -> str:
    """The verdict as plain text of at most `width` columns; what was printed is left as it is."""
    head = f"{verdict.lab} · {verdict.question_id} · {verdict.question.title}"
    if footer.points is not None and verdict.score is not None:
        head += f" · {format_score(verdict.score, footer.points)}"
    lines = [head]
    for criterion in verdict.question.criteria:
        mark = verdict.mark(criterion)
        lines.append(f"  {_sign(mark)} {criterion.title}{_note(mark)}")
    if verdict.findings:
        lines.extend(_first_lines(verdict, width))
    elif verdict.passed:
        lines.append("All of it is right.")
    if verdict.undecided:
        lines.append(f"No score: {verdict.undecided}. {MANUAL}")
    lines += [line for line in (footer.step, footer.beside, footer.judged) if line]
    text = "\n".join(line for part in lines for line in wrap_text(part, width))
    return f"{text}\nYour code printed:\n{footer.printed}" if footer.printed else text


def _sign(mark: Mark) -> str:
    if isinstance(mark, Earned):
        return "+"
    return "x" if isinstance(mark, Finding) else "-"


def _note(mark: Mark) -> str:
    """What stands behind a criterion's title: a finding's code, or why nobody looked."""
    if isinstance(mark, Earned):
        return ""
    return f"  [{mark.code}]" if isinstance(mark, Finding) else f"  (not looked at: {mark.reason})"


def wrap_text(line: str, width: int = WIDTH) -> list[str]:
    """Lines of at most `width` columns; further ones are indented by two more."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, width, subsequent_indent=indent) or [""]


def _first_lines(verdict: Verdict, width: int) -> list[str]:
    finding, call = verdict.findings[0], call_to_try(verdict)
    entry = shown_entry(finding.code)
    rows = [f"Fix first: {entry.title} ({finding.code})"]
    rows += [f"  {name:<9} {value}" for name, value in finding_details(finding)]
    rows += textwrap.wrap(f"To do: {entry.fix}", width)
    rows += [f"Try it: {call}"] if call else []
    return [*rows, f'More: explain("{finding.code}")']


def call_to_try(verdict: Verdict) -> str:
    """A call to paste into a cell, for a finding that knows no cause; else ""."""
    if not verdict.findings or verdict.findings[0].code not in _WITHOUT_CAUSE:
        return ""
    return find_guidance(verdict.lab, verdict.question_id).call


def finding_details(finding: Finding) -> list[tuple[str, str]]:
    """Names and values of a finding's non-empty details: called, expected, got, where."""
    pairs = [(name, getattr(finding, name)) for name in ("called", "expected", "got", "where")]
    if finding.got and finding.got == finding.expected:
        pairs[2] = ("got", "the same as far as it is shown here, and not the same beyond")
    return [(name, value[:_LONGEST]) for name, value in pairs if value]


def format_score(fraction: float, points: float | None) -> str:
    """A score in words: "7 of 10 points", or per cent where the points are not known."""
    if points is None:
        return f"{fraction * 100:g} % of the points"
    return f"{round(fraction * points, 2):g} of {points:g} points"


def as_html(verdict: Verdict, footer: Footer = NO_FOOTER) -> str:
    """The verdict as an HTML card; every text in it is escaped."""
    rows = [
        (criterion, _sign(mark), mark)
        for criterion in verdict.question.criteria
        for mark in [verdict.mark(criterion)]
    ]
    first = verdict.findings[0] if verdict.findings else None
    card: str = load_template("card.html.jinja").render(
        verdict=verdict,
        rows=rows,
        manual=MANUAL,
        first=first,
        entry=shown_entry(first.code) if first else None,
        details=finding_details(first) if first else [],
        call=call_to_try(verdict),
        picture=base64.b64encode(verdict.picture.encode()).decode(),
        alt=tell_picture(verdict.picture),
        footer=footer,
        score="" if verdict.score is None else format_score(verdict.score, footer.points),
    )
    return card


def tell_picture(picture: str) -> str:
    """The title of an SVG, which says in words and numbers what it shows; "" without one."""
    found = _TITLE.search(picture)
    return html.unescape(found[1]) if found else ""


@cache
def load_template(name: str) -> Any:
    """A template of this folder, which escapes every text."""
    import jinja2

    source = files("litcourse.feedback").joinpath(name).read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)
