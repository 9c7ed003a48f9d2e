"""Trains on two real ranks, one module once or twice, and judges the weights."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor
from torch.nn import functional as F

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import error_finding
from litcourse.core.question import Earned, Finding, Inputs, Mark, NotLookedAt
from litcourse.labs.lab4_fsdp._sharded_training import (
    TOLERANCE,
    WORLD,
    format_training,
    largest_gap,
    make_network,
    plain_weights,
    sharded_trainer,
)
from litcourse.labs.lab4_fsdp.fsdp2._reading import groups, refined
from litcourse.probing.attempts import attempt
from litcourse.probing.class_bases import bases
from litcourse.probing.trainers import make_loader
from litcourse.sharding import fsdp2_units

_BEGUN = 100
"""Epochs that count as trained before."""


def train(cls: Any, case: dict[str, Any], rank: int, fits: int) -> dict[str, Any]:
    network, before = make_network(case), dist.is_initialized()
    modes: list[bool] = []
    module = cls(network, case["lr"])
    network.register_forward_pre_hook(lambda part, _: modes.append(part.training))
    seen = {
        "bases": bases(type(module)),
        "kept": getattr(module, "model", None) is network,
        "made_group": dist.is_initialized() and not before,
    }
    if not isinstance(module, L.LightningModule) or not seen["kept"]:
        return {**seen, "fits": [], "evaluates": False}
    first = _fit(module, case, rank)
    # What stops the second fit stops it on both ranks, so nobody waits for the other.
    later = [attempt(lambda: _fit(module, case, rank), "the second fit") for _ in range(1, fits)]
    return {**seen, "fits": [first, *later], "evaluates": not all(modes)}


def _fit(module: Any, case: dict[str, Any], rank: int) -> dict[str, Any]:
    strategy = ModelParallelStrategy(data_parallel_size=WORLD, tensor_parallel_size=1)
    # More than one epoch: as if it had been trained for long.
    epochs = case["epochs"]
    trainer = sharded_trainer(WORLD, strategy, epochs=epochs, begun=_BEGUN * (epochs > 1))
    trainer.fit(module, make_loader(case["batches"][rank]))
    own = {id(parameter) for parameter in module.parameters()}
    stepped = [p for group in trainer.optimizers[0].param_groups for p in group["params"]]
    with torch.no_grad():
        weights = {n: _whole(p).detach().clone() for n, p in module.model.named_parameters()}
    return {
        "weights": weights,
        "parameters": len(own),
        "stepped": sum(1 for parameter in stepped if id(parameter) in own),
        "units": fsdp2_units(module),
        "schedules": len(trainer.lr_scheduler_configs),
    }


def _whole(parameter: Tensor) -> Tensor:
    whole: Tensor = parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter
    return whole


# --- judge ------------------------------------------------------------------------------


def judge_trainings(inputs: Inputs, runs: dict[str, list[Evidence]], *, halved: bool) -> list[Mark]:
    """Judge the weights after each first fit, then the second fit of the tied network.

    Args:
        inputs: the drawn trainings.
        runs: the evidence of the ranks of each.
        halved: whether units are gathered in 16 bits, which explains other weights.
    """
    weights: Mark = Earned(("weights",))
    for name, ranks in runs.items():
        first = [next(iter(rank["fits"])) for rank in ranks]
        found = _judge_plain(ranks, first) or judge_weights(inputs.shown["runs"][name], first, 1)
        if found is not None:
            other = halved and found.code == "LIT4519"
            weights = replace(found, code="LIT4527") if other else found
            break
    case, fits = inputs.shown["runs"]["tied"], [list(rank["fits"]) for rank in runs["tied"]]
    return [weights, _judge_again(case, fits, right=isinstance(weights, Earned))]


def _judge_plain(ranks: list[Evidence], fits: list[Evidence]) -> Finding | None:
    """Judge what weights of a short training can't show: a mode, and a rate that changes later."""
    called = "fit"
    if any(rank["evaluates"].flag() for rank in ranks):
        return Finding("LIT4529", ("weights",), called, "training mode", "evaluation mode")
    number = max(fit["schedules"].integer() for fit in fits)
    if number:
        return Finding("LIT4531", ("weights",), called, "plain SGD", "a schedule of its rate")
    return None


def _judge_again(case: dict[str, Any], ranks: list[list[Evidence]], *, right: bool) -> Mark:
    """Judge the second fit; where the first one went wrong, it only has to train on."""
    cost, called = ("again",), "a second fit of the same module"
    for first, second in ranks:
        if "error" in second:
            return refined(error_finding(second["error"], cost))
        if groups(first["units"]) != groups(second["units"]):
            expected, got = "the units of the first fit", "others"
            return Finding("LIT4524", cost, called, expected, got)
    if right:
        found = judge_weights(case, [second for _, second in ranks], 2)
        if found is not None:
            return replace(found, criteria=cost, code="LIT4524", called=called)
        return Earned(cost)
    moved = [largest_gap(f["weights"].tensors(), s["weights"].tensors()) for f, s in ranks]
    if all(TOLERANCE < gap < math.inf for gap in moved):
        return Earned(cost)
    return NotLookedAt(cost, "the first fit trains nothing")


def judge_weights(case: dict[str, Any], ranks: list[Evidence], fits: int) -> Finding | None:
    seen = [rank["weights"].tensors() for rank in ranks]
    right = plain_weights(case, fits)
    gap = max(largest_gap(right, weights) for weights in seen)
    if gap <= TOLERANCE:
        return None
    code, got = _explain_weights(case, ranks, seen)
    called = f"fit of {format_training(case)}"
    expected = "plain torch's weights on the batches of both ranks"
    return Finding(code, ("weights",), called, expected, f"{got}, off by {gap:.2g} of their size")


def _explain_weights(
    case: dict[str, Any], ranks: list[Evidence], seen: list[dict[str, Tensor]]
) -> tuple[str, str]:
    """The code of the mistake that leads to just these weights, and a note."""
    if all(rank["stepped"].integer() == 0 for rank in ranks):
        return "LIT4512", f"the optimizer holds none of {ranks[0]['parameters'].integer()}"
    if not all(map(_finite, seen)):  # a sum of many losses is a rate too large
        grown = (c for c, change, _ in _MISTAKES if not _finite(plain_weights(case, **change)))
        return next(grown, "LIT4519"), "numbers that grew beyond all bounds"
    if max(largest_gap(seen[0], weights) for weights in seen) > TOLERANCE:
        root = "model" in groups(ranks[0]["units"])
        return "LIT4511" if root else "LIT4503", "others on each rank"
    if largest_gap(case["state"], seen[0]) == 0:
        return "LIT4525", "those of the beginning"
    for code, change, note in _MISTAKES:
        if largest_gap(plain_weights(case, **change), seen[0]) <= TOLERANCE:
            return code, note
    return "LIT4519", "others"


def _finite(weights: dict[str, Tensor]) -> bool:
    return all(bool(weight.isfinite().all()) for weight in weights.values())


_MISTAKES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("LIT4514", {"scale": 1 / WORLD}, f"those of a gradient divided by {WORLD} once more"),
    ("LIT4514", {"scale": float(WORLD)}, f"those of {WORLD} times the gradient"),
    ("LIT4520", {"loss": lambda z, y: F.cross_entropy(z, y, reduction="sum")}, "those of a sum"),
    ("LIT4520", {"loss": lambda z, y: F.cross_entropy(z.softmax(1), y)}, "a softmax too many"),
    ("LIT4521", {"optimizer": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)}, "momentum"),
    ("LIT4521", {"optimizer": lambda p, _: torch.optim.SGD(p, lr=0.1)}, "a rate of 0.1"),
    ("LIT4521", {"optimizer": lambda p, _: torch.optim.SGD(p)}, "torch's own rate, 0.001"),
)
