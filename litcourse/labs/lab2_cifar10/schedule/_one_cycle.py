"""Computes the rates of torch's OneCycleLR and the steps of SGD, with which `schedule` compares."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from litcourse.core.comparison import distance

LR_TOLERANCE = 1e-4
"""Relative to the highest rate; both curves are computed in double precision."""
STEP_TOLERANCE = 1e-3
"""Relative to a weight's change over a run: float32 steps are compared with float64 ones."""
MOST_PLANNED = 5000
"""`planned_total` tries cycles of fewer steps than this, which is more than ten epochs of CIFAR10
in batches of 128. The first rates of a longer cycle are almost constant."""


def one_cycle(max_lr: float, total: int, **change: Any) -> tuple[list[float], list[float]]:
    """Learning rate and momentum of each of `total` steps under torch's own OneCycleLR.

    Args:
        max_lr: the highest rate.
        total: number of steps of the cycle.
        change: arguments that differ from OneCycleLR's defaults, to find a mistake.
    """
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=max_lr, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=total, **change)
    rates, momenta = [], []
    for step in range(total):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        momenta.append(float(optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        if step + 1 < total:
            schedule.step()
    return rates, momenta


def same_curve(seen: list[float], right: list[float]) -> bool:
    """Whether two lists of rates or momenta are equal; NaN equals nothing."""
    if len(seen) != len(right) or not all(map(math.isfinite, seen)):
        return False
    slack = LR_TOLERANCE * max(right, default=0.0)
    return all(abs(a - b) <= slack for a, b in zip(seen, right, strict=True))


OTHER_CURVES: tuple[dict[str, Any], ...] = (
    {"pct_start": 0.5},
    {"pct_start": 0.1},
    {"pct_start": 0.2},
    {"pct_start": 0.4},
    {"anneal_strategy": "linear"},
    {"three_phase": True},
    {"div_factor": 10.0},
    {"div_factor": 100.0},
    {"final_div_factor": 100.0},
    {"final_div_factor": 1000.0},
)


def planned_total(seen: list[float], max_lr: float) -> int | None:
    """The total for which OneCycleLR gives these first rates, or None.

    A cycle that is shorter than the run must match up to its end.
    """
    if not all(map(math.isfinite, seen)):
        return None
    slack = LR_TOLERANCE * max_lr
    for total in range(2, MOST_PLANNED):
        known = range(min(total, len(seen)))
        if all(abs(seen[step] - _rate(max_lr, total, step)) <= slack for step in known):
            return total
    return None


def _rate(max_lr: float, total: int, step: int) -> float:
    """OneCycleLR's rate by its formula, since a thousand schedules of torch itself take seconds."""
    peak, low = 0.3 * total - 1, max_lr / 25
    if step <= peak:
        start, end, share = low, max_lr, step / peak
    else:
        start, end, share = max_lr, low / 1e4, (step - peak) / (total - 1 - peak)
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


# --- SGD's steps ------------------------------------------------------------------------------


def step_sgd(
    start: Tensor,
    gradients: list[Tensor],
    rates: list[float],
    momenta: list[float],
    *,
    decay: float,
    nesterov: bool,
) -> Tensor:
    """`start` after SGD's steps along `gradients`, in float64.

    Source: the update that torch documents for torch.optim.SGD, without dampening.
    """
    weight, buffer = start.double(), torch.zeros(())
    for step, (gradient, rate, momentum) in enumerate(zip(gradients, rates, momenta, strict=True)):
        slope = gradient.double() + decay * weight
        buffer = slope if step == 0 else momentum * buffer + slope
        weight = weight - rate * (slope + momentum * buffer if nesterov else buffer)
    return weight


class Walk:
    """A network's weights and gradients through a run, to compare with SGD's steps.

    Args:
        weights: the weights before each step.
        gradients: their gradients in each step.
        final: the weights after the last step.
    """

    def __init__(
        self,
        weights: list[dict[str, Tensor]],
        gradients: list[dict[str, Tensor]],
        final: dict[str, Tensor],
    ) -> None:
        self.weights, self.gradients, self.final = weights, gradients, final

    def unexplained(
        self, rates: list[float], momenta: list[float], decay: float, *, free: bool = True
    ) -> str:
        """The first weight whose change is not that of SGD, or "".

        Args:
            rates: learning rate of each step.
            momenta: momentum of each step.
            decay: weight decay.
            free: whether norms and biases, which have one dimension, may have no decay.
        """
        missed = ""
        for nesterov in (True, False):
            missed = next(
                (
                    name
                    for name in self.final
                    if not self._fits(
                        name, rates, momenta, _allowed_decays(self, name, decay, free), nesterov
                    )
                ),
                "",
            )
            if not missed:
                return ""
        return missed

    def _fits(
        self,
        name: str,
        rates: list[float],
        momenta: list[float],
        decays: Iterable[float],
        nesterov: bool,
    ) -> bool:
        start = self.weights[0][name].double()
        change = self.final[name].double() - start
        gradients = [step[name] for step in self.gradients]
        ends = (
            step_sgd(start, gradients, rates, momenta, decay=decay, nesterov=nesterov)
            for decay in decays
        )
        return any(distance(change, end - start) <= STEP_TOLERANCE for end in ends)


def _allowed_decays(walk: Walk, name: str, decay: float, free: bool) -> tuple[float, ...]:
    return (decay, 0.0) if free and walk.final[name].dim() <= 1 else (decay,)
