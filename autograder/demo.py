"""`autograder demo`: a made-up class, graded by nbgrader's own commands, and a table of scores.

Everything happens in `demo/`, a course of its own that is made anew each time. The class is
defined in `autograder.demo_class`.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import nbformat
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from autograder import bank
from autograder.build import build
from autograder.classroom import copied, hand_in, nbgrader_lines, points
from autograder.course import Course, Lab
from autograder.demo_class import CLASS, Member

LAB = "lab1_mnist"
CELL_SECONDS = 30
"""Time limit of a cell: one of the class has a loop that never ends."""
WIDTH = 110
"""Columns of the table in a file or a pipe; in a terminal as many as it has."""
Scores = dict[str, dict[str, float | None]]


def run(course: Course) -> int:
    """Build, hand in, grade, and print what came out.

    Returns:
        0 if every member of the class has the points that it should have, else 1.

    Raises:
        AuthorError: the lab can't be built.
    """
    console, started = Console(), time.perf_counter()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    demo = course.root / "demo"
    shutil.rmtree(demo, ignore_errors=True)
    demo.mkdir()
    console.print(f"Building {LAB} …")
    build(course, [LAB], out=demo)
    lab = course.lab(LAB)
    graded = copied(course, demo, lab, lab.questions).lab(LAB)
    _hand_in(demo, graded)
    _grade(console, demo)
    scores = points(demo, LAB, [member.name for member in CLASS])
    right = _show(console, demo, graded, scores)
    console.print(f"{len(CLASS)} submissions in {time.perf_counter() - started:.0f} s.")
    return 0 if right else 1


def _hand_in(demo: Path, lab: Lab) -> None:
    unsolved = nbformat.read(demo / "release" / LAB / f"{LAB}.ipynb", as_version=4)
    cases = bank.load(lab)
    for member in CLASS:
        hand_in(demo, member.name, LAB, member.submission(lab, unsolved, cases))


def _grade(console: Console, demo: Path) -> None:
    limit = f"--RunSubmission.cell_seconds={CELL_SECONDS}"
    console.print(f"Grading {len(CLASS)} submissions with nbgrader autograde …")
    number = 0
    with (demo / "grading.log").open("w", encoding="utf-8") as log:
        for line in nbgrader_lines(demo, "autograde", LAB, limit):
            log.write(line)
            if "Sanitizing" in line:
                number += 1
                student = Path(line.strip()).parts[-3]
                what = next(member.what for member in CLASS if member.name == student)
                console.print(f"  {number:2d} of {len(CLASS)}  {student}: {what}")
        console.print("Writing feedback with nbgrader generate_feedback …")
        log.writelines(nbgrader_lines(demo, "generate_feedback", LAB))


def _show(console: Console, demo: Path, lab: Lab, scores: Scores) -> bool:
    table = Table(title=f"Points in {LAB}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("student", no_wrap=True)
    table.add_column("what it is")
    for head in (*lab.questions, "total", "due", "ok"):
        table.add_column(head, justify="right", no_wrap=True)
    verdicts = []
    for member in CLASS:
        got, expected = scores[member.name], member.expected(lab)
        verdicts.append(_same(got, expected))
        cells = [_number(got.get(name)) for name in lab.questions]
        total = _number(sum(value or 0 for value in got.values()))
        mark = "yes" if verdicts[-1] else "NO"
        table.add_row(
            member.name, member.what, *cells, total, _number(sum(expected.values())), mark
        )
    console.print(table)
    for member, right in zip(CLASS, verdicts, strict=True):
        if not right:
            _explain(console, demo, lab, member, scores[member.name])
    _say_where(console, demo)
    return all(verdicts)


def _same(got: dict[str, float | None], expected: dict[str, float]) -> bool:
    pairs = ((got.get(name), points) for name, points in expected.items())
    return all(found is not None and abs(found - points) < 1e-6 for found, points in pairs)  # noqa: PLR2004 (rounding)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _explain(
    console: Console, demo: Path, lab: Lab, member: Member, got: dict[str, float | None]
) -> None:
    """Which questions of a member have other points than they should, and the findings there."""
    for name, expected in member.expected(lab).items():
        if _same(got, {name: expected}):
            continue
        path = demo / "evidence" / LAB / member.name / f"{name}.json"
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        codes = ", ".join(finding["code"] for finding in known.get("findings", [])) or "no finding"
        text = f"{member.name}, {name}: {_number(got.get(name))} of {expected:g} expected; {codes}"
        console.print(text, style="red")


def _say_where(console: Console, demo: Path) -> None:
    for member in CLASS:
        path = demo / "feedback" / member.name / LAB / f"{LAB}.html"
        console.print(f"feedback   {path}", soft_wrap=True)
    console.print(f"gradebook  {demo / 'gradebook.db'}", soft_wrap=True)
    console.print(f"log        {demo / 'grading.log'}", soft_wrap=True)
