"""fsdp_strategy: FSDP with any policy and sharding, with offload and activation checkpointing.

The probe reads what the student's strategies were told. Then the very objects train on two real
CPU ranks; the evidence is units, collectives, forwards and weights. The judge counts against the
units that it sees, so that a mistake costs once, and compares weights with plain torch's.
"""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import Any

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.known_errors import RAISED, error_finding
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, Question
from litcourse.labs.lab4_fsdp._fsdp_runs import RUNS, train
from litcourse.labs.lab4_fsdp._networks import Holder
from litcourse.labs.lab4_fsdp._sharded_training import (
    STEPS,
    TOLERANCE,
    WORLD,
    block_names,
    draw_training,
    format_training,
    largest_gap,
    make_network,
    plain_weights,
)
from litcourse.labs.lab4_fsdp._strategies import (
    format_kind,
    is_kind,
    of_fabric,
    read_strategy,
    replicates,
)
from litcourse.labs.lab4_fsdp._unit_costs import FULL, cost_of, draw_costs, draw_cut
from litcourse.models import Block
from litcourse.probing.attempts import attempt
from litcourse.ranks import rank_findings, read_rank_values, run_ranks
from litcourse.sharding import measured

ALL = ("sharding", "policy", "checkpoint", "offload")
TRAINED = ALL[:3]
SHARDINGS = ("FULL_SHARD", "HYBRID_SHARD", "SHARD_GRAD_OP", "NO_SHARD")
_ERRORS = (
    ("LIT4412", r"cannot set both|activation_checkpointing.*activation_checkpointing_policy"),
    ("LIT4404", r"hybrid sharding strategy requires"),
    ("LIT4400", r"you must have DeepSpeed"),
    ("LIT4416", r"to be callable or be a pre-defined wrap policy|keyword argument 'module'"),
)
"""Messages of lightning 2.6."""


def draw(rng: Random) -> Inputs:
    """A training for each run."""
    return Inputs(
        {"runs": {name: draw_training(rng, tie=run["tie"]) for name, run in RUNS.items()}}
    )


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Read strategies of all kinds, then train with three of them."""
    make = student["make_fsdp_strategy"]

    def read(sharding: str, *, offload: bool) -> dict[str, Any]:
        called = f"make_fsdp_strategy({{Block}}, {sharding!r}, offload={offload})"
        return attempt(lambda: read_strategy(make({Block}, sharding, offload=offload)), called)

    told = {
        name: {"kept": read(name, offload=False), "offloaded": read(name, offload=True)}
        for name in SHARDINGS
    }
    called = "make_fsdp_strategy({Block})"
    told["FULL_SHARD"]["default"] = attempt(lambda: read_strategy(make({Block})), called)
    run = run_ranks(lambda r: {n: train(make, n, shown["runs"][n], r) for n in RUNS}, WORLD)
    return {"told": told, "run": measured(run)}


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge what the strategies were told, then what their trainings did."""
    told = [(s, k, evidence["told"][s][k]) for s in SHARDINGS for k in ("kept", "offloaded")]
    told.append(("FULL_SHARD", "default", evidence["told"]["FULL_SHARD"]["default"]))
    refused = [_error_finding(seen["error"], ALL) for _, _, seen in told if "error" in seen]
    fatal = [finding for finding in refused if finding.code != "LIT4404"]
    if fatal:
        return [fatal[0]]
    made = [(s, k, seen) for s, k, seen in told if "error" not in seen]
    for sharding, kept, seen in made:
        if not is_kind(seen, "FSDPStrategy"):
            return [_not_fsdp(seen, f"{_call(sharding)} with offload={kept == 'offloaded'}", ALL)]
    unused = [replace(finding, criteria=("sharding", "policy")) for finding in refused[:1]]
    trained = _judge_trainings(inputs, evidence["run"], unused or _judge_told(made))
    return [*trained, _judge_offload(made)]


def _call(sharding: str) -> str:
    return f"make_fsdp_strategy({{Block}}, {sharding!r})"


def _error_finding(error: Evidence, criteria: tuple[str, ...]) -> Finding:
    return _refined(error_finding(error, criteria))


def _refined(finding: Finding) -> Finding:
    codes = [code for code, text in _ERRORS if re.search(text, finding.got)]
    return replace(finding, code=codes[0]) if codes and finding.code == RAISED else finding


def _not_fsdp(seen: Evidence, called: str, criteria: tuple[str, ...]) -> Finding:
    code = "LIT4401" if replicates(seen) or seen["kinds"].texts()[:1] == ["str"] else "LIT4400"
    code = "LIT4417" if of_fabric(seen) else code
    return Finding(code, criteria, called, "an FSDPStrategy", format_kind(seen))


def _judge_offload(made: list[tuple[str, str, Evidence]]) -> Mark:
    for sharding, kept, seen in made:
        wanted, got = kept == "offloaded", seen["offload"].flag()
        if got != wanted:
            called = f"make_fsdp_strategy({{Block}}, {sharding!r}, offload={wanted})"
            called = "make_fsdp_strategy({Block})" if kept == "default" else called
            words = {True: "parameters on the CPU", False: "parameters that stay on the GPU"}
            code = "LIT4413" if wanted else "LIT4414"
            return Finding(code, ("offload",), called, words[wanted], words[got])
    return Earned(("offload",))


def _judge_told(made: list[tuple[str, str, Evidence]]) -> list[Finding]:
    for sharding, _, seen in made:
        got = seen["sharding"].text()
        if seen["mixed"].flag():
            got, expected = "a precision of its own", "that of the Trainer"
            return [Finding("LIT4418", ("sharding",), _call(sharding), expected, got)]
        if got != sharding:
            code = "LIT4403" if got == "NO_SHARD" else "LIT4402"
            return [Finding(code, ("sharding",), _call(sharding), sharding, got)]
    return []


def _judge_trainings(inputs: Inputs, run: Evidence, sharding: list[Finding]) -> list[Mark]:
    """Judge the three trainings; `sharding` is the finding on what was told, if there is one."""
    failed = [_refined(finding) for finding in rank_findings(run, TRAINED, WORLD)]
    if failed:  # an argument of the wrong name ends the training, and was not told either
        told = {name for finding in sharding for name in finding.criteria}
        left = tuple(name for name in TRAINED if name not in told)
        return [*sharding, *(replace(finding, criteria=left) for finding in failed)]
    marks: dict[str, Mark] = {name: finding for finding in sharding for name in finding.criteria}
    for name in RUNS:
        case = inputs.shown["runs"][name]
        ranks = [rank[name] for rank in read_rank_values(run)]
        for finding in _judge_training(name, case, ranks):
            for criterion in finding.criteria:
                marks.setdefault(criterion, finding)
    found = list(dict.fromkeys(id(mark) for mark in marks.values()))
    findings = [next(m for m in marks.values() if id(m) == number) for number in found]
    return [*findings, *(Earned((name,)) for name in TRAINED if name not in marks)]


def _judge_training(name: str, case: dict[str, Any], ranks: list[Evidence]) -> list[Finding]:
    called = f"{_format_run(name)} on {format_training(case)}"
    for seen in ranks:
        if not is_kind(seen["told"], "FSDPStrategy"):
            return [_not_fsdp(seen["told"], called, TRAINED)]
    found = []
    for seen in ranks:
        found += _judge_cut(name, case, seen, called)
        found += _judge_again(name, case, seen, called)
        if found:
            return found
    right = plain_weights(case)
    gap = max(largest_gap(right, seen["weights"].tensors()) for seen in ranks)
    if gap > TOLERANCE:
        expected = "plain torch's weights on the batches of both ranks"
        got = f"others, by {gap:.2g} of their size"
        return [Finding("LIT4415", TRAINED, called, expected, got)]
    return []


def _format_run(name: str) -> str:
    run = RUNS[name]
    more = f", {run['sharding']!r}, checkpoint_blocks={run['again']}" if name != "full" else ""
    return f"make_fsdp_strategy({run['policy']}{more})"


def _judge_cut(name: str, case: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    found = _judge_units(name, case, seen, called)
    return [*found, *_judge_sharding(name, seen, called)]


def _right_units(name: str, case: dict[str, Any]) -> list[str]:
    return [*block_names(case), *(["model.head"] if name != "full" else [])]


def _judge_units(name: str, case: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    right = _right_units(name, case)
    units = {unit for unit in seen["units"].keys() if unit}  # noqa: SIM118 (no dict)
    if units == set(right):
        return []
    code = "LIT4405" if units else "LIT4404"
    got = ", ".join(sorted(units)[:6]) or "none but the root: the whole network at once"
    expected = f"the units of {RUNS[name]['policy']}: {', '.join(right)}"
    return [Finding(code, ("policy",), called, expected, got)]


def _judge_sharding(name: str, seen: Evidence, called: str) -> list[Finding]:
    """Judge the units' shardings, and the collectives that such units need."""
    units, wanted = seen["units"], RUNS[name]["sharding"]
    kinds = {unit: units[unit].text() for unit in units.keys()}  # noqa: SIM118 (no dict)
    other = {unit: kind for unit, kind in kinds.items() if kind != wanted}
    if other or "" not in kinds:
        unit, kind = next(iter(other.items()), ("the root", "no unit"))
        code = "LIT4403" if kind == "NO_SHARD" else "LIT4402"
        return [Finding(code, ("sharding",), called, wanted, f"{unit or 'the root'}: {kind}")]
    right = _collectives(wanted, len(kinds))
    steps = list(seen["steps"])
    if len(steps) != STEPS:
        raise MalformedError(seen["steps"].path, f"{STEPS} steps")
    for step in steps:
        got = {kind: step[kind].integer() for kind in right}
        if got != right:
            words = [", ".join(f"{n} {k}" for k, n in each.items()) for each in (right, got)]
            return [Finding("LIT4406", ("sharding",), f"a step: {called}", words[0], words[1])]
    return []


def _collectives(sharding: str, units: int) -> dict[str, int]:
    """Collectives of a step with so many units, the root among them."""
    gathers = {"FULL_SHARD": 2 * units - 1, "SHARD_GRAD_OP": units}.get(sharding, 0)
    sharded = sharding != "NO_SHARD"
    return {"gather": gathers, "scatter": units * sharded, "reduce": units * (not sharded)}


def _judge_again(name: str, case: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    blocks, asked = block_names(case), RUNS[name]["again"]
    again, forwards = seen["again"].texts(), seen["forwards"]
    counts = {part: forwards[part].integer() for part in (*blocks, "model.head")}
    right = dict.fromkeys(blocks, STEPS * (1 + asked)) | {"model.head": STEPS}
    if again == (blocks if asked else []) and counts == right:
        return []
    code, cost = _explain_again(blocks, again, asked=asked), ("checkpoint",)
    expected = "each block, and nothing else" if asked else "nothing"
    got = ", ".join(again[:4]) or "nothing"
    where = f"forwards in {STEPS} steps: " + ", ".join(f"{k} {v}" for k, v in counts.items())
    return [Finding(code, cost, called, f"computed again: {expected}", got, where)]


def _explain_again(blocks: list[str], again: list[str], *, asked: bool) -> str:
    if not asked:
        return "LIT4410"
    if not again:
        return "LIT4408"
    inside = any(name.startswith(f"{block}.") for name in again for block in blocks)
    return "LIT4411" if inside else "LIT4409"


# --- picture ----------------------------------------------------------------------------


def picture(inputs: Inputs, evidence: Evidence) -> str:
    """The units of the first training that makes others, or shards otherwise; else of the first."""
    if rank_findings(evidence["run"], TRAINED, WORLD):
        return ""
    ranks = read_rank_values(evidence["run"])[0]
    seen = {name: ranks[name] for name in RUNS if "units" in ranks[name]}
    other = (n for n, rank in seen.items() if _judge_cut(n, inputs.shown["runs"][n], rank, ""))
    name = next(other, next(iter(seen), ""))
    return _draw_run(name, inputs.shown["runs"][name], seen[name]) if name else ""


def _draw_run(name: str, case: dict[str, Any], seen: Evidence) -> str:
    module, made = Holder(make_network(case)), seen["units"]
    units = [part for part, _ in module.named_modules() if part and part in made]
    cost = cost_of(module, units, WORLD, made[""].text() if "" in made else FULL)
    for step in list(seen["steps"])[:1]:
        calls = [step[kind].integer() for kind in ("gather", "scatter", "reduce")]
        cost = replace(cost, calls=sum(calls))
    costs = draw_costs(module, units, WORLD, cost)
    return draw_cut(_format_run(name), module, units, _right_units(name, case), costs)


QUESTION = Question(
    title="FSDP as a strategy",
    defines=("make_fsdp_strategy",),
    criteria=(
        Criterion("sharding", "what is sharded is what was asked for", 0.3),
        Criterion("policy", "the units are those of the policy", 0.25),
        Criterion("checkpoint", "blocks are computed again where asked, nothing else", 0.25),
        Criterion("offload", "parameters stay on the CPU where asked", 0.2),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    picture=picture,
)
