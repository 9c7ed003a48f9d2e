"""Trains as rank 0 of ranks that do not exist, and judges what that rank holds and calls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.known_errors import error_finding
from litcourse.core.question import Earned, Finding, Inputs, Mark, NotLookedAt
from litcourse.labs.lab4_fsdp._networks import Holder
from litcourse.labs.lab4_fsdp._sharded_training import block_names, sharded_trainer
from litcourse.labs.lab4_fsdp.fsdp2._reading import groups, refined
from litcourse.models import TransformerClassifier
from litcourse.probing.trainers import make_loader
from litcourse.ranks import rank_findings, read_rank_values
from litcourse.sharding import StepCollectives, fake_group, fsdp2_units

RANKS = 64
"""Ranks of the simulated mesh; every first dimension of its network is a multiple of that."""
MESH_STEPS = 2
DEFAULT = 0.1
"""The rate that the task names."""
_NUMBER = 4
"""Bytes of a parameter."""


def train_on_mesh(cls: Any, size: list[Any]) -> dict[str, Any]:
    """Two steps as rank 0 of ranks that do not exist."""
    os.environ.update(LOCAL_RANK="0")
    with fake_group(RANKS):
        module, steps = cls(TransformerClassifier(*size)), StepCollectives()
        strategy = ModelParallelStrategy(data_parallel_size=RANKS, tensor_parallel_size=1)
        batch = [torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, dtype=torch.int64)]
        trainer = sharded_trainer(RANKS, strategy, steps)
        trainer.fit(module, make_loader([batch] * MESH_STEPS))
        local = [p.to_local() if hasattr(p, "to_local") else p for p in module.parameters()]
        held, units = sum(p.numel() for p in local), fsdp2_units(module)
        rates = [float(group["lr"]) for group in trainer.optimizers[0].param_groups]
    parts = [{"forward": step.forward, "backward": step.backward} for step in steps.steps]
    return {"held": held, "units": units, "rates": rates, "steps": [
        {name: [[call.kind, call.bytes, call.part] for call in calls]
         for name, calls in part.items()}
        for part in parts]}  # fmt: skip


# --- judge ------------------------------------------------------------------------------


def read_mesh(run: Evidence) -> Evidence | Finding:
    """The evidence of the mesh, or the finding on what stopped it."""
    cost = ("costs",)
    failed = rank_findings(run, cost, 1)
    if failed:
        return refined(failed[0])
    seen = read_rank_values(run)[0]
    return refined(error_finding(seen["error"], cost)) if "error" in seen else seen


def judge_costs(inputs: Inputs, mesh: Evidence) -> Mark:
    """Judge what rank 0 holds, and the collectives of each step."""
    case, cost = inputs.shown["mesh"], ("costs",)
    units, module = groups(mesh["units"]), Holder(_network(inputs))
    if "" in mesh["units"]:  # the LightningModule is the root, which is judged elsewhere
        units[""] = mesh["units"][""].integer()
    whole, held = sum(p.numel() for p in module.parameters()), mesh["held"].integer()
    called = f"rank 0 of {RANKS}, {whole:,} parameters"
    if held * RANKS != whole:
        code = "LIT4510" if held == whole else "LIT4511"
        expected = f"{whole // RANKS:,} parameters held"
        return Finding(code, cost, called, expected, f"{held:,} parameters held")
    if not set(block_names(case)) <= set(units):
        return NotLookedAt(cost, "the blocks are no units")
    steps = list(mesh["steps"])
    if len(steps) != MESH_STEPS:
        raise MalformedError(mesh["steps"].path, f"{MESH_STEPS} steps")
    number = _NUMBER // 2 if gathers_half(inputs, mesh) else _NUMBER
    for step in steps:
        found = _judge_step(case, _group_sizes(module, units, number), units, step)
        if found is not None:
            return replace(found, called=f"a step of {called}")
    return Earned(cost)


def judge_default(mesh: Evidence) -> Finding | None:
    """Judge the rate of a module that was given none."""
    rates = mesh["rates"].numbers()
    if rates and all(abs(rate - DEFAULT) < DEFAULT / 1000 for rate in rates):
        return None
    got = ", ".join(f"{rate:g}" for rate in rates) or "none"
    return Finding("LIT4530", ("weights",), "ShardedTransformer(model)", f"{DEFAULT}", got)


def _network(inputs: Inputs) -> TransformerClassifier:
    return TransformerClassifier(*inputs.shown["mesh"]["size"])


def gathers_half(inputs: Inputs, mesh: Evidence) -> bool:
    """Whether each block is gathered in 16 bits, as a precision of its own has it."""
    whole = sum(p.numel() for p in _network(inputs).blocks[0].parameters())
    seen = _sizes(calls_of(mesh)["forward"], "gather")
    return whole * _NUMBER not in seen and whole * _NUMBER // 2 in seen


def _judge_step(
    case: dict[str, Any], sizes: dict[int, int], units: dict[str, int], step: Evidence
) -> Finding | None:
    block = sizes[units["model.blocks.0"]]
    forward, backward = (_calls(step[part]) for part in ("forward", "backward"))
    gathered, again = _sizes(forward, "gather"), _sizes(backward, "gather")
    scattered = _sizes(forward + backward, "scatter")
    cost, groups = ("costs",), f"{len(sizes)} groups of parameters"
    if sorted(gathered) != sorted(sizes.values()):
        expected = f"{groups} gathered in forward, each once"
        return Finding("LIT4522", cost, "", expected, f"{len(gathered)} all-gathers")
    if again.count(block) != len(block_names(case)):
        expected = f"{len(block_names(case))} blocks gathered again in backward"
        return Finding("LIT4513", cost, "", expected, f"{again.count(block)} of them")
    other = [size // part for kind, size, part in backward
             if kind == "gather" and size == block and part * RANKS != size]  # fmt: skip
    if other:
        got = f"gathered again from {other[0]} ranks: each holds that much of it in between"
        return Finding("LIT4526", cost, "", f"blocks spread over {RANKS} ranks", got)
    if len(again) > len(sizes) or len(scattered) != len(sizes):
        got = f"{len(again)} all-gathers in backward, {len(scattered)} reduce-scatters"
        return Finding("LIT4522", cost, "", f"at most one of each for {groups}", got)
    return None


def _group_sizes(module: nn.Module, units: dict[str, int], number: int) -> dict[int, int]:
    """Bytes of the parameters of each group that has some, with so many bytes for each."""
    sizes: dict[int, int] = {}
    for name, parameter in module.named_parameters():
        owners = [unit for unit in units if not unit or name.startswith(f"{unit}.")]
        if owners:
            group = units[max(owners, key=len)]
            sizes[group] = sizes.get(group, 0) + parameter.numel() * number
    return sizes


Call = tuple[str, int, int]
"""Kind of a collective, bytes of the whole, and of what a rank gives."""


def calls_of(mesh: Evidence) -> dict[str, list[Call]]:
    """The collectives of the first step, "forward" and "backward"."""
    steps = list(mesh["steps"])
    return {part: _calls(steps[0][part]) if steps else [] for part in ("forward", "backward")}


def _calls(calls: Evidence) -> list[Call]:
    found = []
    for call in calls:
        parts = list(call)
        if len(parts) != 3:  # noqa: PLR2004 (kind, whole and part)
            raise MalformedError(call.path, "kind with two sizes")
        size, part = (number.integer() for number in parts[1:])
        found.append((parts[0].text(), size, max(part, 1)))
    return found


def _sizes(calls: Sequence[Call], kind: str) -> list[int]:
    return [size for name, size, _ in calls if name == kind]
