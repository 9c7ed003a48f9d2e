"""Judges the reports of `rank_zero`: which ranks wrote, and whether the numbers are right."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.marks import find_findings, merge
from litcourse.core.question import Earned, Finding, Mark
from litcourse.ranks import read_rank_values

ALL = ("writer", "nodes", "epoch", "val_acc", "samples_seen")
KEYS = ("epoch", "val_acc", "samples_seen")
TOLERANCE = 1e-5
_CALLS = {
    "first": "fit on two ranks, resumed, stopped early",
    "second": "a second fit with the same callback",
    "nodes": "fit on two nodes of one rank each, stopped within an epoch",
    "single": "fit in one process, without strategy, resumed",
}


def judge_writer(seen: Evidence, fit: str) -> Mark:
    """Judge that exactly one rank wrote, exactly once."""
    ranks = [rank[fit] for rank in read_rank_values(seen)]
    wrote = [number for number, rank in enumerate(ranks) if not rank["text"].is_none]
    cost: tuple[str, ...] = ("nodes",) if fit == "nodes" else ("writer",)
    called, expected = _CALLS[fit], "one rank writes its path"
    if not wrote:
        cost = cost if fit == "nodes" else ("writer", *KEYS)
        return Finding("LIT3501", cost, called, expected, "no rank wrote")
    opened = {n: ", ".join(rank["opened"].texts()) for n, rank in enumerate(ranks)}
    busy = [number for number in opened if opened[number] or number in wrote]
    if len(busy) > 1:
        code = "LIT3503" if fit == "nodes" else "LIT3502"
        got = f"ranks {', '.join(map(str, busy))} wrote"
        where = "; ".join(f"rank {number} opened {opened[number]}" for number in busy)
        return Finding(code, cost, called, expected, got, where)
    if ranks[wrote[0]]["appended"].flag():
        expected, got = "the report replaces the last one", "it follows the last one in the file"
        return Finding("LIT3521", cost, called, expected, got)
    times = ranks[wrote[0]]["changes"].integer()
    if times != 1:
        got = f"written {times} times or more"
        return Finding("LIT3504", cost, called, "written once", got)
    return Earned(cost)


def judge_numbers(shown: dict[str, Any], seen: Evidence, fits: tuple[str, ...]) -> list[Mark]:
    """Judge the report of the first rank that wrote, with a code that explains every fit."""
    marks = merge(_judge_fit(shown, seen, fit) for fit in fits)
    for key, code in (("epoch", "LIT3514"), ("samples_seen", "LIT3520")):
        codes = {found.code for found in find_findings(marks) if found.criteria == (key,)}
        if len(codes) > 1:
            marks = [_recode(mark, codes, code) for mark in marks]
    return marks


def _recode(mark: Mark, codes: set[str], code: str) -> Mark:
    """`mark` with `code`, if it is a finding with one of `codes`."""
    return replace(mark, code=code) if isinstance(mark, Finding) and mark.code in codes else mark


def _judge_fit(shown: dict[str, Any], seen: Evidence, fit: str) -> list[Mark]:
    texts = [rank[fit]["text"] for rank in read_rank_values(seen)]
    written = next((text for text in texts if not text.is_none), None)
    if written is None:
        return []
    called = _CALLS[fit]
    report = _parse(written.text())
    if report is None:
        got = written.text()[:60] or "an empty file"
        return [Finding("LIT3511", KEYS, called, "a JSON object", got)]
    return [_judge_entry(key, report, shown, fit) for key in KEYS]


def _parse(text: str) -> dict[str, Any] | None:
    try:
        report = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return report if isinstance(report, dict) else None


def _judge_entry(key: str, report: dict[str, Any], shown: dict[str, Any], fit: str) -> Mark:
    called, cost = f"{key}, {_CALLS[fit]}", (key,)
    right = _RIGHT[key](shown[fit])
    expected = f"{right:.6g}"
    if key not in report:
        got = ", ".join(map(str, report))[:80] or "an empty object"
        return Finding("LIT3512", cost, called, f"an entry {key}", got)
    value = report[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        got = f"{value!r}"[:60]
        return Finding("LIT3513", cost, called, f"a number, {expected}", got)
    number = _to_float(value)
    if _is_equal(number, right):
        return Earned(cost)
    code, note = _EXPLANATIONS[key](number, shown, fit)
    return Finding(code, cost, called, expected, f"{number:.6g}", note)


def _to_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_equal(a: float, b: float) -> bool:
    return math.isfinite(a) and abs(a - b) <= TOLERANCE * max(1.0, abs(b))


# --- right values, and wrong ones that have a name ---------------------------------------


def _right_epoch(plan: dict[str, Any]) -> float:
    return float(plan["epochs"])


def _right_accuracy(plan: dict[str, Any]) -> float:
    last = [values[-1] for values in plan["accuracy"]]
    return float(sum(last) / len(last))


def _right_samples(plan: dict[str, Any]) -> float:
    return float(sum(_own_samples(plan)))


def _own_samples(plan: dict[str, Any]) -> list[int]:
    """The samples that each rank trained on; the last epoch may be cut short."""
    full, cut = plan["epochs"] - 1, plan["cut"]
    return [full * sum(sizes) + sum(sizes[:cut]) for sizes in plan["train"]]


_RIGHT: dict[str, Callable[[dict[str, Any]], float]] = {
    "epoch": _right_epoch,
    "val_acc": _right_accuracy,
    "samples_seen": _right_samples,
}


def _explain_epoch(number: float, shown: dict[str, Any], fit: str) -> tuple[str, str]:
    plan = shown[fit]
    if number == plan["epochs"] - 1 and fit == "nodes":
        return "LIT3514", "the epoch that is cut short counts, too"
    if number in {plan["epochs"] - 1, plan["before"] + plan["epochs"] - 1}:
        return "LIT3505", "the number of the last epoch, counted from 0"
    if number == plan["max_epochs"]:
        return "LIT3506", "max_epochs, although the fit ended earlier"
    if plan["before"] and number == plan["before"] + plan["epochs"]:
        return "LIT3524", f"{plan['before']} of them before the checkpoint"
    before = shown["first"]["epochs"]
    if fit == "second" and number == before + plan["epochs"]:
        return "LIT3523", f"{before} of them in the fit before"
    return "LIT3514", ""


def _explain_accuracy(number: float, shown: dict[str, Any], fit: str) -> tuple[str, str]:
    last = [values[-1] for values in shown[fit]["accuracy"]]
    for rank, value in enumerate(last):
        if _is_equal(number, value):
            return "LIT3507", f"rank {rank}'s own value; the ranks logged {last}"
    if not math.isfinite(number):
        return "LIT3513", "not finite"
    means = [sum(values) / len(last) for values in zip(*shown[fit]["accuracy"], strict=True)]
    if len(means) > 1 and _is_equal(number, max(means)):
        return "LIT3515", "the best of the fit"
    return "LIT3515", f"the ranks logged {last}"


def _explain_samples(number: float, shown: dict[str, Any], fit: str) -> tuple[str, str]:
    plan = shown[fit]
    own = _own_samples(plan)
    one_epoch: list[float] = [sum(map(sum, plan["train"]))] if plan["epochs"] > 1 else []
    total, world = sum(own), len(own)
    before = _right_samples(shown["first"]) if fit == "second" else math.nan
    validated = plan["val"] * world * plan["epochs"]
    where = f"the ranks trained on {' and '.join(map(str, own))} samples"
    explanations: list[tuple[str, list[float], str]] = [
        ("LIT3508", [*own], where),
        ("LIT3509", [total / world, total // world], where),
        ("LIT3516", [world * value for value in own], where),
        ("LIT3517", [total + before], f"{before:.0f} of them in the fit before"),
        ("LIT3518", one_epoch, f"one epoch of {plan['epochs']}"),
        ("LIT3519", [total + validated], f"{validated} of them in validation"),
    ]
    found = ((code, note) for code, values, note in explanations if number in values)
    return next(found, ("LIT3520", where))


_EXPLANATIONS: dict[str, Callable[[float, dict[str, Any], str], tuple[str, str]]] = {
    "epoch": _explain_epoch,
    "val_acc": _explain_accuracy,
    "samples_seen": _explain_samples,
}
