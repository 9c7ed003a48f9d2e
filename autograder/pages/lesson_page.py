"""A lab's notebook as a page: the same text, with sphinx-lesson's directives around its parts."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from autograder.bank import without_markers
from autograder.building import leak_scan
from autograder.course import CHECK, AuthorError, Lab, grade_id, is_demo
from autograder.pages.kept_outputs import KEPT, Shown, printed_by_given_cells, read_outputs
from autograder.pages.myst_text import (
    Section,
    directive,
    dropdown,
    escape,
    fence,
    headings,
    parser,
    sections,
    target,
    with_dropdowns,
)
from autograder.pages.sample_cards import FAILING, PASSING, card_html, first_code, read_cards
from autograder.stubs import clear_answers, is_foreign
from litcourse.feedback.guidance import find_guidance

if TYPE_CHECKING:
    from nbformat import NotebookNode

_DEMONSTRATION = re.compile(r"^#\s*(Demonstration\b.*?)\.?\s*$")
_LABEL = re.compile(r"^\*\*(Questions|Objectives|Time)\b")
_ANCHOR = re.compile(r"\]\(#([^)\s]+)\)")
_DIRECTIVES = {"Questions": "questions", "Objectives": "objectives"}
_CARDS = {
    FAILING: "What the check says of a wrong answer",
    PASSING: "What the check says of a right answer",
}
_YOURS = "What you see here is made of your own answers."
_FROM = """:::{{note}}
You read the notebook `{name}` here. You work in the notebook itself, where checks answer: see
[how to start](setup.md).
:::"""


@dataclass(frozen=True)
class Page:
    """A page and the pictures beside it.

    Args:
        text: MyST.
        pictures: bytes by path, relative to the page's folder.
    """

    text: str
    pictures: dict[str, bytes]


def lesson_page(lab: Lab, *, solutions: bool) -> Page:
    """The page of a lab.

    Raises:
        AuthorError: its outputs or cards are not kept, or are of another notebook.
    """
    return _Writer(lab, solutions=solutions).page()


def label(lab_id: str, name: str) -> str:
    """The label of a cell's or a question's place on a lab's page."""
    return f"{lab_id}-{name}"


def title_of(lab: Lab) -> str:
    """The title of a lab's page, that of its notebook."""
    texts = (cell.source for cell in lab.notebook.cells if cell.cell_type == "markdown")
    return next((title for text in texts for level, title in headings(text) if level == 1), lab.id)


class _Writer:
    """Writes one page, cell by cell."""

    def __init__(self, lab: Lab, *, solutions: bool) -> None:
        self.lab, self.solutions = lab, solutions
        self.outputs, self.cards = read_outputs(lab)["cells"], read_cards(lab)
        self.stubs = {cell.id: cell.source for cell in clear_answers(lab.notebook).cells}
        self.pictures: dict[str, bytes] = {}
        self.cells = lab.notebook.cells
        self.starts = {self._task_cell(name): name for name in lab.questions}
        self.anchors = dict(self._anchors())
        printed = "\n".join(printed_by_given_cells(lab))
        self.answers = leak_scan.solutions(lab, leak_scan.unsolved_text([lab]) + printed)

    def page(self) -> Page:
        """The whole page."""
        parts: list[str] = []
        exercise: list[str] | None = None
        question = ""
        for place, cell in enumerate(self.cells):
            if place in self.starts:
                question = self.starts[place]
                before, inside = self._task(cell)
                parts += [*self._label(cell, before), before]
                exercise = [inside, *self._hints(question)]
                continue
            blocks = list(self._cell(cell))
            (parts if exercise is None else exercise).extend(blocks)
            if exercise is not None and grade_id(cell) == question + CHECK:
                parts.append(self._exercise(question, exercise))
                exercise = None
        text = "\n\n".join(part for part in parts if part.strip())
        return Page(f"{text}\n", self.pictures)

    def _task_cell(self, question_id: str) -> int:
        """The place of the cell whose last heading is that of the task."""
        names = [grade_id(cell) for cell in self.cells]
        for place in reversed(range(names.index(question_id))):
            cell = self.cells[place]
            if cell.cell_type == "markdown" and headings(cell.source):
                return place
        fault = "no text with a heading stands before its solution cell"
        raise AuthorError(self.lab.path, question_id, fault, "write the task")

    # --- texts -------------------------------------------------------------------------------

    def _task(self, cell: NotebookNode) -> tuple[str, str]:
        """What stands before the task's heading, and the task without it."""
        *before, task = sections(self._text(cell))
        return _joined(before), task.body

    def _hints(self, question_id: str) -> Iterator[str]:
        """The hints that a check gives, one after the other."""
        for number, hint in enumerate(find_guidance(self.lab.id, question_id).hints, 1):
            yield dropdown(f"Hint {number}", escape(hint))

    def _text(self, cell: NotebookNode) -> str:
        """A text with its pictures as files and its details as dropdowns."""
        text = str(cell.source)
        for name, data in cell.get("attachments", {}).items():
            path = self._picture(f"{cell.id}-{name}", base64.b64decode(data["image/png"]))
            text = text.replace(f"(attachment:{name})", f"({path})")
        return _ANCHOR.sub(self._leads_to, with_dropdowns(text))

    def _anchors(self) -> Iterator[tuple[str, str]]:
        """Labels by the anchors that Jupyter makes of headings; those in one cell lead there."""
        for place, cell in enumerate(self.cells):
            found = headings(cell.source) if cell.cell_type == "markdown" else []
            begins_with_task = place in self.starts and len(found) == 1
            name = self.starts[place] if begins_with_task else cell.id
            for _, title in found:
                yield re.sub(r"[`*]", "", title).replace(" ", "-"), label(self.lab.id, name)

    def _leads_to(self, found: re.Match[str]) -> str:
        """A link to a heading of the notebook, as one to its place on the page."""
        return f"](#{self.anchors.get(unquote(found[1]), found[1])})"

    def _picture(self, name: str, data: bytes) -> str:
        path = f"figures/{self.lab.id}/{name}"
        self.pictures[path] = data
        return path

    def _label(self, cell: NotebookNode, text: str) -> list[str]:
        """A label, where a text begins with a heading below the title."""
        levels = [level for level, _ in headings(text)]
        return [target(label(self.lab.id, cell.id))] if levels and levels[0] > 1 else []

    def _opening(self, text: str) -> str:
        """The first text: its lists of questions and objectives, and what is needed, in boxes."""
        title, *rest = text.splitlines()
        body = "\n".join(rest)
        blocks = [_FROM.format(name=self.lab.path.name)]
        return "\n\n".join([title, *_boxed(body), *blocks])

    # --- cells -------------------------------------------------------------------------------

    def _cell(self, cell: NotebookNode) -> Iterator[str]:
        """The blocks of one cell."""
        name = grade_id(cell)
        if cell.cell_type == "markdown":
            text = self._text(cell)
            if any(level == 1 for level, _ in headings(text)):
                yield self._opening(text)
            else:
                yield from (*self._label(cell, text), text)
        elif name in self.lab.questions:
            yield code_block(self.stubs[cell.id])
            if self.solutions:
                yield directive("solution", code_block(without_markers(cell.source)))
        elif name.endswith(CHECK):
            yield code_block(cell.source)
            yield from self._sample_cards(name.removesuffix(CHECK))
        elif is_demo(cell):
            found = _DEMONSTRATION.match(cell.source.partition("\n")[0])
            title = found[1] if found else "Demonstration"
            body = "\n\n".join([code_block(cell.source), *self._shown(cell, title)])
            yield directive("demo", body, title)
        else:
            body = "\n\n".join([code_block(cell.source), *self._shown(cell, cell.id)])
            yield dropdown(_cell_title(cell), body)

    def _shown(self, cell: NotebookNode, title: str) -> Iterator[str]:
        """What a cell showed when the solved notebook ran."""
        shown = self.outputs.get(cell.id, [])
        if shown:
            yield directive("output", "\n\n".join(self._output(one, title) for one in shown))

    def _output(self, shown: Shown, title: str) -> str:
        if "text" in shown:
            # The solved notebook ran: what it shows of the answers themselves is not for students.
            hidden = not self.solutions and leak_scan.has_answer(shown["text"], self.answers)
            return _YOURS if hidden else fence(shown["text"], "text")
        name = shown["picture"]
        about = re.sub(r"[\[\]]", "", title)
        path = self._picture(name, (KEPT / self.lab.id / name).read_bytes())
        return f"![Picture that the cell shows. {about}]({path})"

    def _sample_cards(self, question_id: str) -> Iterator[str]:
        for side, title in _CARDS.items():
            kept = self.cards.get(question_id, {}).get(side)
            if kept:
                html = card_html(self.lab, question_id, kept)
                parts = [fence(f'<div class="card">{html}</div>', "{raw} html")]
                code = first_code(kept)
                if code:
                    parts.append(f"More about this finding: [{code}](#{code.lower()}).")
                yield dropdown(title, "\n\n".join(parts), f"check {side}")

    def _exercise(self, question_id: str, blocks: list[str]) -> str:
        points = f"{self.lab.questions[question_id].points:g} points"
        title = f"Exercise `{question_id}` · {points}"
        box = directive("exercise", "\n\n".join(blocks), title)
        return f"{target(label(self.lab.id, question_id))}\n{box}"


def code_block(source: str) -> str:
    """The source of a code cell, in its language."""
    if is_foreign(source):
        return fence(source, "bash")
    magic = any(line.lstrip().startswith(("%", "!")) for line in source.splitlines())
    return fence(source, "ipython3" if magic else "python")


def _cell_title(cell: NotebookNode) -> str:
    """What a dropdown with a given cell is called."""
    head = str(cell.source).partition("\n")[0]
    written = re.match(r"%%writefile\s+(\S+)", head)
    return f"A file: `{Path(written[1]).name}`" if written else f"Code to run first: `{cell.id}`"


def _joined(parts: list[Section]) -> str:
    texts = (f"{'#' * part.level} {part.title}\n\n{part.body}".strip() for part in parts)
    return "\n\n".join(text.strip("# ") and text for text in texts)


def _boxed(text: str) -> Iterator[str]:
    """The blocks of an opening; what begins with a bold label goes into a box with its list."""
    lines, waiting = text.splitlines(), ""
    for token in parser().parse(text):
        if token.level or not token.map or token.nesting < 0:
            continue
        block = "\n".join(lines[slice(*token.map)]).strip()
        found = _LABEL.match(block)
        if found and found[1] in _DIRECTIVES:
            waiting = found[1]
            intro = _LABEL.sub("", block).lstrip("*. ").strip()
        elif waiting:
            yield directive(_DIRECTIVES[waiting], f"{intro}\n\n{block}")
            waiting = ""
        elif found:
            yield directive("prerequisites", block, "Time, and what you need")
        else:
            yield block
