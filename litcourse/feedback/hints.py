"""Shows help with a question: hints in three steps, the commonest findings, what to think on."""

from __future__ import annotations

from collections.abc import Sequence

from litcourse.core.names import UnknownNameError
from litcourse.feedback.catalogue import Entry, shown_entry
from litcourse.feedback.guidance import Guidance, find_guidance
from litcourse.feedback.rendering import load_template, wrap_text

NONE_YET = "There are no hints for this question yet: ask your instructor."


_steps: dict[tuple[str, str], int] = {}
"""Number of hints that this kernel has shown, by lab and question."""


class Hint:
    """The hints of a question up to one of them, which is new.

    Args:
        title: call that shows it, such as "check.wrap.hint()".
        hints: texts of those that are shown.
        of: number of all hints.
    """

    def __init__(self, title: str, hints: Sequence[str], of: int) -> None:
        self.title = title
        self.lines = [f"{n} of {of}: {text}" for n, text in enumerate(hints, 1)] or [NONE_YET]
        self.more = f"More: {title} once more." if len(hints) < of else ""

    def __repr__(self) -> str:
        """The hints as text."""
        lines = [self.title, *self.lines, self.more]
        return "\n".join(line for part in lines if part for line in wrap_text(part))

    def _repr_html_(self) -> str:
        html: str = load_template("guidance.html.jinja").render(
            title=self.title, lines=self.lines, entries=[], think=[], more=self.more
        )
        return html


def next_hint(lab: str, question_id: str, step: int | None = None) -> Hint:
    """One hint more than the last time, and those before it.

    Args:
        lab: id of the lab.
        question_id: id of the question.
        step: the last hint to show, from 1; None for the next one.

    Raises:
        UnknownNameError: there is no such step.
    """
    hints = find_guidance(lab, question_id).hints
    if step is not None and hints and step not in range(1, len(hints) + 1):
        raise UnknownNameError("step", str(step), [str(n) for n in range(1, len(hints) + 1)])
    shown = step or min(_steps.get((lab, question_id), 0) + 1, len(hints))
    _steps[lab, question_id] = shown
    return Hint(f"check.{question_id}.hint()", hints[:shown], len(hints))


class Others:
    """What comes up most often with a question, and what to think on.

    A finding's advice may hold code of an answer; what it means does not.

    Args:
        title: call that shows it.
        guidance: the help with the question.
    """

    def __init__(self, title: str, guidance: Guidance) -> None:
        self.title = title
        self.entries: list[Entry] = [shown_entry(code) for code in guidance.common]
        self.think = guidance.think

    def __repr__(self) -> str:
        """The findings with what they mean, and the questions, as text."""
        findings = [f"- {entry.title} ({entry.code}): {entry.why}" for entry in self.entries]
        think = [f"? {question}" for question in self.think]
        lines = [self.title, *findings, *think] if findings else [self.title, NONE_YET]
        return "\n".join(line for part in lines for line in wrap_text(part))

    def _repr_html_(self) -> str:
        html: str = load_template("guidance.html.jinja").render(
            title=self.title,
            lines=[] if self.entries else [NONE_YET],
            entries=self.entries,
            think=self.think,
            more="",
        )
        return html


def tell_others(lab: str, question_id: str) -> Others:
    """The commonest findings of a question."""
    title = f"check.{question_id}.others(): what comes up most often, and what to think on"
    return Others(title, find_guidance(lab, question_id))
