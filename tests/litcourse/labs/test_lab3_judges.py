"""The judges of lab 3, on evidence of real ranks: the same verdict each time, none for nonsense."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from autograder.bank import without_markers
from litcourse.packet import decode, encode
from litcourse.question import Draw, Tree, Verdict, find_question, question_ids
from litcourse.solved import with_solution
from litcourse.student import take_evidence
from litcourse.verdicts import reach

from .test_lab1_judges import mutants

LAB = "lab3_ddp"
QUESTIONS = ("kwargs", "recipe", "synced", "sampler", "rank_zero", "unused", "launch")
_REGION = re.compile(r"([ \t]*)### BEGIN SOLUTION.*?### END SOLUTION", re.DOTALL)
_MOST_MUTANTS = 400
"""Of each question, evenly spread: evidence of ranks is deep, and much of it alike."""

pytestmark = [
    pytest.mark.parametrize("name", QUESTIONS),
    pytest.mark.filterwarnings("ignore:Casting complex values", "ignore:torch.quantize"),
]


@dataclass(frozen=True)
class Answered:
    """One draw of a question, and what the probe found on two answers."""

    draw: Draw
    solution: Tree
    stub: Tree


@pytest.fixture(scope="module")
def answers(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Answered]]:
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        yield _ask_all(_cells(root))
    torch.set_num_threads(threads)


def _cells(root: Path) -> dict[str, str]:
    notebook = json.loads((root / f"source/{LAB}/{LAB}.ipynb").read_text(encoding="utf-8"))
    return {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]}


def _ask_all(cells: dict[str, str]) -> dict[str, Answered]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(cells["setup"], namespace)  # noqa: S102 (the course's own notebook)
    found = {}
    for name in QUESTIONS:
        question = find_question(LAB, name)
        draw = question.draw(Random("a draw for the judges of lab 3"))
        stub = _REGION.sub(r"\1raise NotImplementedError()", cells[name])
        answers = [_asked(name, text, namespace, draw) for text in (stub, cells[name])]
        if question.by_solution:
            draw = with_solution(draw, answers[1])
        found[name] = Answered(draw, solution=answers[1], stub=answers[0])
    return found


def _asked(name: str, source: str, namespace: dict[str, Any], draw: Draw) -> Tree:
    """What the probe finds on a cell, which may write a file."""
    text, names = without_markers(source), dict(namespace)
    if text.startswith("%%writefile"):
        head, _, body = text.partition("\n")
        Path(head.split()[1]).write_text(body, encoding="utf-8")
    else:
        exec(compile(text, f"<{name}>", "exec"), names)  # noqa: S102 (as above)
    return take_evidence(find_question(LAB, name), draw.given, names)


def judged(name: str, of: Answered, tree: Tree) -> Verdict:
    return reach(LAB, name, of.draw, tree)


def same(a: Tree, b: Tree) -> bool:
    return encode(a) == encode(b)


def test_all_questions_are_here(name: str) -> None:
    assert sorted(QUESTIONS) == question_ids(LAB)
    assert name in QUESTIONS


def test_a_draw_depends_on_its_source_alone(name: str) -> None:
    question = find_question(LAB, name)
    torch.manual_seed(1)
    first = question.draw(Random("one"))
    torch.manual_seed(2)
    again = question.draw(Random("one"))
    others = [question.draw(Random(text)).given for text in "abcdef"]
    assert same([first.given, first.kept], [again.given, again.kept])
    assert not all(same(first.given, other) for other in others)


def test_solution_and_stub_on_real_ranks(name: str, answers: dict[str, Answered]) -> None:
    of = answers[name]
    verdict = judged(name, of, decode(encode(of.solution)))
    assert (verdict.score, verdict.findings) == (1.0, ())
    verdict = judged(name, of, of.stub)
    assert (verdict.score, verdict.findings[0].code) == (0.0, "LIT900")


def test_judging_is_repeatable_and_changes_nothing(name: str, answers: dict[str, Answered]) -> None:
    of = answers[name]
    trees = [of.draw.given, of.draw.kept, of.solution, of.stub]
    before = encode(trees)
    for tree in (of.solution, of.stub):
        assert judged(name, of, tree).findings == judged(name, of, tree).findings
    assert encode(trees) == before


def _some_mutants(tree: Tree) -> list[tuple[str, Tree]]:
    every = list(mutants(tree))
    step = max(1, len(every) // _MOST_MUTANTS)
    return every[::step]


def test_no_single_change_of_evidence_breaks_the_judge(
    name: str, answers: dict[str, Answered]
) -> None:
    of = answers[name]
    some = _some_mutants(of.solution)
    assert len(some) > 50
    for what, tree in some:
        try:
            score = judged(name, of, tree).score
        except Exception as error:  # noqa: BLE001 (whichever it is)
            pytest.fail(f"{what}: {error!r}")
        assert 0 <= score <= 1, what


def test_no_single_change_makes_points_out_of_a_stub(
    name: str, answers: dict[str, Answered]
) -> None:
    of = answers[name]
    worth = [what for what, tree in _some_mutants(of.stub) if judged(name, of, tree).score > 0]
    assert not worth


def test_what_is_not_finite_never_stands_for_a_right_number(
    name: str, answers: dict[str, Answered]
) -> None:
    if name in {"kwargs", "sampler", "launch"}:  # nothing that their judges read is a float
        return
    of = answers[name]
    for value in (float("nan"), float("inf")):
        assert judged(name, of, _every_float(of.solution, value)).score < 1


def _every_float(tree: Tree, value: float) -> Tree:
    if isinstance(tree, dict):
        return {key: _every_float(child, value) for key, child in tree.items()}
    if isinstance(tree, list):
        return [_every_float(child, value) for child in tree]
    if isinstance(tree, torch.Tensor) and tree.is_floating_point():
        return torch.full_like(tree, value)
    if isinstance(tree, str) and tree.startswith("{"):  # the report of rank_zero
        return json.dumps(dict.fromkeys(json.loads(tree), value))
    return value if isinstance(tree, float) else tree


def test_a_deadlock_costs_points_and_names_the_collectives(
    name: str, answers: dict[str, Answered]
) -> None:
    runs = {"synced": "run", "sampler": "two", "rank_zero": "one_node", "unused": "skipping"}
    if name not in runs:
        return
    of = answers[name]
    stuck = {"waits_for": "barrier", "line": "your cell:3 f", "stack": "barrier\nyour cell:3 f",
             "busy": False, "seconds": 2.0}  # fmt: skip
    entries = [{"stuck": stuck, "output": ""}, {"stuck": stuck, "output": ""}]
    tree = {**of.solution, runs[name]: {"ranks": entries, "seconds": 2.0}}
    verdict = judged(name, of, tree)
    assert verdict.score < 1
    assert "barrier" in verdict.findings[0].got
    code = "LIT3601" if name == "unused" else "LIT932"
    assert verdict.findings[0].code == code


def test_ranks_that_are_missing_earn_nothing(name: str, answers: dict[str, Answered]) -> None:
    runs = {"synced": "run", "sampler": "two", "rank_zero": "one_node"}
    if name not in runs:
        return
    of = answers[name]
    run = of.solution[runs[name]]
    tree = {**of.solution, runs[name]: {**run, "ranks": run["ranks"][:1]}}
    assert judged(name, of, tree).score == 0


def test_the_probe_leaves_the_folder_and_the_environment(
    name: str, answers: dict[str, Answered]
) -> None:
    assert answers[name].solution
    assert not {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT"} & set(os.environ)
    assert sorted(path.name for path in Path().iterdir()) == ["train_ddp.py"]
