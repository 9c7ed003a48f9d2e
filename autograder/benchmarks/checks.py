"""`make bench`: measures checks, a graded lab and the build of each lab.

A check's wall time is how long a student waits. The processor time of the solved lab, without
imports, is what grading takes per submission. The process imports once and forks for each
repetition, as `verify` does.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

from autograder.bank import without_markers
from autograder.building import build
from autograder.course import CHECK, Course, Lab, grade_id, is_demo
from autograder.verifying.solutions import draw_inputs
from autograder.verifying.warm_runner import warm_up
from litcourse.core.exit_codes import ExitCode
from litcourse.probing.probe_runner import take_evidence

REPETITIONS = 5
PACKAGES = ("torch", "torchvision", "lightning", "nbgrader", "otter-grader")


def run(course: Course) -> int:
    """Measure every lab, print a table, write `bench/results/<lab>.json`; returns 0."""
    warm_up()
    console = Console()
    for lab in course.labs.values():
        results = {**_machine(), "n": REPETITIONS, **_measure(course, lab)}
        path = course.root / "bench" / "results" / f"{lab.id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        console.print(_table(lab, results))
        console.print(f"wrote {path.relative_to(course.root)}")
    return ExitCode.DONE


def _machine() -> dict[str, Any]:
    return {
        "hardware": {"machine": platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
    }


def _measure(course: Course, lab: Lab) -> dict[str, Any]:
    runs = [_call_in_fork(_time_checks, lab) for _ in range(REPETITIONS)]
    graded = [_call_in_fork(_time_grading, lab)["cpu"] for _ in range(REPETITIONS)]
    checks = {
        name: {
            "wall_seconds": _spread([run["checks"][name]["wall"] for run in runs]),
            "cpu_seconds": _spread([run["checks"][name]["cpu"] for run in runs]),
            "score": min(run["checks"][name]["score"] for run in runs),
        }
        for name in lab.questions
    }
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        build.build(course, [lab.id], Path(folder))
        seconds = time.perf_counter() - started
    return {
        "checks": checks,
        "graded_lab_cpu_seconds": _spread(graded),
        "build_seconds": round(seconds, 2),
    }


def _spread(values: list[float]) -> dict[str, float]:
    found = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, 3) for name, value in found.items()}


def _call_in_fork(action: Callable[[Lab], dict[str, Any]], lab: Lab) -> dict[str, Any]:
    """The result of `action(lab)` in a fork, so that no repetition speeds up another."""
    context = multiprocessing.get_context("fork")
    with context.Pool(1) as pool:
        return pool.apply(_call_in_folder, (action, lab))


def _call_in_folder(action: Callable[[Lab], dict[str, Any]], lab: Lab) -> dict[str, Any]:
    """Call `action(lab)` in an empty folder, since labs write programs, and without output."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        Path(os.devnull).open("w") as null_device,
        contextlib.redirect_stdout(null_device),
    ):
        return action(lab)


def _cpu_seconds() -> float:
    """Processor seconds of this process and of the child processes that it waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _run_notebook(lab: Lab, on_check: Callable[[Any, str, str], None]) -> None:
    """Run the solved notebook without demonstrations; call `on_check` at each check cell."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    for cell in lab.notebook.cells:
        name = grade_id(cell)
        if cell.cell_type != "code" or is_demo(cell):
            continue
        if name.endswith(CHECK):
            on_check(shell, name.removesuffix(CHECK), cell.source)
        else:
            shell.run_cell(without_markers(cell.source))


def _time_checks(lab: Lab) -> dict[str, Any]:
    """Time each check as a student calls it: draw, probe, judge and card."""
    checks = {}

    def on_check(shell: Any, question_id: str, source: str) -> None:
        wall, cpu = time.perf_counter(), _cpu_seconds()
        report = shell.ev(source)
        checks[question_id] = {
            "wall": time.perf_counter() - wall,
            "cpu": _cpu_seconds() - cpu,
            "score": report.verdict.score,
        }

    _run_notebook(lab, on_check)
    return {"checks": checks}


def _time_grading(lab: Lab) -> dict[str, Any]:
    """Time the work of a graded kernel: the student's cells and the probes."""
    draws = {name: draw_inputs(lab, name, Random(1)) for name in lab.questions}

    def on_check(shell: Any, question_id: str, _: str) -> None:
        take_evidence(lab.find_question(question_id), draws[question_id].shown, shell.user_ns)

    before = _cpu_seconds()
    _run_notebook(lab, on_check)
    return {"cpu": _cpu_seconds() - before}


def _table(lab: Lab, results: dict[str, Any]) -> Table:
    table = Table(title=f"{lab.id}: seconds, medians of {REPETITIONS}")
    for heading in ("", "wall", "CPU", "score"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in results["checks"].items():
        wall, cpu = row["wall_seconds"]["median"], row["cpu_seconds"]["median"]
        table.add_row(f"check {name}", f"{wall:.2f}", f"{cpu:.2f}", f"{row['score']:.0%}")
    graded = results["graded_lab_cpu_seconds"]["median"]
    table.add_row("whole lab, graded", "", f"{graded:.2f}", "")
    table.add_row("build", f"{results['build_seconds']:.1f}", "", "")
    return table
