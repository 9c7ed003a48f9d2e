"""What a Trainer of `fit` was told beside the task: limits left in, accumulation, clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning.pytorch.callbacks import EarlyStopping

from litcourse.core.evidence import Evidence
from litcourse.core.question import Earned, Finding, Mark, NotLookedAt
from litcourse.probing.trainer_limits import NO_LIMIT, limits_left_in, read_limits

if TYPE_CHECKING:
    import lightning as L

_STEPS = {"accumulate_grad_batches": "1", "gradient_clip_val": "None"}
"""Settings that change the optimizer's steps, with the value that does not."""
_GPUS = ("gpu", "cuda")
_CALLED = "L.Trainer(...)"


def read_settings(trainer: L.Trainer) -> dict[str, Any]:
    """The settings of a trainer, as text."""
    seen = {name: getattr(trainer, name, "") for name in _STEPS}
    seen["gradient_clip_val"] = seen["gradient_clip_val"] or None  # a clip of 0 clips nothing
    early = [c for c in trainer.callbacks if isinstance(c, EarlyStopping)]  # type: ignore[attr-defined]
    return {
        "limits": read_limits(trainer),
        "steps": {n: str(v) for n, v in seen.items()},
        "monitors": [str(callback.monitor) for callback in early],
        "patience": [int(callback.patience) for callback in early],
        "min_epochs": int(trainer.min_epochs or 0),
    }


def explain_end(seen: Evidence, code: str, patience: int, wanted: int) -> tuple[str, str]:
    """A more exact code for a run that ended too late, and what the Trainer was told; or `code`.

    Args:
        seen: evidence of `read_settings`.
        code: the code that the numbers of epochs alone give.
        patience: the right patience.
        wanted: the right number of epochs.
    """
    told, least = seen["patience"].integers(), seen["min_epochs"].integer()
    if least > wanted and told:
        return "LIT425", f"min_epochs={least}"
    if told and patience not in told:
        return "LIT421", f"patience={told[0]}"
    return code, ""


def judge_settings(seen: Evidence) -> list[Finding]:
    """Findings on settings that nobody asked for."""
    found, steps = [], seen["steps"]
    limits = limits_left_in(seen["limits"])
    if limits:
        expected = "none of " + ", ".join(NO_LIMIT)
        found.append(Finding("LIT451", ("data",), _CALLED, expected, limits))
    values = {name: steps[name].text() for name in _STEPS}
    changed = ", ".join(f"{name}={v}" for name, v in values.items() if v != _STEPS[name])
    if changed:
        expected = "none of " + ", ".join(_STEPS)
        found.append(Finding("LIT452", ("converge",), _CALLED, expected, changed))
    return found


def judge_arguments(seen: Evidence) -> Mark:
    """The mark for "device", by the arguments of the Trainers that `train` made."""
    cost, trainers = ("device",), list(seen["arguments"])
    for arguments in trainers:
        for name in arguments.keys():  # noqa: SIM118 (not a dict)
            value = arguments[name].text()
            neutral = {"auto", "1"} if name == "num_nodes" else {"auto"}
            if value not in neutral:
                called, got = "L.Trainer(...)", f"{name}={value}"
                code = "LIT013" if value in _GPUS else "LIT440"
                return Finding(code, cost, called, f"{name} left out", got)
    return Earned(cost) if trainers else NotLookedAt(cost, "train made no L.Trainer of its own")
