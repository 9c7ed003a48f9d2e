"""Judges after how many epochs the runs of `fit` end, and what ended them or did not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.marks import find_findings
from litcourse.core.question import Earned, Finding, Mark
from litcourse.labs.lab1_mnist._trainer_settings import explain_end

CURVES = ("gap", "rising")
PATIENCE = 3
OF_RUNS = ("best", "stop", "log", "data")
"""What a limit, or a `fit` that is called once per epoch, spoils."""


def format_values(values: list[float]) -> str:
    """Values of a curve as text."""
    return ", ".join(f"{value:.4g}" for value in values)


def stopped_after(values: list[float], patience: int, max_epochs: int) -> int:
    """Number of epochs of a run on `values` with early stopping in mode "max"."""
    best, waited = float("-inf"), 0
    for epoch, value in enumerate(values[:max_epochs]):
        waited = 0 if value > best else waited + 1
        best = max(best, value)
        if waited >= patience:
            return epoch + 1
    return max_epochs


LONG, MANY_EPOCHS = "rising", 90
"""The curve on whose run `max_epochs` is so large; the module ends it with the curve."""


def judge_stop(curves: dict[str, Any], seen: Evidence) -> list[Mark]:
    """If a run has a wrong number of epochs: a finding on the first; its code explains both."""
    ran = {name: seen[name]["epochs"].integer() for name in CURVES}
    for name, curve in curves.items():
        values, most = curve["values"], curve["max_epochs"]
        wanted = stopped_after(values, PATIENCE, most)
        if ran[name] != wanted:
            called = f"max_epochs={most}, val_acc: {format_values(values)}"
            told = seen[name]["settings"]
            monitors = set(told["monitors"].texts()) & set(seen[name]["missed"].texts())
            if monitors:
                other = min(monitors)
                code = "LIT427" if other == "val_loss" else "LIT011"
                got = f"monitor {other}"
                return [Finding(code, ("stop",), "EarlyStopping(...)", "monitor val_acc", got)]
            code, why = explain_end(told, _explain_epochs(curves, ran), PATIENCE, wanted)
            got = f"{ran[name]} epochs{why and ', with ' + why}"
            return [Finding(code, ("stop",), called, f"{wanted} epochs", got)]
    planned = seen[LONG]["planned"].integer()
    if planned != MANY_EPOCHS:
        called, expected = f"train(..., max_epochs={MANY_EPOCHS})", f"max_epochs={MANY_EPOCHS}"
        return [Finding("LIT424", ("stop",), called, expected, f"max_epochs={planned}")]
    return [Earned(("stop",))]


def name_cause(seen: Evidence, marks: list[Mark]) -> list[Mark]:
    """`marks`; of fits in a loop, or a limit left in, one finding in place of its effects."""
    found = [f for f in find_findings(marks) if set(f.criteria) <= set(OF_RUNS)]
    cost = tuple(name for name in OF_RUNS if any(name in f.criteria for f in found))
    rest = [mark for mark in marks if mark not in found]
    fits = [seen[name]["fits"].integer() for name in CURVES]
    if found and min(fits) > 1:
        got = f"{fits[0]} calls"
        return [Finding("LIT426", cost, found[0].called, "one call of fit", got), *rest]
    limit = next((finding for finding in found if finding.code == "LIT451"), None)
    return [replace(limit, criteria=cost), *rest] if limit else marks


def _explain_epochs(curves: dict[str, Any], ran: dict[str, int]) -> str:
    """The code of the mistake that gives the epochs of both runs."""

    def explains(patience: int, sign: float = 1.0) -> bool:
        return all(
            ran[name] == stopped_after([sign * v for v in c["values"]], patience, c["max_epochs"])
            for name, c in curves.items()
        )

    if any(ran[name] > curve["max_epochs"] for name, curve in curves.items()):
        return "LIT424"
    if all(ran[name] == curve["max_epochs"] for name, curve in curves.items()):
        return "LIT420"
    if explains(PATIENCE, -1.0):
        return "LIT422"
    return "LIT421" if any(explains(other) for other in range(1, 8)) else "LIT423"
