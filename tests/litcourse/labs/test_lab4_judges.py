"""The judges of lab 4, on evidence of real ranks and of ranks that do not exist."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from litcourse.core.evidence import Evidence
from litcourse.core.registry import find_question

from .contract import Answered, JudgeContract, earned

LAB = "lab4_fsdp"
RUNS = ("fsdp_strategy", "fsdp2")
"""Questions that train on two real ranks."""

pytestmark = pytest.mark.filterwarnings("ignore:Casting complex values", "ignore:torch.quantize")


POLICY = {"*/output": "", "*/at": "", "*/pid": "", "*/seconds": "", "*/returned": "",
          "*/descends": "", "*/units/": ""}  # fmt: skip
RANKS = {"*/output": "", "*/at": "", "*/pid": "", "*/seconds": ""}
ERROR = {"*/error/raised/*": "", "*/error/line": "", "*/error/called": ""}
TRAINED = "sharding policy checkpoint"
FSDP2 = "weights units again costs"
ZERO = "stage offload refuses"
FLAGS = "ddp fsdp fsdp2 zero refuses fresh"
BYTES = "ddp stages fsdp refuses"


class TestJudges(JudgeContract):
    SLOW = {"fsdp_strategy": 4, "fsdp2": 4, "size_policy": 2}  # noqa: RUF012  never written
    SERVES = {  # noqa: RUF012  never written
        "class_policy": {**POLICY, "*/units/*": "blocks", "*": "blocks only"},
        "size_policy": {**POLICY, "*/units/*": "number", "*": "number whole"},
        "custom_policy": {
            **POLICY,
            "*/units/model.head": "heads",
            "*/units/model.exits.*": "heads",
            "*/units/model.classify": "heads",
            "*/units/*": "blocks",
            "*": "blocks heads only",
        },
        "fsdp_strategy": {
            **RANKS,
            "told/*/kinds/*": "",
            "told/*/sharding": "sharding",
            "told/*/mixed": "sharding",
            "told/*/offload": "offload",
            "told*": f"{TRAINED} offload",
            "run/*/told/kinds/*": "",
            "run/*/units/*": "sharding",
            "run/*/units": "sharding policy",
            "run/*/again*": "checkpoint",
            "run/*/steps/*/other": "",
            "run/*/steps*": "sharding",
            "run/*/forwards*": "checkpoint",
            "run*": TRAINED,
        },
        "fsdp2": {
            "named": "",
            **RANKS,
            "run/*/torch": "",
            "run/*/parameters": "",
            "run/*/stepped": "",
            "run/*/bases/*": "",
            "run/*/tied/fits/1/schedules": "",
            "run/*/schedules": "weights",
            "run/*/evaluates": "weights",
            "run/*/tied/fits/1/weights*": "again",
            "run/*/tied/fits/1/units*": "again",
            "run/*/weights*": "weights",
            "run/*/units*": "units",
            "run*": FSDP2,
            "mesh/*/held": "costs",
            "mesh/*/units*": "units costs",
            "mesh/*/rates*": "weights",
            "mesh*": "costs",
        },
        "zero": {
            **RANKS,
            **ERROR,
            "*/error/message": "",
            "*/error*": "refuses",
            "*/kinds/*": "",
            "*/stage*": "stage",
            "*/optimizer": "offload",
            "*/parameters": "offload",
            "*": ZERO,
        },
        "strategy_for": {
            **RANKS,
            **ERROR,
            "*/own*": "",
            "*/others*": "refuses",
            "*/flags/ddp/other*": "",
            "*/flags/fsdp2/other*": "",
            "*/flags/zero*/other*": "",
            "*/again/policy": "",
            "*/other/kinds*": "",
            "*/flags/*/again*": "fresh",
            "*/flags/*/other*": "fresh",
            "*/flags/*/same": "fresh",
            "*/kinds/*": "",
            "*/flags/ddp/kinds": "ddp",
            "*/flags/ddp/method": "ddp",
            "*/flags/ddp/*": "",
            "*/flags/ddp": "ddp",
            "*/flags/fsdp2/kinds": "fsdp2",
            "*/flags/fsdp2/*": "",
            "*/flags/fsdp2": "fsdp2",
            "*/flags/fsdp*/kinds": "fsdp",
            "*/flags/fsdp*/sharding": "fsdp",
            "*/flags/fsdp*/policy": "fsdp",
            "*/flags/fsdp*/offload": "fsdp",
            "*/flags/fsdp*/*": "",
            "*/flags/fsdp*": "fsdp",
            "*/flags/zero*/kinds": "zero",
            "*/flags/zero*/stage*": "zero",
            "*/flags/zero*/optimizer": "zero",
            "*/flags/zero*/parameters": "zero",
            "*/flags/zero*/*": "",
            "*/flags/zero*": "zero",
            "*/tensor_parallel": "",
            "many*": "fsdp2",
            "alone*": "fsdp2",
            "*": FLAGS,
        },
        "memory": {**ERROR, "*/error/message": "", "*/error*": "refuses", "*/text": "", "*": BYTES},
    }


def test_where_fsdp2_is_not_exact_a_person_decides(answers: dict[str, Answered]) -> None:
    of = answers["fsdp2"]
    ranks = [{**entry, "value": {**entry["value"], "gap": 1.0, "runs": {}}}
             for entry in of.solution["run"]["ranks"]]  # fmt: skip
    verdict = of.judged({**of.solution, "run": {**of.solution["run"], "ranks": ranks}})
    assert verdict.score is None
    assert "not exact on CPU ranks" in verdict.undecided
    assert earned(verdict) == {"units", "costs"}


@pytest.mark.parametrize("name", RUNS)
def test_ranks_that_are_missing_earn_nothing(name: str, answers: dict[str, Answered]) -> None:
    of = answers[name]
    run = of.solution["run"]
    tree = {**of.solution, "run": {**run, "ranks": run["ranks"][:1]}}
    assert of.judged(tree).score == 0


def drawn(of: Answered, tree: Any) -> str:
    """The picture on the card for some evidence."""
    picture = find_question(LAB, of.name).picture
    assert picture is not None
    return picture(of.inputs, Evidence(tree))


def test_a_model_that_every_rank_holds_is_drawn_as_such(answers: dict[str, Answered]) -> None:
    of, tree = answers["fsdp2"], copy.deepcopy(answers["fsdp2"].solution)
    seen: Any = tree["mesh"]["ranks"][0]["value"]
    whole = seen["held"] * 64
    right = drawn(of, tree)
    seen["held"] = whole
    replicated = drawn(of, tree)
    # Once as the root of the tree's size, in the bars of what is whole at once without a policy...
    assert right.count(f">{whole:,}<") == 1
    # ...and now twice more: held by the rank, and whole at once.
    assert replicated.count(f">{whole:,}<") == 3


def test_the_collectives_on_the_card_are_those_that_were_seen(answers: dict[str, Answered]) -> None:
    of, tree = answers["fsdp_strategy"], copy.deepcopy(answers["fsdp_strategy"].solution)
    for step in tree["run"]["ranks"][0]["value"]["full"]["steps"]:
        step["gather"] = 700
    units = len(tree["run"]["ranks"][0]["value"]["full"]["units"])
    assert f">{700 + units}<" in drawn(of, tree)


def test_what_should_be_a_unit_inside_of_a_right_one_is_drawn(answers: dict[str, Answered]) -> None:
    of, tree = answers["size_policy"], copy.deepcopy(answers["size_policy"].solution)
    for entry in tree["run"]["ranks"][0]["value"]["cases"]:
        nested = [
            n for n in entry["units"] if any(n.startswith(f"{o}.") for o in entry["units"] if o)
        ]
        for name in nested[:1]:
            del entry["units"][name]
    assert "no unit, should be one" in drawn(of, tree)
