"""timer: `EpochTimer` logs the wall time of each training epoch.

The probe trains a module that sleeps for drawn times, with and without validation; two runs
resume from a checkpoint, one from the middle of an epoch and one from its end. The probe's own
callback records the time of each hook, from which the judge computes the right values.
"""

from __future__ import annotations

import time
from random import Random
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from litcourse.core.evidence import Evidence, is_close
from litcourse.core.known_errors import error_finding
from litcourse.core.marks import merge
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, NotLookedAt, Question
from litcourse.probing.attempts import attempt
from litcourse.probing.class_bases import bases, derives_from, first_base
from litcourse.probing.trainers import quiet_trainer, to_number

ALL = ("logged", "true", "without_val", "resumed")
RUNS = {"plain": "true", "without_val": "without_val", "resumed": "resumed", "after": "resumed"}
KEY = "epoch_seconds"
RELATIVE, ABSOLUTE = 0.10, 0.1
"""A value may differ from the measured time by 10% of it plus a tenth of a second."""
EPOCHS = 2
TIMED = {"plain": EPOCHS, "without_val": 1, "resumed": EPOCHS, "after": 1}
"""Epochs that end in each run."""


def draw(rng: Random) -> Inputs:
    """Seconds of the first batch of the last epoch, and seconds of a validation.

    They are as short as possible: a missing batch or validation, or an earlier epoch counted in,
    must exceed the tolerance for an epoch that lasts as long as both.
    """
    batch, val = rng.uniform(0.17, 0.19), rng.uniform(0.17, 0.19)
    return Inputs({"batch": round(batch, 3), "val": round(val, 3)})


# --- probe ------------------------------------------------------------------------------


class Sleeper(L.LightningModule):
    """A module that learns nothing and sleeps in one batch and in each validation.

    Args:
        batch: seconds of the first batch of the last epoch; the others take none.
        val: seconds of a validation.
    """

    def __init__(self, batch: float, val: float) -> None:
        super().__init__()
        self.batch_seconds, self.val_seconds = batch, val
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Sleep in the first batch of the last epoch, and return a loss."""
        if batch_idx == 0 and self.current_epoch + 1 == self.trainer.max_epochs:
            time.sleep(self.batch_seconds)
        loss: Tensor = self.layer(batch[0]).sum()
        return loss

    def validation_step(self, _: list[Tensor], __: int) -> None:
        """Sleep."""
        time.sleep(self.val_seconds)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Gradient descent with learning rate 0."""
        return torch.optim.SGD(self.parameters(), lr=0.0)


class HookRecorder(L.Callback):
    """Records the time of each hook, from which the judge computes the epochs' times."""

    def __init__(self) -> None:
        self.hooks: list[str] = []
        self.moments: list[float] = []

    def _record(self, hook: str) -> None:
        self.hooks.append(hook)
        self.moments.append(time.perf_counter())

    def on_train_start(self, *_: Any) -> None:
        """Record a start: an epoch resumed in its middle has no `on_train_epoch_start`."""
        self._record("go")

    def on_train_epoch_start(self, *_: Any) -> None:
        """Record an epoch's start."""
        self._record("go")

    def on_train_epoch_end(self, *_: Any) -> None:
        """Record an epoch's end."""
        self._record("stop")


class Reader(L.Callback):
    """Reads each epoch's logged value when Lightning has put it into `callback_metrics`."""

    def __init__(self) -> None:
        self.logged: list[float | str | None] = []
        self.ended = 0

    def _read(self, trainer: L.Trainer) -> None:
        value = trainer.callback_metrics.pop(KEY, None)
        self.logged.append(None if value is None else to_number(value))

    def on_train_epoch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Read the value of the previous epoch, if one has ended in this run."""
        if self.ended:
            self._read(trainer)

    def on_train_epoch_end(self, *_: Any) -> None:
        """Count the epochs of this run."""
        self.ended += 1

    def on_train_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Read the value of the last epoch."""
        self._read(trainer)


def _make_loader(count: int) -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.ones(count, 1)), batch_size=1)


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Run with validation, without it, and resumed in the middle of an epoch or after one."""
    cls = student["EpochTimer"]
    evidence: dict[str, Any] = {"bases": bases(cls)}
    called = "Trainer(callbacks=[EpochTimer()]).fit(...)"
    for name in RUNS:
        evidence[name] = attempt(lambda name=name: _run(cls, shown, name), called)  # type: ignore[misc]
    return evidence


def _run(cls: Any, shown: dict[str, Any], name: str) -> dict[str, Any]:
    resumed, start = RUNS[name] == "resumed", None
    module = Sleeper(0.0 if resumed else shown["batch"], shown["val"])
    if resumed:
        start = _save_checkpoint(shown, in_the_middle=name == "resumed")
    recorder, reader = HookRecorder(), Reader()
    sanity = int(name == "plain")  # as in a Trainer without further arguments
    trainer = quiet_trainer(
        max_epochs=1 if name == "without_val" else EPOCHS,
        callbacks=[recorder, reader, cls()],
        num_sanity_val_steps=sanity,
    )
    val = None if name == "without_val" else _make_loader(1)
    trainer.fit(module, _make_loader(2), val, ckpt_path=start, weights_only=True if start else None)
    return {"hooks": recorder.hooks, "moments": recorder.moments, "logged": reader.logged}


class _SaveInTheMiddle(L.Callback):
    """Writes a checkpoint after the first batch."""

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Save once."""
        if trainer.global_step == 1:
            trainer.save_checkpoint("middle.ckpt")


def _save_checkpoint(shown: dict[str, Any], *, in_the_middle: bool) -> str:
    """Save a checkpoint of an epoch's middle or end, in a run without the student's callback."""
    trainer = quiet_trainer(max_epochs=1, callbacks=[_SaveInTheMiddle()])
    trainer.fit(Sleeper(0.0, shown["val"]), _make_loader(2))
    if in_the_middle:
        return "middle.ckpt"
    trainer.save_checkpoint("end.ckpt")
    return "end.ckpt"


# --- judge ------------------------------------------------------------------------------


def judge(_: Inputs, evidence: Evidence) -> list[Mark]:
    """Compare each epoch's logged value with the probe's own times."""
    if not derives_from(evidence["bases"], "Callback"):
        got, expected = first_base(evidence["bases"]), "of lightning.Callback"
        return [Finding("LIT600", ALL, "class EpochTimer", expected, got)]
    marks: list[Mark] = []
    for criterion in dict.fromkeys(RUNS.values()):
        cost = ("logged", "true") if criterion == "true" else (criterion,)
        names = [name for name in RUNS if RUNS[name] == criterion]
        marks += merge(_judge_run(name, cost, evidence[name]) for name in names)
    return marks


def _epoch_seconds(seen: Evidence) -> list[float]:
    """Seconds from each epoch's last "go" to its "stop"."""
    spans, begun = [], 0.0
    for hook, moment in zip(seen["hooks"].texts(), seen["moments"].numbers(), strict=False):
        if hook == "stop":
            spans.append(moment - begun)
        begun = moment
    return spans


_CALLS = {
    "plain": "fit with validation",
    "without_val": "fit without a validation loader",
    "resumed": "fit, resumed in the middle of an epoch",
    "after": "fit, resumed after an epoch",
}


def _judge_run(name: str, cost: tuple[str, ...], seen: Evidence) -> list[Mark]:
    if "error" in seen:
        return [error_finding(seen["error"], cost)]
    truth, called = _epoch_seconds(seen), _CALLS[name]
    logged = [None if value.is_none else value.number() for value in seen["logged"]]
    if all(value is None for value in logged):
        return [Finding("LIT601", cost, called, f"{KEY} in each epoch", "not logged")]
    missing = [epoch for epoch, value in enumerate(logged) if value is None]
    epochs = TIMED[name]
    if missing or len(logged) != len(truth) or len(truth) < epochs:
        got = f"{len(logged) - len(missing)} values in {len(truth)} epochs"
        return [Finding("LIT602", cost, called, f"{KEY} in each of {epochs} epochs", got)]
    hooks = seen["hooks"].texts()
    noted = len(hooks) == len(seen["moments"].numbers()) and set(hooks) == {"go", "stop"}
    if len(truth) != epochs or not noted:
        return [NotLookedAt(cost, f"{called}: the times of {epochs} epochs were not noted")]
    values = [float(value) for value in logged if value is not None]
    return _judge_values(cost, called, truth, values)


def _judge_values(
    cost: tuple[str, ...], called: str, truth: list[float], values: list[float]
) -> list[Mark]:
    if all(_is_right(value, right) for value, right in zip(values, truth, strict=True)):
        return [Earned(cost)]
    code = "LIT603"
    if all(_is_right(v, 1000 * r) for v, r in zip(values, truth, strict=True)):
        code = "LIT604"
    elif len(truth) > 1 and _is_right(values[-1], sum(truth)) and _is_right(values[0], truth[0]):
        code = "LIT605"
    elif all(value < right for value, right in zip(values, truth, strict=True)):
        code = "LIT606"
    expected = ", ".join(f"{value:.2f} s" for value in truth)
    got = ", ".join(f"{value:.2f}" for value in values)
    finding = Finding(code, cost[-1:], called, expected, got)
    return [Earned(cost[:-1]), finding] if cost[:-1] else [finding]


def _is_right(value: float, right: float) -> bool:
    return is_close(value, right, RELATIVE * right + ABSOLUTE)


QUESTION = Question(
    title="Time the epochs",
    defines=("EpochTimer",),
    criteria=(
        Criterion("logged", "logs epoch_seconds once per epoch", 0.2),
        Criterion("true", "the time from the epoch's start to its end, validation included", 0.4),
        Criterion("without_val", "also in a fit without validation", 0.2),
        Criterion("resumed", "also in runs that were resumed", 0.2),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
