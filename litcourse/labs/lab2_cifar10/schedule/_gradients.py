"""Judges the gradients of `schedule` that come from several batches.

With accumulation, and on several ranks, the gradient of a step is the mean of the batches'
gradients. Lightning and DDP compute that mean; code that divides again is right only in a plain
run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from litcourse.core.evidence import Evidence
from litcourse.core.question import Finding, Inputs, Mark, NotLookedAt
from litcourse.labs.lab2_cifar10.schedule._rates import ACCUMULATED, RANKS
from litcourse.labs.lab2_cifar10.schedule._steps import (
    GRADIENT_TOLERANCE,
    furthest,
    gradient_of,
    read_states,
)
from litcourse.ranks import read_rank_values

Gradient = dict[str, Tensor]
ON_RANKS = "fit on two ranks"
LATE_BATCH = 51


def judge_parts(inputs: Inputs, evidence: Evidence, change: dict[str, Any]) -> list[Finding]:
    """Judge the gradients of the run with accumulation and, if they are right, of two ranks.

    Both runs must have ended, with the right number of steps.

    Args:
        inputs: the inputs of the check.
        evidence: evidence of all runs.
        change: the mistake of the loss in the plain run, as for `gradient_of`.
    """
    called = f"{ACCUMULATED}={inputs.shown['accumulate']}"
    found = _judge_run(inputs, evidence["accumulated"], called, _windows(inputs), change)
    for seen in () if found else read_rank_values(evidence["ranks"]):
        found = found or _judge_run(inputs, seen, ON_RANKS, _shards(inputs), change)
    return found


def late_steps(shown: dict[str, Any]) -> tuple[int, int]:
    """Steps of the run with `max_steps`: one late in its first epoch, and its last."""
    return LATE_BATCH, shown["max_steps"] - 1


def judge_late_gradients(inputs: Inputs, seen: Evidence) -> Mark | None:
    """Judge the gradients of late steps of the run with `max_steps`; None if they are right.

    A run that raised costs another criterion.

    Args:
        inputs: the inputs of the check.
        seen: evidence of that run.
    """
    steps, batches = late_steps(inputs.shown), inputs.shown["batches"]
    if "error" in seen:
        return None
    if not len(list(seen["weights"])) == len(list(seen["gradients"])) == len(steps):
        return NotLookedAt(("loss",), f"fit with max_steps did not come to step {steps[-1]}")
    weights, gradients = read_states(inputs, seen, count=len(steps))
    moved = [n for n, end in weights[-1].items() if not torch.equal(end, weights[0][n])]
    for number, step in enumerate(steps):
        # An epoch is the drawn batches several times.
        right = gradient_of(inputs, weights[number], batches[step % len(batches)])
        gap, name = furthest(gradients[number], {n: right[n] for n in moved or right})
        if gap > GRADIENT_TOLERANCE:
            called = f"fit with max_steps={inputs.shown['max_steps']}, step {step}"
            where = f"gradient of {name}, relative difference {gap:.2g}"
            expected = "the gradient of the batch's mean cross-entropy"
            return Finding("LIT2130", ("loss",), called, expected, "another", where)
    return None


def _windows(inputs: Inputs) -> list[list[Any]]:
    """The batches of each optimizer step of the accumulated run."""
    batches, size = inputs.shown["batches"], inputs.shown["accumulate"]
    epoch = [batches[start : start + size] for start in range(0, len(batches), size)]
    return epoch * int(inputs.shown["epochs"])


def _shards(inputs: Inputs) -> list[list[Any]]:
    """The batches of both ranks in each step, as DistributedSampler deals them without shuffle.

    Samples go to the ranks in turn; the first ones come twice if the number is odd.
    """
    images, labels = inputs.shown["test"]
    order = list(range(len(labels)))
    order += order[: -len(order) % RANKS]
    shards = [torch.tensor(order[rank::RANKS]).split(inputs.shown["size"]) for rank in range(RANKS)]
    steps = zip(*shards, strict=True)
    epoch = [[[images[part], labels[part]] for part in parts] for parts in steps]
    return epoch * int(inputs.shown["epochs"])


def _judge_run(
    inputs: Inputs,
    seen: Evidence,
    called: str,
    steps: Sequence[list[Any]],
    change: dict[str, Any],
) -> list[Finding]:
    weights, gradients = read_states(inputs, seen)
    # Weights in no optimizer keep old gradients, for which there is another finding.
    moved = [n for n, end in weights[-1].items() if not torch.equal(end, weights[0][n])]
    most = max(map(len, steps))
    for step, batches in enumerate(steps[: len(weights)]):
        if len(batches) < most:
            continue  # Lightning decides how it divides a smaller last window
        parts = [gradient_of(inputs, weights[step], pair, **change) for pair in batches]
        names = moved or list(weights[step])
        right = _sum(parts, [1 / most] * most, names)
        gap, name = furthest(gradients[step], right)
        if gap > GRADIENT_TOLERANCE:
            code, note = _explain_gradient(gradients[step], parts, names, ranks=called == ON_RANKS)
            where = f"step {step}, gradient of {name}, relative difference {gap:.2g}"
            expected = f"the mean of the gradients of {most} batches"
            return [Finding(code, ("everywhere",), called, expected, note, where)]
    return []


def _sum(parts: list[Gradient], factors: list[float], names: list[str]) -> Gradient:
    """The sum of gradients, each multiplied by its factor."""
    pairs = list(zip(parts, factors, strict=True))
    return {n: torch.stack([part[n] * factor for part, factor in pairs]).sum(0) for n in names}


def _explain_gradient(
    seen: Gradient, parts: list[Gradient], names: list[str], *, ranks: bool
) -> tuple[str, str]:
    """The code of the mistake that gives exactly this gradient, and a note."""
    count = len(parts)
    scaled = "LIT2144" if ranks else "LIT2141"
    ways = [
        (scaled, f"the mean, once more divided by {count}", [1 / count**2] * count),
        (scaled, f"the mean times {count}", [1.0] * count),
    ]
    if not ranks:
        last = [0.0] * (count - 1) + [1 / count]
        twice = [1 / count] + [1 + 1 / count] * (count - 1)  # zero_grad drops the first backward
        ways += [
            ("LIT2142", "that of the last batch alone", last),
            ("LIT2143", "batches that count more than once", twice),
        ]
    for code, note, factors in ways:
        if furthest(seen, _sum(parts, factors, names))[0] <= GRADIENT_TOLERANCE:
            return code, note
    return "LIT2145", "another"
