"""`make bench-grade`: compares the speed of grading with stock nbgrader and otter.

It grades a mixed class of lab 1, drawn from the bank with a fixed seed, three times: by
`autograder grade`, by `nbgrader autograde` with nbgrader's own preprocessors and cold kernels,
and by `otter run`. The last two are slow, so they get only every n-th submission. The limit is the
time for nothing but the students' cells and the probes: their CPU seconds over the cores. In a
large mixed class, the start and the last submissions, during which cores idle, weigh less. Classes
of 10, 100 and 500 stubs show that time per submission and memory of the grading process do not
grow.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import nbformat
import psutil
from nbformat import NotebookNode
from rich.console import Console
from rich.table import Table

from autograder import bank
from autograder.building.build import build
from autograder.course import Course, Lab
from autograder.demo.made_up_students import copy_course, fill_notebook, hand_in
from autograder.engine import client
from autograder.grading.records import RECORD
from autograder.nbgrader_plugins.graded_kernel import Kernel
from litcourse.core.exit_codes import ExitCode

LAB = "lab1_mnist"
MIXED, LARGE, STUBS = 30, 200, (10, 100, 500)
STARTS = 20
"""Number of kernels whose start is timed."""
BASELINE = 6
"""Number of submissions for nbgrader and otter."""
SAMPLE = 0.5
"""Seconds between two measurements of the memory."""
PACKAGES = ("torch", "lightning", "nbgrader", "otter-grader", "nbclient", "ipykernel")
STOCK = 'c = get_config()\nc.CourseDirectory.course_id = "stock"\nc.Execute.timeout = 300\n'


@dataclass
class Timing:
    """Wall and CPU seconds of a command with its children, and its memory over time."""

    wall: float = 0.0
    cpu: float = 0.0
    memory_mib: list[float] = field(default_factory=list)


def run(
    course: Course, mixed: int = MIXED, large: int = LARGE, stubs: Sequence[int] = STUBS
) -> int:
    """Measure, print a table, write `bench/results/grade.json`.

    Args:
        course: the course; only the results file in it changes.
        mixed: size of the mixed class.
        large: size of the large mixed class.
        stubs: sizes of the classes of stubs.

    Returns:
        0, or 1 if a submission was not graded.
    """
    console = Console()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder)
        build(course, [LAB], root / "built")
        unsolved = nbformat.read(root / "built" / "release" / LAB / f"{LAB}.ipynb", as_version=4)
        class_ = _mixed_class(course.lab(LAB), unsolved, mixed)
        part = dict(list(class_.items())[:: max(1, mixed // BASELINE)][:BASELINE])
        console.print(f"autograder grade: {mixed} mixed submissions …")
        ours, records = _grade_with_autograder(course, root / "ours", class_)
        console.print(f"autograder grade: {large} mixed submissions …")
        many = _mixed_row(
            *_grade_with_autograder(
                course, root / "large", _mixed_class(course.lab(LAB), unsolved, large)
            )
        )
        console.print(f"nbgrader autograde, stock: {len(part)} of them …")
        stock = _grade_with_nbgrader(course, root / "stock", part)
        console.print(f"otter run: {len(part)} of them …")
        otter = _grade_with_otter(root, part)
        growth = []
        for count in stubs:
            console.print(f"autograder grade: {count} stubs …")
            growth.append(_grade_stubs(course, root / f"stubs{count}", unsolved, count))
        for row, before in zip(growth[1:], growth, strict=False):
            more = row["wall_seconds"] - before["wall_seconds"]
            row["seconds_each_more"] = round(
                more / (row["n"] - before["n"]), 3
            )  # without the start of a run
    console.print(f"{STARTS} sandboxed kernels, one after the other …")
    results = _results(_mixed_row(ours, records), many, stock, otter, growth)
    results["kernel_ready_seconds"] = _time_kernel_starts()
    path = course.root / "bench" / "results" / "grade.json"
    path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    console.print(_table(results))
    console.print(f"wrote {path.relative_to(course.root)}")
    lost = sum(row["n"] - row["graded"] for row in (results["mixed"], many, *growth))
    return ExitCode.INCOMPLETE if lost else ExitCode.DONE


def _mixed_class(lab: Lab, unsolved: NotebookNode, count: int) -> dict[str, NotebookNode]:
    """A class whose answers are half the solution, the rest unusual, wrong or a stub."""
    rng, cases, class_ = Random(1), bank.load(lab), {}
    for number in range(count):
        answers = {}
        for name, cells in lab.questions.items():
            independent = [case for case in cases[name] if not case.after]
            kind = rng.choices(["solution", "right", "wrong", "stub"], [50, 15, 25, 10])[0]
            if kind == "solution":
                answers[name] = bank.without_markers(cells.solution)
            elif kind != "stub":
                case = rng.choice([case for case in independent if case.right == (kind == "right")])
                answers[name] = case.answer(cells.solution)
        class_[f"student{number:03d}"] = fill_notebook(unsolved, answers)
    return class_


def _make_course(course: Course, root: Path, class_: dict[str, NotebookNode]) -> None:
    root.mkdir()
    lab = course.lab(LAB)
    copy_course(course, root, lab, lab.questions)
    for student, notebook in class_.items():
        hand_in(root, student, LAB, notebook)


def _grade_with_autograder(
    course: Course, root: Path, class_: dict[str, NotebookNode]
) -> tuple[Timing, list[dict[str, Any]]]:
    _make_course(course, root, class_)
    timing = _time_command([_program("autograder"), "grade", LAB], root)
    files = root.glob(f"evidence/{LAB}/*/{RECORD}")
    return timing, [json.loads(file.read_text(encoding="utf-8")) for file in files]


def _grade_with_nbgrader(course: Course, root: Path, class_: dict[str, NotebookNode]) -> Timing:
    _make_course(course, root, class_)
    (root / "nbgrader_config.py").write_text(STOCK, encoding="utf-8")
    command = [sys.executable, "-m", "nbgrader"]
    subprocess.run([*command, "generate_assignment", LAB], cwd=root, check=True, env=_variables(),
                   capture_output=True)  # fmt: skip
    return _time_command([*command, "autograde", LAB], root)


def _grade_with_otter(root: Path, class_: dict[str, NotebookNode]) -> Timing:
    bundle = root / "built" / "dist" / "otter" / f"{LAB}.zip"
    total = Timing()
    for student, notebook in class_.items():
        folder = root / "otter" / student
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{LAB}.ipynb")
        command = [_program("otter"), "run"]
        each = _time_command([*command, "-a", str(bundle), "-o", ".", f"{LAB}.ipynb"], folder)
        total.wall, total.cpu = total.wall + each.wall, total.cpu + each.cpu
    return total


def _grade_stubs(course: Course, root: Path, unsolved: NotebookNode, count: int) -> dict[str, Any]:
    timing, records = _grade_with_autograder(
        course, root, {f"stub{i:03d}": unsolved for i in range(count)}
    )
    memory = timing.memory_mib
    return {
        "n": count,
        "graded": sum(record["written"] for record in records),
        "wall_seconds": round(timing.wall, 2),
        "cpu_seconds": round(timing.cpu, 2),
        "seconds_each": round(timing.wall / count, 3),
        "memory_mib": {
            "first_quarter": round(statistics.median(memory[: max(1, len(memory) // 4)]), 1),
            "last_quarter": round(statistics.median(memory[-max(1, len(memory) // 4) :]), 1),
            "peak": round(max(memory), 1),
        },
    }


def _time_kernel_starts() -> dict[str, float]:
    """Seconds from the request for a sandboxed kernel until it is ready."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for _ in range(STARTS + 1):
                started = time.perf_counter()
                kernel = Kernel(Path(folder), 120, sandbox=True, limits={})
                seconds.append(time.perf_counter() - started)
                kernel.stop()
        finally:
            client.stop()
    del seconds[0]  # the first start waited for the imports
    spread = {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}
    return {"n": STARTS, **{name: round(value, 3) for name, value in spread.items()}}


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _variables() -> dict[str, str]:
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": programs}


def _time_command(command: Sequence[str], folder: Path) -> Timing:
    timing, started = Timing(), time.perf_counter()
    with (folder / "bench.log").open("wb") as log, _process(command, folder, log) as process:
        seen = psutil.Process(process.pid)
        while True:
            done, _, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            timing.memory_mib.append(seen.memory_info().rss / 2**20)
            time.sleep(min(SAMPLE, 0.05 + (time.perf_counter() - started) / 10))
        process.returncode = 0
    timing.wall = time.perf_counter() - started
    timing.cpu = usage.ru_utime + usage.ru_stime
    return timing


@contextmanager
def _process(command: Sequence[str], folder: Path, log: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=folder, env=_variables(), stdout=log, stderr=log)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()


def _mixed_row(timing: Timing, records: list[dict[str, Any]]) -> dict[str, Any]:
    cores = os.cpu_count() or 1
    seconds = [record["student_seconds"] for record in records]
    limit = sum(seconds) / cores
    spread = {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}
    return {
        "n": len(records),
        "graded": sum(record["written"] for record in records),
        "ours_seconds": round(timing.wall, 2),
        "ours_seconds_each": round(timing.wall / len(records), 3),
        "ours_cpu_seconds": round(timing.cpu, 2),
        "student_cpu_seconds": {k: round(v, 3) for k, v in spread.items()},
        "student_cpu_seconds_mean": round(statistics.mean(seconds), 3),
        "limit_seconds": round(limit, 2),
        "ratio_to_limit": round(timing.wall / limit, 3),
        # The ratio if no core had waited: all processor time over the students'.
        "ratio_to_limit_if_never_idle": round(timing.cpu / cores / limit, 3),
    }


def _results(
    mixed: dict[str, Any],
    large: dict[str, Any],
    stock: Timing,
    otter: Timing,
    growth: list[dict[str, Any]],
) -> dict[str, Any]:
    each = mixed["ours_seconds_each"]
    return {
        "command": "make bench-grade",
        "hardware": {"machine": platform.machine(), "cores": os.cpu_count() or 1},
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "mixed": mixed,
        "large": large,
        "nbgrader_seconds_each": round(stock.wall / BASELINE, 2),
        "otter_seconds_each": round(otter.wall / BASELINE, 2),
        "baseline_n": BASELINE,
        "ratio_vs_nbgrader": round(stock.wall / BASELINE / each, 2),
        "ratio_vs_otter": round(otter.wall / BASELINE / each, 2),
        "ratio_to_limit": mixed["ratio_to_limit"],
        "stubs": growth,
    }


def _table(results: dict[str, Any]) -> Table:
    table = Table(title=f"{LAB}: grading a class")
    for heading in ("", "seconds each", "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    mixed, large = results["mixed"], results["large"]
    table.add_row(f"autograder grade, {mixed['n']}", f"{mixed['ours_seconds_each']:.2f}", "1")
    for name in ("nbgrader", "otter"):
        slow = results[f"{name}_seconds_each"]
        table.add_row(f"{name}, by itself", f"{slow:.2f}", f"{results[f'ratio_vs_{name}']:.1f}")
    for row in (mixed, large):
        limit = row["limit_seconds"] / row["n"]
        table.add_row(f"limit, {row['n']}", f"{limit:.2f}", f"{1 / row['ratio_to_limit']:.2f}")
    ready = results["kernel_ready_seconds"]
    table.add_row("a sandboxed kernel is ready", f"{ready['median']:.2f}", "")
    for row in results["stubs"]:
        memory = row["memory_mib"]
        text = f"{memory['first_quarter']:.0f} to {memory['last_quarter']:.0f} MiB"
        table.add_row(f"{row['n']} stubs", f"{row['seconds_each']:.2f}", text)
    return table
