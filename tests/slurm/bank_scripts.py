"""The job scripts of lab 5's bank, as cases of the corpus: every right and wrong answer."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from autograder.bank import load, without_markers
from litcourse.labs.lab5_slurm.diagnose import examples
from litcourse.probing.processor_limit import TooLongError, processor_limit
from tests.course import LABS

LAB = LABS["lab5_slurm"]
OPTIONS: dict[str, list[tuple[str, ...]]] = {
    "one_gpu": [()], "one_node": [()], "requeue": [()],
    "many_nodes": [(), ("--nodes=5",), ("--nodes=8",)],
}  # fmt: skip
"""Questions that are files: words of sbatch's command line, for each submission."""
FILES = {"train.py": "", ".venv/": "", ".venv/bin/": "", ".venv/bin/activate": ""}
"""What lies beside the script; a name that ends in / is a folder."""
SECONDS = 1
"""Processor time for one call of `repair`, as in the question."""
_SOLVED = re.compile(r"### BEGIN SOLUTION.*### END SOLUTION\n?", re.DOTALL)


def answers(question: str) -> dict[str, str]:
    """The answers of a bank by name, the solution and the stub among them."""
    solution = LAB.questions[question].solution
    found = {"solution": without_markers(solution), "stub": _SOLVED.sub("# YOUR CODE\n", solution)}
    return found | {case.id: case.answer(solution) for case in load(LAB)[question]}


def script_of(answer: str) -> str:
    """The file that a cell with `%%writefile` in its first line writes."""
    return answer.partition("\n")[2].rstrip("\n") + "\n"


@cache
def all_cases() -> dict[str, dict[str, Any]]:
    """The questions that are files: `one_gpu: two nodes`, `many_nodes: localhost --nodes=8`."""
    found: dict[str, dict[str, Any]] = {}
    for question, submissions in OPTIONS.items():
        for name, answer in answers(question).items():
            for options in submissions:
                shown = " ".join([f"{question}: {name}", *options])
                found[shown] = _case(shown, script_of(answer), options)
    return found


def cases_of_diagnose(names: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Scripts of the lesson as they are, and what answers return, each text once.

    Args:
        names: of the answers; all by default.
    """
    shown = examples()
    texts = {script: f"diagnose: {kind}, as it is" for kind, (script, _) in shown.items()}
    for name, answer in answers("diagnose").items():
        if name == "stub" or (names and name not in names):
            continue
        namespace: dict[str, Any] = {"re": re, "print": lambda *_: None}
        exec(compile(answer, name, "exec"), namespace)  # noqa: S102  (our own bank)
        for kind, (script, log) in shown.items():
            try:
                with processor_limit(SECONDS):
                    text = namespace["repair"](script, log)
            except (Exception, TooLongError):  # noqa: BLE001, S112  (of the bank)
                continue
            if isinstance(text, str):
                texts.setdefault(text, f"diagnose: {kind}, by {name}")
    return {name: _case(name, text) for text, name in texts.items()}


def _case(name: str, script: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"name": name, "files": FILES, "script": script, "args": list(options)}
