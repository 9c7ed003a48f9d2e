"""`autograder demo`: grades a made-up class for each lab and prints tables of scores.

It works in `demo/`, a course of its own that it makes anew each time. `autograder.demo.demo_class`
makes the classes.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from autograder import bank
from autograder.building.build import build
from autograder.course import Course, Lab
from autograder.demo.demo_class import Bank, GradedQuestion, Member, members
from autograder.demo.made_up_students import copy_course, hand_in, read_points
from autograder.engine.client import EngineError, engine
from autograder.term.report import class_report
from litcourse.core.exit_codes import ExitCode

CELL_SECONDS = 60
"""Time limit of a cell: one submission has a loop that never ends."""
START_SECONDS = 120
WIDTH = 110
"""Columns of the tables without a terminal."""


@dataclass(frozen=True)
class LabClass:
    """A lab of the demo with its class."""

    lab: Lab
    cases: Bank
    class_: Sequence[Member]


def run(course: Course) -> int:
    """Build, submit, grade and print the scores.

    Returns:
        the exit code: whether every member of the class has the points that it should have.

    Raises:
        AuthorError: a lab can't be built.
    """
    console, started = Console(), time.perf_counter()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    engine()  # it imports while this process builds
    demo = course.root / "demo"
    shutil.rmtree(demo, ignore_errors=True)
    demo.mkdir()
    console.print(f"Building {', '.join(course.labs)} …")
    build(course, out=demo)
    classes = [_make_class(course, demo, lab) for lab in course.labs.values()]
    _grade(console, demo)
    right = [_print_table(console, demo, lab_class) for lab_class in classes]
    _print_paths(console, demo, classes)
    class_report.report(Course(demo), (), demo / "report.html")
    count = sum(len(lab_class.class_) for lab_class in classes)
    console.print(f"{count} submissions in {time.perf_counter() - started:.0f} s.")
    return ExitCode.DONE if all(right) else ExitCode.INCOMPLETE


def _make_class(course: Course, demo: Path, lab: Lab) -> LabClass:
    """Submit the notebooks of the class of `lab`; only the first lab gets broken ones."""
    made = copy_course(course, demo, lab, lab.questions).lab(lab.id)
    cases = bank.load(made)
    class_ = members(made, cases, troubles=lab.id == next(iter(course.labs)))
    unsolved = nbformat.read(demo / "release" / lab.id / made.path.name, as_version=4)
    for member in class_:
        hand_in(demo, member.name, lab.id, member.submission(made, unsolved, cases))
    return LabClass(made, cases, class_)


def _grade(console: Console, demo: Path) -> None:
    """Grade with the ordinary command; without a sandbox if this machine allows none."""
    from autograder.grading import run as grading

    with (demo / "nbgrader_config.py").open("a", encoding="utf-8") as settings:
        settings.write(f"\nc.RunSubmission.cell_seconds = {CELL_SECONDS}\n")
    reason = _no_sandbox()
    if reason:
        console.rule("NO SANDBOX", style="bold red")
        text = f"This machine can't isolate a submission: {reason}. Those of the demo are our own, "
        console.print(text + "so it goes on. Grading real ones would stop here.", style="red")
    grading.grade(Course(demo), grading.Options(sandbox=not reason))


def _no_sandbox() -> str:
    """Why this machine can't isolate a kernel, or ""."""
    # In a fork: a kernel client leaves threads behind, and the grader forks its workers.
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(_try_sandbox)


def _try_sandbox() -> str:
    from autograder.nbgrader_plugins.graded_kernel import Kernel

    with tempfile.TemporaryDirectory() as folder:
        try:
            Kernel(Path(folder), START_SECONDS, sandbox=True, limits={}).stop()
        except EngineError as error:
            return str(error)
    return ""


def _print_table(console: Console, demo: Path, lab_class: LabClass) -> bool:
    """Print the table of a lab and its faults; whether there are none."""
    lab, names = lab_class.lab, list(lab_class.lab.questions)
    most = ", ".join(_format_number(lab.questions[name].points) for name in names)
    title = f"Points in {lab.id}, of {most}"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("student", no_wrap=True)
    table.add_column("what it is")
    for head in (*names, "total", "ok"):
        table.add_column(head, justify="right", no_wrap=True)
    scores, faults = read_points(demo, lab.id, [member.name for member in lab_class.class_]), []
    for member in lab_class.class_:
        got = {name: _read_result(demo, lab, member, scores, name) for name in names}
        wrong = [
            f"{member.name}, {name}: {_format_number(graded.points)}; {fault}; findings: "
            + (", ".join(graded.codes) or "none")
            for name, graded in got.items()
            if (fault := member.fault(lab, lab_class.cases, name, graded))
        ]
        cells = [_format_number(graded.points) for graded in got.values()]
        total = _format_number(sum(graded.points or 0 for graded in got.values()))
        table.add_row(member.name, member.what, *cells, total, "NO" if wrong else "yes")
        faults += wrong
    console.print(table)
    for fault in faults:
        console.print(fault, style="red", soft_wrap=True)
    return not faults


def _read_result(
    demo: Path, lab: Lab, member: Member, scores: dict[str, dict[str, float | None]], name: str
) -> GradedQuestion:
    path = demo / "evidence" / lab.id / member.name / f"{name}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    codes = tuple(finding["code"] for finding in known.get("findings", []))
    return GradedQuestion(scores[member.name].get(name), codes)


def _format_number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _print_paths(console: Console, demo: Path, classes: Sequence[LabClass]) -> None:
    for lab_class in classes:
        for member in lab_class.class_:
            path = demo / "feedback" / member.name / lab_class.lab.id / f"{lab_class.lab.id}.html"
            console.print(f"feedback   {path}", soft_wrap=True)
    console.print(f"gradebook  {demo / 'gradebook.db'}", soft_wrap=True)
    console.print(f"log        {demo / 'evidence' / 'grading.log'}", soft_wrap=True)
