"""What a Trainer of `fit` was told beside the task: limits left in, accumulation, clipping.

A limit is seen by its value, since no run of a check is long enough to meet all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning.pytorch.callbacks import Timer

from litcourse.core.evidence import Evidence
from litcourse.core.question import Finding

if TYPE_CHECKING:
    import lightning as L

LIMITS = {
    "limit_train_batches": "1.0",
    "limit_val_batches": "1.0",
    "limit_test_batches": "1.0",
    "overfit_batches": "0.0",
    "max_steps": "-1",
    "max_time": "None",
}
"""Settings that leave out batches or end a run, with the value that does neither."""
STEPS = {"accumulate_grad_batches": "1", "gradient_clip_val": "None"}
"""Settings that change the optimizer's steps, with the value that does not."""
_SHARES = {"limit_train_batches", "limit_val_batches", "limit_test_batches", "overfit_batches"}


def read_settings(trainer: L.Trainer) -> dict[str, str]:
    """The settings of a trainer by name, as text."""
    timers = [c for c in trainer.callbacks if isinstance(c, Timer)]  # type: ignore[attr-defined]
    seen: dict[str, Any] = {name: getattr(trainer, name, "") for name in (*LIMITS, *STEPS)}
    seen["max_time"] = type(timers[0]).__name__ if timers else None
    # 1.0 is all batches, and 1 is one of them; a clip of 0 clips nothing.
    seen["gradient_clip_val"] = seen["gradient_clip_val"] or None
    return {n: str(float(v)) if n in _SHARES and not v else str(v) for n, v in seen.items()}


def judge_settings(seen: Evidence) -> list[Finding]:
    """Findings on settings that nobody asked for."""
    found = []
    for code, cost, settings in (("LIT451", "data", LIMITS), ("LIT452", "converge", STEPS)):
        told = {name: seen[name].text() for name in settings}
        got = ", ".join(f"{n}={told[n]}" for n, neutral in settings.items() if told[n] != neutral)
        if got:
            expected = "none of " + ", ".join(settings)
            found.append(Finding(code, (cost,), "L.Trainer(...)", expected, got))
    return found
