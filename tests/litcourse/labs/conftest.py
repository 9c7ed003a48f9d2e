"""Evidence of lab 1's solution and of its stubs, taken once in this process."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from autograder.bank import without_markers
from litcourse.question import Draw, Question, Tree, find_question
from litcourse.student import take_evidence

LAB = "lab1_mnist"
QUESTIONS = ("wrap", "evaluate", "datamodule", "fit", "reload", "timer")
_REGION = re.compile(r"([ \t]*)### BEGIN SOLUTION.*?### END SOLUTION", re.DOTALL)


@dataclass(frozen=True)
class Answered:
    """A question, one draw of it, and what the probe found on two answers."""

    question: Question
    draw: Draw
    solution: Tree
    stub: Tree


@pytest.fixture(scope="session")
def answered(root: Path) -> Iterator[dict[str, Answered]]:
    import torch

    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        yield _ask_all(_cells(root))
    torch.set_num_threads(threads)


def _cells(root: Path) -> dict[str, str]:
    """Sources of the set-up and the solution cells by id, in order."""
    notebook = json.loads((root / f"source/{LAB}/{LAB}.ipynb").read_text(encoding="utf-8"))
    names = ("setup", *QUESTIONS)
    cells = {c["metadata"].get("nbgrader", {}).get("grade_id"): c for c in notebook["cells"]}
    return {name: "".join(cells[name]["source"]) for name in names}


def _ask_all(cells: dict[str, str]) -> dict[str, Answered]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(cells["setup"], namespace)  # noqa: S102 (the course's own notebook)
    found = {}
    for name in QUESTIONS:
        question = find_question(LAB, name)
        draw = question.draw(Random("a draw for the judges"))
        unsolved = dict(namespace)
        stub = _REGION.sub(r"\1raise NotImplementedError()", cells[name])
        exec(compile(stub, f"<stub of {name}>", "exec"), unsolved)  # noqa: S102 (as above)
        solution = without_markers(cells[name])
        exec(compile(solution, f"<{name}>", "exec"), namespace)  # noqa: S102 (as above)
        found[name] = Answered(
            question,
            draw,
            take_evidence(question, draw.given, namespace),
            take_evidence(question, draw.given, unsolved),
        )
    return found
