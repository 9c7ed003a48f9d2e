"""Evidence from the instructor's solution, for questions whose expected value is the answer itself.

Such a question sets `by_solution`, and its judge compares with `inputs.withheld["solution"]`. For
the inputs of a student's own check, `autograder build` freezes that evidence in a file that ships
beside the question. For other inputs the instructor's side measures it.
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
    """The probe fails on the instructor's solution; the message says how."""


def add_solution(inputs: Inputs, evidence: Tree) -> Inputs:
    """`inputs` with the evidence from the solution, for the judge alone."""
    return Inputs(inputs.shown, {**inputs.withheld, SOLUTION: evidence})


def draw_inputs(question: Question, rng: Random, cells: Sequence[str]) -> Inputs:
    """Inputs from `rng`, with the evidence from the solution if the question is `by_solution`.

    Args:
        question: the question.
        rng: random source of the inputs.
        cells: as for `measure_solution`; used only if the question is `by_solution`.

    Raises:
        SolutionError: the probe fails on the solution.
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
    """The file with the frozen evidence; it may not exist yet."""
    package = importlib.import_module(f"litcourse.labs.{lab}")
    return files(package) / FROZEN / f"{question_id}.safetensors"


def load_frozen_evidence(lab: str, question_id: str) -> Tree:
    """The evidence from the solution for the inputs of a student's own check.

    Raises:
        FileNotFoundError: nobody has built the lab since the question was added.
    """
    file = frozen_file(lab, question_id)
    if not file.is_file():
        raise FileNotFoundError(
            f"{lab}, question {question_id!r}: nothing is frozen at {file}. "
            f"Instructors make it with: autograder build {lab}"
        )
    return decode(file.read_bytes())


def measure_solution(question: Question, shown: dict[str, Tree], cells: Sequence[str]) -> Tree:
    """The evidence from a solution.

    Args:
        question: the question.
        shown: the inputs.
        cells: sources of the solved notebook's code cells up to the solution, to run in order;
            cells that begin with a cell magic are skipped.
    """
    return take_evidence(question, shown, _run_cells(tuple(cells)))


@lru_cache(maxsize=32)
def _run_cells(cells: tuple[str, ...]) -> dict[str, Any]:
    """The names that `cells` define; the instructor wrote them, so they run in this process."""
    from IPython.core.inputtransformer2 import TransformerManager

    names: dict[str, Any] = {"__name__": "__main__"}
    for source in cells:
        if not source.startswith("%%"):
            text = TransformerManager().transform_cell(source)
            code = compile(text, "<solution>", "exec", dont_inherit=True)
            exec(code, names)  # noqa: S102 (the instructor's own cells)
    return names
