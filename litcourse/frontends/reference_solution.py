"""Where the expected value is the answer itself: what a probe finds on the instructor's solution.

Such a question sets `by_solution`, and its judge compares with `draw.withheld["solution"]`. For the
inputs of a student's own check that evidence was frozen when the lab was built and ships beside
the question; whoever holds the solution computes it for other inputs.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from random import Random
from typing import Any

from litcourse.core.question import Inputs, Question
from litcourse.core.serialization import decode
from litcourse.core.tree import Tree
from litcourse.probing.probe_runner import take_evidence

SOLUTION = "solution"
FROZEN = "frozen"
"""Folder beside a lab's questions that holds the evidence for public inputs."""


class SolutionError(RuntimeError):
    """A solution fails the probe by which answers are compared with it; the message says how."""


def add_solution(inputs: Inputs, evidence: Tree) -> Inputs:
    """`draw` with what the probe found on the solution, for the judge alone."""
    return Inputs(inputs.shown, {**inputs.withheld, SOLUTION: evidence})


def draw_inputs(question: Question, rng: Random, cells: Sequence[str]) -> Inputs:
    """Inputs from `rng`; of a question that is judged by its solution, with what that gives.

    Args:
        question: the question.
        rng: source of the inputs.
        cells: as for `measure_solution`; other questions do not look at them.

    Raises:
        SolutionError: the solution fails.
    """
    inputs = question.draw(rng)
    if not question.by_solution:
        return inputs
    evidence = measure_solution(question, inputs.shown, cells)
    for word in ("missing", "no_file", "error"):
        if isinstance(evidence, dict) and word in evidence:
            raise SolutionError(f"{evidence[word]}")
    return add_solution(inputs, evidence)


def frozen_file(lab: str, question_id: str) -> Traversable:
    """Where the evidence for public inputs lies; it need not be there yet."""
    package = importlib.import_module(f"litcourse.labs.{lab}")
    return files(package) / FROZEN / f"{question_id}.safetensors"


def load_frozen_evidence(lab: str, question_id: str) -> Tree:
    """What the probe found on the solution, on the inputs of a student's own check.

    Raises:
        FileNotFoundError: the lab was not built since the question came.
    """
    file = frozen_file(lab, question_id)
    if not file.is_file():
        raise FileNotFoundError(
            f"{lab}, question {question_id!r}: nothing is frozen at {file}. "
            f"Instructors make it with: autograder build {lab}"
        )
    return decode(file.read_bytes())


def measure_solution(question: Question, shown: dict[str, Tree], cells: Sequence[str]) -> Tree:
    """What the probe finds on a solution.

    Args:
        question: the question.
        shown: the inputs.
        cells: sources of the notebook's code cells up to the solution, solved, run in order;
            those that begin with a cell magic are left out.
    """
    return take_evidence(question, shown, _run_cells(tuple(cells)))


@lru_cache(maxsize=32)
def _run_cells(cells: tuple[str, ...]) -> dict[str, Any]:
    """The names that `cells` define; they are the instructor's, so they run here."""
    from IPython.core.inputtransformer2 import TransformerManager

    names: dict[str, Any] = {"__name__": "__main__"}
    for source in cells:
        if not source.startswith("%%"):
            text = TransformerManager().transform_cell(source)
            code = compile(text, "<solution>", "exec", dont_inherit=True)
            exec(code, names)  # noqa: S102 (the instructor's own cells)
    return names
