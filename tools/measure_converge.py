"""Print how well right answers to lab 2's `converge` do, for the threshold of its judge.

    python tools/measure_converge.py [--runs 40] [--first 0]

Right answers are the notebook's solution and the right variants of the bank that change what is
trained. Each run draws its inputs anew, as grading does; accuracies are those that the judge
computes. At the end stands what a normal law and, more carefully, one of logits says of the
thousandth part of runs. Takes about two seconds a run on one core.
"""

from __future__ import annotations

import argparse
import math
import platform
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import lightning as L
import nbformat
import torch

from autograder.bank import Case, without_markers
from autograder.bank.lab2_cifar10 import converge as bank
from autograder.bank.lab2_cifar10 import schedule
from litcourse.core.evidence import Evidence
from litcourse.core.namespace import Student
from litcourse.labs.lab2_cifar10 import converge
from litcourse.probing.silenced import scratch_folder

NOTEBOOK = Path(__file__).parents[1] / "source" / "lab2_cifar10" / "lab2_cifar10.ipynb"
CELLS = ("setup", "schedule", "engineer", "converge")
THOUSANDTH = 3.09
"""Standard deviations below the mean that one run in a thousand falls short of, normal law."""


def answers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and namespaces of right answers."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = {cell.id: cell.source for cell in notebook.cells if cell.id in CELLS}
    cases: dict[str, dict[str, Case]] = {"solution": {}}
    for name in ("plain momentum", "norms and biases without decay"):
        cases[name] = {"schedule": _case(schedule.CASES, name)}
    for name in ("by make_trainer", "the best checkpoint"):
        cases[name] = {"converge": _case(bank.CASES, name)}
    for name, changed in cases.items():
        names: dict[str, Any] = {"__name__": "__main__"}
        for cell in CELLS:
            source = changed[cell].answer(cells[cell]) if cell in changed else cells[cell]
            exec(compile(without_markers(source), cell, "exec"), names)  # noqa: S102 (the course's own)
        yield name, names


def _case(cases: list[Case], name: str) -> Case:
    return next(case for case in cases if case.id == name)


def accuracy(names: dict[str, Any], seed: str) -> float:
    """The share of unseen images that one run gets right, as the judge computes it."""
    inputs = converge.draw(Random(seed))
    with scratch_folder():
        evidence = Evidence(converge.probe_main(inputs.shown, Student(names)))
    found: float = converge.share_right(inputs, evidence["weights"].tensors()) or 0.0
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="runs of each right answer")
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    arguments = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, 1 thread, torch {torch.__version__},"
        f" lightning {L.__version__}"
    )
    every: list[float] = []
    for name, names in answers():
        start = time.process_time()
        numbers = range(arguments.first, arguments.first + arguments.runs)
        shares = [accuracy(names, f"{name} {number}") for number in numbers]
        seconds = (time.process_time() - start) / len(shares)
        every += shares
        print(f"{name}: {_described(shares)}, {seconds:.2f} CPU s each", flush=True)
    print(f"all: {_described(every)}")
    logits = [math.log(share / (1 - min(share, 0.999))) for share in every]
    low = statistics.mean(logits) - THOUSANDTH * statistics.stdev(logits)
    print(
        f"one in a thousand below: {_low(every):.3f} (normal),"
        f" {1 / (1 + math.exp(-low)):.3f} (logits); the judge asks for {converge.LEAST_ACCURACY}"
    )
    off = (statistics.mean(every) - converge.LEAST_ACCURACY) / statistics.stdev(every)
    print(f"the limit lies {off:.1f} standard deviations below the mean")


def _low(shares: list[float]) -> float:
    return statistics.mean(shares) - THOUSANDTH * statistics.stdev(shares)


def _described(shares: list[float]) -> str:
    mean, spread = statistics.mean(shares), statistics.stdev(shares)
    return f"{mean:.3f} ± {spread:.3f} ({min(shares):.3f} to {max(shares):.3f}, n={len(shares)})"


if __name__ == "__main__":
    main()
