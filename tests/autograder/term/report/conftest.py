"""Fixtures: those of the term's tests, and a class that is made up."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.building.scaffold import scaffold
from autograder.course import Course
from autograder.demo.made_up_students import fill_notebook
from autograder.stubs import clear_answers
from tests.autograder.conftest import _write_judge
from tests.autograder.grading.conftest import LAB, QUESTION, RIGHT, WRONG, Class, _imported, group
from tests.autograder.term.conftest import Exchange, call, exchange

__all__ = ["_imported", "call", "exchange", "group"]

RENAMED = f"def {QUESTION}(value):\n    unusual_name = value\n    return unusual_name + 1"
SPACED = f"def {QUESTION}(count):\n    another_name = count\n    return another_name + 1"
RAISES = f'def {QUESTION}(number):\n    raise ValueError("</pre><script>alert(1)</script>")'
STUB = ""


@dataclass
class MadeUp:
    """A class of several labs, with what was made up about it.

    Args:
        group: the course.
        labs: ids of its labs.
        roster: ids of the students on the roster.
        sent: by lab and student, the answer that counts.
        strangers: by lab, who is not on the roster.
    """

    group: Class
    labs: list[str]
    roster: list[str]
    sent: dict[tuple[str, str], str] = field(default_factory=dict)
    strangers: dict[str, list[str]] = field(default_factory=dict)

    def of(self, lab: str) -> dict[str, str]:
        """The answers of those on the roster, by student."""
        return {who: answer for (name, who), answer in self.sent.items() if name == lab}


def more_labs(course: Course, count: int) -> list[str]:
    """Labs beside the tiny one, with the same judge."""
    names = [f"{LAB}_{number}" for number in range(1, count)]
    for name in names:
        scaffold(course, name, QUESTION)
        _write_judge(course.root / f"litcourse/labs/{name}/{QUESTION}.py")
    return [LAB, *names]


def made_up(group: Class, exchange: Exchange, labs: int, students: int) -> MadeUp:
    """Tries, no-shows, strangers, copies and late hand-ins, drawn; nothing is graded yet."""
    chance = Random(7)
    made = MadeUp(group, more_labs(group.course, labs), [f"s{n:02}" for n in range(students)])
    group.course = Course(group.root)
    with Gradebook(f"sqlite:///{group.root / 'gradebook.db'}", "litcourse") as gradebook:
        for number, who in enumerate(made.roster):
            gradebook.add_student(who, first_name=f"Given{number}", last_name="<b>Family</b>")
        for lab in made.labs:
            gradebook.add_assignment(lab, duedate="2026-11-10 12:00:00")
    for lab in made.labs:
        for who in made.roster:
            answers = chance.choices(
                [STUB, WRONG, RIGHT, RENAMED, RAISES], k=chance.choice((0, 1, 1, 2))
            )
            for day, answer in enumerate(answers, start=9):
                submit(exchange, lab, who, answer, day)
                made.sent[lab, who] = answer
        made.strangers[lab] = [f"{lab}-stranger"]
        submit(exchange, lab, made.strangers[lab][0], RIGHT, 9)
    return made


def submit(exchange: Exchange, lab: str, student: str, answer: str, day: int) -> None:
    """Submit for `lab` on a day of November, at 13:00 UTC: late from the tenth on."""
    at = f"2026-11-{day:02} 13:00:00.000000 UTC"
    folder = exchange.inbound / f"{student}+{lab}+{at}+{day}"
    folder.mkdir()
    notebook = clear_answers(exchange.group.course.lab(lab).notebook)
    nbformat.write(
        fill_notebook(notebook, {QUESTION: answer} if answer else {}), folder / f"{lab}.ipynb"
    )
    (folder / "timestamp.txt").write_text(at, encoding="utf-8")
    (folder / "submission_secret.txt").write_text(f"{day}" * 32, encoding="utf-8")


@pytest.fixture
def late(group: Class) -> Class:
    """The class, with half a point off for each late hand-in."""
    (group.root / "half_off.py").write_text(
        "from nbgrader.plugins import BasePlugin\n\n\n"
        "class HalfOff(BasePlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n"
        "        return 0.5 if total_seconds_late > 0 else None\n",
        encoding="utf-8",
    )
    group.settings("from half_off import HalfOff\nc.AssignLatePenalties.plugin_class = HalfOff\n")
    return group
