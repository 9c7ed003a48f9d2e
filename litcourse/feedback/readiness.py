"""Shows what is missing before a lab is handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from litcourse.feedback.rendering import load_template, wrap_text


class Readiness:
    """What would be handed in, and what is missing.

    Args:
        lab: id of the lab.
        notebook: name of the notebook's file, or "".
        problems: what is wrong with each question's answer, by id; "" if nothing is.
        files: files that belong to the hand-in beside the notebook.
    """

    def __init__(
        self, lab: str, notebook: str, problems: Mapping[str, str], files: Sequence[str] = ()
    ) -> None:
        self.lab = lab
        self.problems = {name: problem for name, problem in problems.items() if problem}
        self.hand_in = ", ".join([notebook, *files]) if notebook else ""

    @property
    def title(self) -> str:
        """The result in a sentence."""
        if not self.problems:
            return "Complete: every question is answered, and all of it is saved."
        return "Not ready yet:"

    @property
    def rows(self) -> list[str]:
        """The problems, a line each."""
        return [f"{name}: {text}" if name else text for name, text in self.problems.items()]

    @property
    def advice(self) -> str:
        """What belongs to the hand-in, and what this did not look at."""
        what = f"Hand in: {self.hand_in}. " if self.hand_in else ""
        return f"{what}This looks at what is there, not at whether it is right: check.all() does."

    def __repr__(self) -> str:
        """The result as text."""
        rows = [f"  - {row}" for row in self.rows]
        lines = [f"{self.lab} · {self.title}", *rows, self.advice]
        return "\n".join(line for part in lines for line in wrap_text(part))

    def _repr_html_(self) -> str:
        html: str = load_template("readiness.html.jinja").render(readiness=self)
        return html
