"""fsdp2: a LightningModule that shards its network with FSDP2.

Two real CPU ranks train it, and rank 0 of 64 ranks that do not exist trains two steps. The evidence
is weights, names of units, what rank 0 holds, and its collectives, counted by groups of parameters
that are gathered together. The judge compares weights with plain torch's.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import torch

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, NotLookedAt, Question
from litcourse.labs.lab4_fsdp._networks import Holder
from litcourse.labs.lab4_fsdp._sharded_training import (
    WORLD,
    block_names,
    draw_training,
    format_training,
)
from litcourse.labs.lab4_fsdp._unit_costs import Cost, cost_of, draw_costs, draw_cut
from litcourse.labs.lab4_fsdp.fsdp2._fits import judge_trainings, train
from litcourse.labs.lab4_fsdp.fsdp2._mesh import (
    RANKS,
    calls_of,
    gathers_half,
    judge_costs,
    judge_default,
    read_mesh,
    train_on_mesh,
)
from litcourse.labs.lab4_fsdp.fsdp2._reading import groups, refined
from litcourse.models import TransformerClassifier
from litcourse.probing.attempts import attempt
from litcourse.probing.class_bases import derives_from, first_base
from litcourse.probing.step_lines import lines_that_name_a_device
from litcourse.ranks import rank_findings, read_rank_values, run_ranks
from litcourse.sharding import measure_fsdp2_gap, measured
from litcourse.sharding.fsdp2_exactness import EXACT

ALL = ("weights", "units", "again", "costs")
RUNS = {"plain": 1, "tied": 2}
"""Trainings, with the number of fits of one module."""
_CALL = "Trainer(strategy=ModelParallelStrategy(data_parallel_size={0}, tensor_parallel_size=1))"


def draw(rng: Random) -> Inputs:
    """A plain and a tied network to train, and one of many blocks for the mesh."""
    runs = {"plain": draw_training(rng, tie=False, large=True, epochs=2),
            "tied": draw_training(rng, tie=True)}  # fmt: skip
    mesh = {"size": [2 * RANKS, RANKS, 2, rng.randrange(9, 13), RANKS, False]}
    return Inputs({"runs": runs, "mesh": mesh})


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Train on two ranks where FSDP2 is exact there, then on rank 0 of many."""
    cls = student["ShardedTransformer"]

    def work(rank: int) -> dict[str, Any]:
        gap = measure_fsdp2_gap(rank, WORLD)
        exact = gap < EXACT
        runs = {n: train(cls, case, rank, RUNS[n]) for n, case in shown["runs"].items() if exact}
        return {"gap": gap, "torch": str(torch.__version__), "runs": runs}

    def mesh(_: int) -> dict[str, Any]:
        return attempt(lambda: train_on_mesh(cls, shown["mesh"]["size"]), _CALL.format(RANKS))

    named = lines_that_name_a_device(cls, ("init_device_mesh", "DeviceMesh"))
    runs = {"run": measured(run_ranks(work, WORLD)), "mesh": measured(run_ranks(mesh, 1))}
    return runs | {"named": named}


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the ranks first, since nothing stands if they fail; then units, costs and weights."""
    failed = [refined(finding) for finding in rank_findings(evidence["run"], ALL, WORLD)]
    if failed:
        return [*failed]
    ranks = read_rank_values(evidence["run"])
    exact = all(rank["gap"].number() < EXACT for rank in ranks)
    runs = {name: [rank["runs"][name] for rank in ranks] for name in RUNS} if exact else {}
    form = next(filter(None, (_judge_form(inputs, *run) for run in runs.items())), None)
    if form is not None:
        return [form]
    mesh = read_mesh(evidence["mesh"])
    if isinstance(mesh, Finding) and not exact:
        return [replace(mesh, criteria=ALL)]
    found: list[Mark] = _judge_units(inputs, runs, mesh)
    if any(isinstance(mark, Finding) and mark.criteria == ALL for mark in found):
        return found
    found.append(mesh if isinstance(mesh, Finding) else judge_costs(inputs, mesh))
    if exact:
        halved = not isinstance(mesh, Finding) and gathers_half(inputs, mesh)
        weights, again = judge_trainings(inputs, runs, halved=halved)
        other = None if isinstance(mesh, Finding) else judge_default(mesh)
        other = other or _judge_device(evidence["named"].text())
        return [*found, (isinstance(weights, Earned) and other) or weights, again]
    version = ranks[0]["torch"].text()
    reason = f"FSDP2 is not exact on CPU ranks with torch {version}, as it is from 2.9.1 on"
    return [*found, NotLookedAt(("weights", "again"), reason, by_machine=True)]


def _judge_form(inputs: Inputs, name: str, ranks: list[Evidence]) -> Finding | None:
    """Judge what `__init__` made."""
    called = f"ShardedTransformer(model, lr) with {format_training(inputs.shown['runs'][name])}"
    for rank in ranks:
        if not derives_from(rank["bases"], "LightningModule"):
            return Finding("LIT4500", ALL, called, "a LightningModule", first_base(rank["bases"]))
        if not rank["kept"].flag():
            return Finding("LIT4518", ALL, called, "the given network as self.model", "another")
        if rank["made_group"].flag():
            got = "a process group, made by __init__"
            return Finding("LIT4501", ALL, called, "no process group yet", got)
        if len(list(rank["fits"])) != RUNS[name]:
            raise MalformedError(rank["fits"].path, f"{RUNS[name]} fits")
    return None


def _judge_device(named: str) -> Finding | None:
    """Judge that no mesh is of a device that is written down: the check's ranks have CPUs alone."""
    if not named:
        return None
    expected, got = "a mesh of the device that the strategy uses", "one of a device by name"
    return Finding("LIT4532", ("weights",), "configure_model", expected, got, named)


# --- units


def _judge_units(
    inputs: Inputs, runs: dict[str, list[Evidence]], mesh: Evidence | Finding
) -> list[Mark]:
    cases = [(inputs.shown["runs"][name], rank) for name, ranks in runs.items() for rank in ranks]
    seen = [(case, next(iter(rank["fits"]))["units"]) for case, rank in cases]
    if not isinstance(mesh, Finding):
        seen.append((inputs.shown["mesh"], mesh["units"]))
    for case, units in seen:
        finding = _judge_unit_names(case, groups(units), outer="" in units)
        if finding is not None:
            return [finding]
    return [Earned(("units",))]


def _judge_unit_names(
    case: dict[str, Any], units: dict[str, int], *, outer: bool
) -> Finding | None:
    """Judge the units in the LightningModule; with `outer` it is one itself."""
    blocks, cost = block_names(case), ("units",)
    tied = case["size"][-1]
    called = f"configure_model of a {'tied ' * bool(tied)}network of {len(blocks)} blocks"
    expected = f"units: {', '.join([*blocks, 'model'])}"
    got = ", ".join(sorted(units)[:6]) or "none"
    if not units:
        return Finding("LIT4515", ALL, called, expected, got)
    if not set(blocks) <= set(units):
        return Finding("LIT4502", cost, called, expected, got)
    if "model" not in units:
        return Finding("LIT4528" if outer else "LIT4503", cost, called, expected, got)
    inside = [u for u in units if any(u.startswith(f"{b}.") for b in [*blocks, "model.head"])]
    if inside:
        return Finding("LIT4504", cost, called, "no unit inside a Block or Head", inside[0])
    numbers = list(units.values())
    shared = [block for block in blocks if numbers.count(units[block]) > 1]
    if shared:
        return Finding("LIT4523", cost, called, "each block by itself", f"{shared[0]} with others")
    return None


# --- picture ----------------------------------------------------------------------------


def picture(inputs: Inputs, evidence: Evidence) -> str:
    """The units on the simulated mesh, and what they cost."""
    mesh = read_mesh(evidence["mesh"])
    if isinstance(mesh, Finding):
        return ""
    case = inputs.shown["mesh"]
    module, made = Holder(TransformerClassifier(*case["size"])), groups(mesh["units"])
    # The root of all units is no unit of its own in the other pictures, and neither is it here.
    units = [name for name, _ in module.named_modules() if name in made and name != "model"]
    right = [
        *block_names(case),
        *(unit for unit in units if unit in {"model.head", "model.embedding"}),
    ]
    held, calls = mesh["held"].integer(), calls_of(mesh)
    whole = sum(p.numel() for p in module.parameters())
    again = any(kind == "gather" for kind, *_ in calls["backward"])
    most = cost_of(module, units, RANKS).whole if again and held < whole else whole
    number = sum(1 for part in calls.values() for kind, *_ in part if kind != "other")
    costs = draw_costs(module, units, RANKS, Cost(held, most, number))
    return draw_cut(f"on rank 0 of {RANKS}", module, units, right, costs)


QUESTION = Question(
    title="FSDP2, by hand",
    defines=("ShardedTransformer",),
    criteria=(
        Criterion("weights", "trains to plain torch's weights, tied or not", 0.35),
        Criterion("units", "each block is a unit, and the network their root", 0.25),
        Criterion("again", "a second fit of the module works", 0.15),
        Criterion("costs", "holds a share of every parameter, and frees blocks after use", 0.25),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    picture=picture,
)
