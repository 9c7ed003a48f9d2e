"""What the pages around the lessons say of them, read from notebooks, bank and catalogue."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from autograder.bank import load
from autograder.course import AuthorError, Course, Lab
from autograder.pages.lesson_page import label, title_of
from autograder.pages.myst_text import Table, bold_terms, headings, tables
from autograder.pages.sample_cards import common_findings
from litcourse.feedback.catalogue import Entry, catalogue
from litcourse.feedback.guidance import find_guidance

COMMONEST = 10
"""Findings of a lab that the instructor's guide names."""
_NEEDS = re.compile(r"\*\*Time:\*\* *(.+?)\.\s+\*\*Needed:\*\* *(.+?)(?:\n\n|\Z)", re.DOTALL)
_HOURS = {"an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_WORD, _MEANING = "word", "meaning"
"""Head of a table whose rows are entries of the glossary."""
BOLD_TERMS = (
    "LightningModule", "Trainer", "hook", "callback", "loggers", "checkpoint",
    "data module", "validation", "test", "seed", "schedule", "Augmentation",
    "DistributedDataParallel", "global batch", "torchmetrics", "FSDP", "ZeRO", "root",
    "wrapping policy", "mesh", "Slurm", "login node", "compute nodes", "job id", "idempotent",
)  # fmt: skip
"""Words that a lesson explains in the paragraph where it has them in bold for the first time."""


@dataclass(frozen=True)
class Asked:
    """A question, as overviews name it.

    Args:
        id: its id.
        title: its title on a card.
        points: its points.
        link: where it stands.
        think: what to ask people who have solved it.
    """

    id: str
    title: str
    points: float
    link: str
    think: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stumble:
    """A finding, and how many wrong answers of the bank have it first."""

    entry: Entry
    answers: int


@dataclass(frozen=True)
class LabFacts:
    """A lab, as overviews name it.

    Args:
        id: its id.
        title: its title.
        time: how long it takes, in the words of its opening, or "".
        needed: what it takes to begin, likewise.
        questions: its questions, in order.
        stumbles: its commonest findings.
    """

    id: str
    title: str
    time: str
    needed: str
    questions: tuple[Asked, ...]
    stumbles: tuple[Stumble, ...]

    @property
    def points(self) -> float:
        """The points of all questions."""
        return sum(question.points for question in self.questions)

    @property
    def hours(self) -> int:
        """`time` as a number; 0 if it is in other words."""
        found = [_HOURS[word] for word in self.time.lower().split() if word in _HOURS]
        return found[0] if found else 0

    def minutes(self, question: Asked) -> int:
        """A question's part of the lab's time, by its points, to five minutes."""
        return 5 * round(self.hours * 12 * question.points / self.points)


def facts_of(lab: Lab) -> LabFacts:
    """What overviews say of a lab."""
    needs = _NEEDS.search("\n\n".join(_texts(lab)))
    time, needed = (" ".join(part.split()) for part in needs.groups()) if needs else ("", "")
    asked = tuple(
        Asked(
            name,
            lab.find_question(name).title,
            cells.points,
            f"#{label(lab.id, name)}",
            find_guidance(lab.id, name).think,
        )
        for name, cells in lab.questions.items()
    )
    return LabFacts(lab.id, title_of(lab), time, needed, asked, tuple(_stumbles(lab)))


def _stumbles(lab: Lab) -> Iterator[Stumble]:
    """The commonest findings: those that the help names first, then those with many answers."""
    cases = [case for cases in load(lab).values() for case in cases]
    answers = Counter(case.expects for case in cases)
    named = [find_guidance(lab.id, name).common for name in lab.questions]
    codes = [code for row in zip_longest(*named) for code in row if code]
    codes += [code for code, _ in common_findings(cases).most_common()]
    for code in list(dict.fromkeys(codes))[:COMMONEST]:
        yield Stumble(catalogue()[code], answers[code])


def _texts(lab: Lab) -> list[str]:
    return [cell.source for cell in lab.notebook.cells if cell.cell_type == "markdown"]


def text_of(course: Course, lab_id: str, cell_id: str) -> str:
    """The text of a cell.

    Raises:
        AuthorError: there is none; a template of the pages asks for it.
    """
    lab = course.lab(lab_id)
    for cell in lab.notebook.cells:
        if cell.id == cell_id:
            return str(cell.source)
    fault = f"it has no cell {cell_id!r}, which autograder/pages/templates/ asks for"
    raise AuthorError(lab.path, "", fault, "name another cell there")


def link_to(course: Course, lab_id: str, cell_id: str) -> str:
    """A link to the heading under which a cell stands, named as it is."""
    text_of(course, lab_id, cell_id)
    found = f"[{title_of(course.lab(lab_id))}]({lab_id}.md)"
    for cell in course.lab(lab_id).notebook.cells:
        lower = [title for level, title in headings(cell.source) if level > 1]
        if cell.cell_type == "markdown" and lower:
            # What stands behind a heading within a cell stands under the last one.
            title = lower[0] if cell.id == cell_id else lower[-1]
            found = f"[{title}](#{label(lab_id, cell.id)})"
        if cell.id == cell_id:
            break
    return found


def tables_of(course: Course, lab_id: str, cell_id: str) -> list[Table]:
    """The tables of a cell.

    Raises:
        AuthorError: it has none.
    """
    found = tables(text_of(course, lab_id, cell_id))
    if not found:
        fault = f"its cell {cell_id!r} has no table, which autograder/pages/templates/ asks for"
        raise AuthorError(course.lab(lab_id).path, "", fault, "name another cell there")
    return found


def glossary(labs: Iterable[Lab]) -> dict[str, str]:
    """What lessons say of their words: rows of tables, paragraphs that have the word in bold."""
    rows: dict[str, str] = {}
    bold: dict[str, str] = {}
    for lab in labs:
        for source in _texts(lab):
            for table in tables(source):
                if [cell.lower() for cell in table.rows[0]] == [_WORD, _MEANING]:
                    rows |= {word.strip("*`"): text for word, text in table.rows[1:]}
            bold = bold_terms(source) | bold
    found = {term: bold[term].rstrip(";") for term in BOLD_TERMS if term in bold} | rows
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))
