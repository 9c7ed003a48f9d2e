"""The judges of lab 3, on evidence of real ranks: the same verdict each time, none for nonsense."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .contract import Answered, JudgeContract

LAB = "lab3_ddp"
RUNS = {"synced": "run", "sampler": "two", "rank_zero": "one_node", "unused": "skipping"}
"""Names of runs in the evidence, by question."""

pytestmark = pytest.mark.filterwarnings("ignore:Casting complex values", "ignore:torch.quantize")


class TestJudges(JudgeContract):
    """All of the contract, without exceptions."""


@pytest.mark.parametrize("name", RUNS)
def test_a_deadlock_costs_points_and_names_the_collectives(
    name: str, answers: dict[str, Answered]
) -> None:
    of = answers[name]
    stuck = {"waits_for": "barrier", "line": "your cell:3 f", "stack": "barrier\nyour cell:3 f",
             "busy": False, "seconds": 2.0}  # fmt: skip
    entries = [{"stuck": stuck, "output": ""}, {"stuck": stuck, "output": ""}]
    verdict = of.judged({**of.solution, RUNS[name]: {"ranks": entries, "seconds": 2.0}})
    assert verdict.score < 1
    assert "barrier" in verdict.findings[0].got
    code = "LIT3601" if name == "unused" else "LIT932"
    assert verdict.findings[0].code == code


@pytest.mark.parametrize("name", ["synced", "sampler", "rank_zero"])
def test_ranks_that_are_missing_earn_nothing(name: str, answers: dict[str, Answered]) -> None:
    of = answers[name]
    run = of.solution[RUNS[name]]
    tree = {**of.solution, RUNS[name]: {**run, "ranks": run["ranks"][:1]}}
    assert of.judged(tree).score == 0


def test_probes_leave_the_folder_and_the_environment(answers: dict[str, Answered]) -> None:
    assert answers["launch"].solution
    assert not {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT"} & set(os.environ)
    assert sorted(path.name for path in Path().iterdir()) == ["train_ddp.py"]
