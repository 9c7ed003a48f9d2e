"""Limits of a Trainer that leave out batches or end a run, as somebody leaves them in.

A limit is seen by its value, since no run of a check is long enough to meet all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning.pytorch.callbacks import Timer

from litcourse.core.evidence import Evidence

if TYPE_CHECKING:
    import lightning as L

NO_LIMIT = {
    "limit_train_batches": "1.0",
    "limit_val_batches": "1.0",
    "limit_test_batches": "1.0",
    "overfit_batches": "0.0",
    "max_steps": "-1",
    "max_time": "None",
}
"""The limits by name, with the value that leaves out nothing, as text."""


def read_limits(trainer: L.Trainer) -> dict[str, str]:
    """The limits of a trainer, as text."""
    timers = [c for c in trainer.callbacks if isinstance(c, Timer)]  # type: ignore[attr-defined]
    seen: dict[str, Any] = {name: getattr(trainer, name, "") for name in NO_LIMIT}
    seen["max_time"] = "a time" if timers else None
    # 1.0 is all batches and 1 one of them, but 0 and 0.0 are both none.
    return {n: "0.0" if n.endswith("batches") and v == 0 else str(v) for n, v in seen.items()}


def limits_left_in(seen: Evidence) -> str:
    """The limits that leave something out, with their values; "" if there are none."""
    values = {name: seen[name].text() for name in NO_LIMIT}
    return ", ".join(f"{n}={v}" for n, v in values.items() if v != NO_LIMIT[n])
