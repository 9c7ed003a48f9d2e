"""Judges whether the seed determines the weights of `converge`'s short runs."""

from __future__ import annotations

import torch
from torch import Tensor

from litcourse.core.evidence import Evidence, have_same_keys
from litcourse.core.question import Earned, Finding, Mark, NotLookedAt
from litcourse.labs.lab2_cifar10.converge._earlier_questions import exception_finding

SAME = 1e-3
"""Weights that differ by less are equal, relatively: a GPU adds in no fixed order."""
SMALL_STEPS = 3
"""Steps of a short run: one epoch of three batches."""
UNTRAINED = "a short run did not take its steps, so that its weights show nothing of a training"
NOT_FINITE = "the weights of a short run are not finite"


def judge_seeds(evidence: Evidence) -> list[Mark]:
    """Compare the weights of two runs with one seed, then with those of another seed."""
    first = evidence["first"]
    if "error" in first:
        return [exception_finding(first["error"], ("same",))]
    same, other = _judge_same(first, evidence["again"]), _judge_other(first, evidence["other"])
    if isinstance(same, Finding) and isinstance(other, Earned):
        # Two runs of one seed differ as well, so that a difference says nothing about seeds.
        other = NotLookedAt(("other",), f"it waits for {same.code}")
    return [same, other]


def _judge_same(first: Evidence, again: Evidence) -> Mark:
    cost = ("same",)
    if "error" in again:
        return exception_finding(again["error"], cost)
    one, other = first["weights"].tensors(), again["weights"].tensors()
    if not _are_finite(one):
        return NotLookedAt(cost, NOT_FINITE)
    difference = find_difference(one, other)
    if difference:
        called, expected = "train_cifar10, twice with one seed", "the same weights"
        return Finding("LIT2420", cost, called, expected, f"{difference} differs")
    return Earned(cost) if _trained(first, again) else NotLookedAt(cost, UNTRAINED)


def _judge_other(first: Evidence, other: Evidence) -> Mark:
    cost = ("other",)
    if "error" in other:
        return exception_finding(other["error"], cost)
    one, another = first["weights"].tensors(), other["weights"].tensors()
    if not find_difference(one, another):
        called, expected = "train_cifar10 with two seeds", "other weights"
        return Finding("LIT2421", cost, called, expected, "the same weights")
    if not (_are_finite(one) and _are_finite(another)):
        return NotLookedAt(cost, NOT_FINITE)
    if not one or {n: w.shape for n, w in one.items()} != {n: w.shape for n, w in another.items()}:
        return NotLookedAt(cost, "the weights of two seeds are those of different networks")
    return Earned(cost) if _trained(first, other) else NotLookedAt(cost, UNTRAINED)


def _trained(*runs: Evidence) -> bool:
    """Whether each run took its steps; else its weights tell nothing of a training."""
    return all(run["steps"].integer() == SMALL_STEPS for run in runs)


def _are_finite(weights: dict[str, Tensor]) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in weights.values())


def find_difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> str:
    """The name of the first tensor in which two sets of weights differ; "" if none does."""
    if not one or not have_same_keys(one, other):
        return "the set of tensors"
    for name, value in one.items():
        if value.shape != other[name].shape or value.dtype != other[name].dtype:
            return name
        if not torch.allclose(value, other[name], rtol=SAME, atol=SAME / 100):
            return name
    return ""
