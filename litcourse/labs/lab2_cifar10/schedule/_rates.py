"""Judges the learning rates of `schedule`, in the plain run and in the others."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.known_errors import error_finding
from litcourse.core.question import Earned, Finding, Inputs, Mark
from litcourse.labs.lab2_cifar10.schedule._one_cycle import (
    OTHER_CURVES,
    one_cycle,
    planned_total,
    same_curve,
)
from litcourse.ranks import rank_findings, read_rank_values

RATE = ("rate", "everywhere")
RANKS = 2
SHOWN = 8
DEFAULT_MAX_LR, DEFAULT_DECAY = 0.1, 5e-4
"""Defaults of LitResNet's arguments, from the task."""
ACCUMULATED = "fit with accumulate_grad_batches"
OVERRUN = "Tried to step"
"""Start of OneCycleLR's exception when a run steps it past its end."""


def read_noted(seen: Evidence, key: str) -> list[float]:
    """`key` of each step, such as "lr"; NaN if an optimizer has none, or its groups differ."""
    values = []
    for step in seen["groups"]:
        groups = [_to_number(g) for g in step[key]]
        alike = groups and _is_constant(groups)
        values.append(groups[0] if alike else math.nan)
    return values


def _is_number(node: Evidence) -> bool:
    try:
        node.number()
    except ValueError:
        return False
    return True


def format_rates(rates: list[float], digits: int = 3) -> str:
    """The first rates as text."""
    few = ", ".join(f"{rate:.{digits}g}" for rate in rates[:SHOWN])
    return f"{few}, …" if len(rates) > SHOWN else few or "no step"


def tell_rates_apart(right: list[float], seen: list[float]) -> tuple[str, str]:
    """Both lists as text, from the step on that shows how they differ."""
    for digits in (3, 9):
        texts = [[f"{rate:.{digits}g}" for rate in rates] for rates in (right, seen)]
        pairs = zip_longest(*texts)
        first = next((step for step, (one, other) in enumerate(pairs) if one != other), SHOWN)
        if texts[0] != texts[1]:
            break
    if first < SHOWN:
        return format_rates(right, digits), format_rates(seen, digits)
    later = (format_rates(rates[first:], digits) for rates in (right, seen))
    one, other = (f"from step {first} on {text}" for text in later)
    return one, other


def overrun_finding(inputs: Inputs, plain: Evidence, error: Finding) -> Finding:
    """`error` with a code for a schedule that ended before the run, if that is the cause."""
    if OVERRUN not in error.got:
        return error
    total = inputs.shown["epochs"] * len(inputs.shown["batches"])
    right, _ = one_cycle(inputs.shown["max_lr"], total)
    code = "LIT2115" if _steps_twice(read_noted(plain, "lr"), right) else "LIT2112"
    return replace(error, code=code, expected=f"a cycle of {total} steps")


def judge_rates(inputs: Inputs, plain: Evidence) -> Mark:
    """Judge the rates and momenta of the plain run."""
    max_lr, total = inputs.shown["max_lr"], inputs.shown["epochs"] * len(inputs.shown["batches"])
    seen, (right, momenta) = read_noted(plain, "lr"), one_cycle(max_lr, total)
    called = f"the rate of each of {total} steps"
    if not same_curve(seen, right):
        code, note = _why(seen, right, max_lr, len(inputs.shown["batches"]))
        return Finding(code, RATE, called, *tell_rates_apart(right, seen), note)
    cycled, names = read_noted(plain, "momentum"), plain["optimizers"].texts()
    other = names and "SGD" not in names  # it may have no momentum
    if not other and not same_curve(cycled, momenta):
        called = f"the momentum of each of {total} steps"
        return Finding("LIT2117", RATE, called, *tell_rates_apart(momenta, cycled))
    return Earned(("rate",))


def _steps_twice(seen: list[float], right: list[float]) -> bool:
    """Whether the schedule took two steps for each step of the optimizer."""
    halves = (right[start::2] for start in (0, 1))  # the schedule steps after SGD, or before
    least = len(right) // 2 - 1
    return len(seen) >= least and any(same_curve(seen[:least], half[:least]) for half in halves)


def _steps_per_batch(seen: list[float], right: list[float], batches: Iterable[int]) -> bool:
    """Whether the schedule took a step for each batch, before the optimizer's step or after it.

    Args:
        seen: the rate of each optimizer step.
        right: the rates of the cycle.
        batches: the number of batches up to each optimizer step, its own included.
    """
    for later in (0, 1):
        moved = [right[n - later] for n in batches if n - later < len(right)]
        least = min(len(seen), len(moved))
        if least > 1 and same_curve(seen[:least], moved[:least]):
            return True
    return False


def _why(seen: list[float], right: list[float], max_lr: float, batches: int) -> tuple[str, str]:
    """The code of the mistake that gives exactly these rates, and a note."""
    if any(not math.isfinite(rate) for rate in seen):
        return "LIT2118", "parameter groups with different rates"
    epochs = [seen[i : i + batches] for i in range(0, len(seen), batches)]
    if _is_constant(seen):
        return "LIT2110", "always the same"
    if all(map(_is_constant, epochs)):
        return "LIT2111", "it changes between epochs alone"
    if _steps_twice(seen, right):
        return "LIT2115", "every second rate of the cycle"
    if _steps_per_batch(seen, right, range(1, len(right) + 1)):
        return "LIT2106", "the cycle, one step ahead"
    return _explain_cycle(seen, right, max_lr)


def _is_constant(rates: list[float]) -> bool:
    return max(rates) - min(rates) <= 1e-9  # noqa: PLR2004 (rounding of one rate)


def _compute_changed(max_lr: float, total: int, change: dict[str, Any]) -> list[float]:
    """The rates of a cycle with `change`; [] if torch refuses it, e.g. a rise of no steps."""
    try:
        return one_cycle(max_lr, total, **change)[0]
    except ZeroDivisionError:
        return []


def _explain_cycle(seen: list[float], right: list[float], max_lr: float) -> tuple[str, str]:
    planned = planned_total(seen, max_lr)
    if planned is not None:
        return "LIT2112", f"a cycle of about {planned} steps in a run of {len(seen)}"
    scale = seen[0] / right[0]
    if scale > 0 and planned_total([rate / scale for rate in seen], max_lr):
        return "LIT2113", f"a cycle whose peak is {scale * max_lr:.3g}, not {max_lr:.3g}"
    for change in OTHER_CURVES:
        if same_curve(seen, _compute_changed(max_lr, len(seen), change)):
            name, value = next(iter(change.items()))
            return "LIT2114", f"as with {name}={value}"
    return "LIT2119", ""


# --- the other runs ---------------------------------------------------------------------


def judge_elsewhere(inputs: Inputs, evidence: Evidence) -> list[Finding]:
    """Judge the rates with accumulation, with max_steps, and on each of two ranks."""
    for name, (called, total) in _list_runs(inputs).items():
        found = _judge_run(inputs, evidence[name], called, total)
        if found:
            return found
    ranks = evidence["ranks"]
    stuck = rank_findings(ranks, ("everywhere",))
    if stuck:
        return stuck
    called, size = "fit on two ranks", inputs.shown["size"]
    shard = math.ceil(len(inputs.shown["test"][1]) / RANKS)
    total = inputs.shown["epochs"] * math.ceil(shard / size)
    values = read_rank_values(ranks)
    if len(values) != RANKS:
        raise MalformedError(ranks.path, f"entries of {RANKS} ranks")
    for seen in values:
        found = _judge_run(inputs, seen, called, total)
        if found:
            return found
    return []


def judge_defaults(inputs: Inputs, seen: Evidence, *, decays: bool) -> list[Finding]:
    """Judge the highest rate and the weight decay of `LitResNet(model)`.

    Args:
        inputs: the inputs of the check.
        seen: evidence of the run with the defaults.
        decays: whether to judge the decay too; an optimizer that has another decay than it was
            given has another default as well.
    """
    cost, called = ("everywhere",), "LitResNet(model), then fit"
    expected = f"max_lr={DEFAULT_MAX_LR:g} and weight_decay={DEFAULT_DECAY:g}"
    if "error" in seen:
        found = error_finding(seen["error"], cost)
        code = "LIT2150" if "required positional argument" in found.got else found.code
        return [replace(found, code=code, called=called, expected=expected)]
    rates, (right, _) = read_noted(seen, "lr"), one_cycle(DEFAULT_MAX_LR, inputs.shown["few_steps"])
    got = [] if same_curve(rates, right) else [f"rates up to {max(rates, default=0):.3g}"]
    used = [_largest_decay(step) for step in seen["groups"]] if decays else []
    wrong = [decay for decay in used if not abs(decay - DEFAULT_DECAY) <= 1e-9]  # noqa: PLR2004
    got += [f"weight_decay={decay:g}" for decay in wrong[:1]]
    return [Finding("LIT2150", cost, called, expected, " and ".join(got))] if got else []


def _largest_decay(step: Evidence) -> float:
    """The largest weight decay of a step's groups, as norms and biases may have none; or NaN."""
    groups = [_to_number(group) for group in step["weight_decay"]]
    return max(groups) if groups and all(map(math.isfinite, groups)) else math.nan


def _to_number(node: Evidence) -> float:
    return node.number() if _is_number(node) else math.nan


def _list_runs(inputs: Inputs) -> dict[str, tuple[str, int]]:
    shown = inputs.shown
    windows = math.ceil(len(shown["batches"]) / shown["accumulate"])
    accumulated = f"{ACCUMULATED}={shown['accumulate']}"
    limited = f"fit with max_steps={shown['max_steps']}"
    return {
        "accumulated": (accumulated, shown["epochs"] * windows),
        "max_steps": (limited, shown["max_steps"]),
    }


def _count_batches(inputs: Inputs) -> list[int]:
    """The number of batches up to each optimizer step of the accumulated run."""
    count, window = len(inputs.shown["batches"]), inputs.shown["accumulate"]
    ends = [min(n + window, count) for n in range(0, count, window)]
    return [epoch * count + end for epoch in range(inputs.shown["epochs"]) for end in ends]


def _judge_run(inputs: Inputs, seen: Evidence, called: str, total: int) -> list[Finding]:
    cost, rates = ("everywhere",), read_noted(seen, "lr")
    right, _ = one_cycle(inputs.shown["max_lr"], total)
    if "error" not in seen and same_curve(rates, right):
        return []
    if called.startswith(ACCUMULATED) and _steps_per_batch(rates, right, _count_batches(inputs)):
        note = "it moves with every batch, not with every optimizer step"
        return [Finding("LIT2106", cost, called, *tell_rates_apart(right, rates), note)]
    if "error" in seen:
        finding = error_finding(seen["error"], cost)
        code = "LIT2105" if "manual optimization" in finding.got else finding.code
        code = "LIT2112" if OVERRUN in finding.got else code
        return [replace(finding, code=code, called=called)]
    if len(rates) != total:
        return [Finding("LIT134", cost, called, f"{total} optimizer steps", str(len(rates)))]
    planned = planned_total(rates, inputs.shown["max_lr"])
    code, note = "LIT2119", ""
    scale = rates[0] / right[0] if rates else 0.0
    if scale > 0 and same_curve([rate / scale for rate in rates], right):
        code, note = "LIT2152", f"the cycle, {scale:.3g} times as high"
    elif planned is not None:
        code, note = "LIT2112", f"a cycle of about {planned} steps in a run of {total}"
    return [Finding(code, cost, called, *tell_rates_apart(right, rates), note)]
