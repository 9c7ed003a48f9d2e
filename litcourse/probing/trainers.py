"""Runs Lightning as a probe needs it: in one CPU process, silently, with nothing on disk."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import lightning as L
from lightning.pytorch.callbacks import (
    EarlyStopping,
    ModelCheckpoint,
    ModelSummary,
    ProgressBar,
)
from lightning.pytorch.trainer.connectors.logger_connector import logger_connector
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.data import DataLoader, TensorDataset

from litcourse.core.tree import Tree

if TYPE_CHECKING:
    import torch

LATE = 72_072_000
"""Added to numbers of batches: "every n batches" stays for n up to 16, and for 100 and 1000."""


def quiet_trainer(cls: type[L.Trainer] = L.Trainer, /, **arguments: Any) -> L.Trainer:
    """A Trainer in one CPU process, without logger, checkpoints or progress bar by default."""
    defaults: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    return cls(**(defaults | arguments))


def make_loader(batches: list[list[Tree]]) -> DataLoader[Any]:
    """A loader that yields exactly these `[images, labels]` batches, in order."""
    return DataLoader(batches, batch_size=None, shuffle=False)  # type: ignore[arg-type]


def make_sample_loader(images: torch.Tensor, labels: torch.Tensor, size: int) -> DataLoader[Any]:
    """A loader over `images` and `labels` in batches of `size`, in order."""
    return DataLoader(TensorDataset(images, labels), batch_size=size)


@contextlib.contextmanager
def late_batches(module: Any, hook: str, count: int) -> Iterator[None]:
    """Have a step of `module` see the middle batches of an epoch as those of a very long one.

    What ends after so many batches shows in a few. The first and the last batch keep their
    numbers, by which code may tell them.

    Args:
        module: the module.
        hook: "training_step", "validation_step" or "test_step".
        count: batches of the epoch.
    """
    if not is_overridden(hook, module):
        yield
        return
    step = getattr(module, hook)

    @functools.wraps(step)
    def late_step(batch: Any, *others: Any) -> Any:
        number, rest = others[:1], others[1:]
        late = number and 0 < number[0] < count - 1
        return step(batch, *((number[0] + LATE,) if late else number), *rest)

    setattr(module, hook, late_step)
    try:
        yield
    finally:
        delattr(module, hook)


@contextlib.contextmanager
def count_steps() -> Iterator[Callable[[], int]]:
    """Count the steps of every torch optimizer in this process while the context lasts."""
    count = 0

    def hook(*_: object) -> None:
        nonlocal count
        count += 1

    handle = register_optimizer_step_post_hook(hook)
    try:
        yield lambda: count
    finally:
        handle.remove()


@contextlib.contextmanager
def record_trainers(here: Mapping[str, Any] | None = None) -> Iterator[list[dict[str, str]]]:
    """Record the device arguments of every Trainer that student code makes in the context.

    Such a Trainer shows no progress bar and no summary, unless its callbacks have one: nobody
    would see them, and rich's bar takes as long as the training of a small network.

    Args:
        here: device arguments that each Trainer gets in place of its own, so that one that asks
            for what this machine lacks runs all the same; None leaves it its own.
    """
    original = L.Trainer.__init__
    seen: list[dict[str, str]] = []
    names = ("accelerator", "devices", "strategy", "num_nodes")

    def init_and_record(self: Any, *arguments: Any, **keywords: Any) -> None:
        seen.append({name: str(keywords[name]) for name in names if name in keywords})
        if here is not None:
            keywords = {n: v for n, v in keywords.items() if n not in names} | dict(here)
        callbacks = _as_list(keywords.get("callbacks"))
        if not any(isinstance(callback, ProgressBar) for callback in callbacks):
            keywords["enable_progress_bar"] = False
        if not any(isinstance(callback, ModelSummary) for callback in callbacks):
            keywords["enable_model_summary"] = False
        original(self, *arguments, **keywords)

    L.Trainer.__init__ = init_and_record  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        L.Trainer.__init__ = original  # type: ignore[method-assign]


@contextlib.contextmanager
def record_default_loggers() -> Iterator[list[Any]]:
    """Record the loggers that Lightning chooses by default while the context lasts.

    The default is TensorBoard if it is installed, else a CSV file, so no run can rely on it.
    """
    loggers: list[Any] = []

    def wrap(original: Any) -> Any:
        def make(*arguments: Any, **keywords: Any) -> Any:
            loggers.append(original(*arguments, **keywords))
            return loggers[-1]

        return make

    names = ("CSVLogger", "TensorBoardLogger")
    before = {name: getattr(logger_connector, name) for name in names}
    try:
        for name, original in before.items():
            setattr(logger_connector, name, wrap(original))
        yield loggers
    finally:
        for name, original in before.items():
            setattr(logger_connector, name, original)


class StandInMetrics(L.Callback):
    """Logs what a Trainer's checkpoints and early stopping monitor and the module does not log.

    The run then goes on, and shows what else is right. `missed` names them.

    Args:
        always: keys that are never replaced.
    """

    def __init__(self, *always: str) -> None:
        self.always = always
        self.missed: set[str] = set()

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log them: a number that gets better by the callback's mode, epoch by epoch."""
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            name = getattr(callback, "monitor", None)
            logged = name in trainer.callback_metrics and name not in self.missed
            known = name is None or name in self.always or logged
            if known or not isinstance(callback, (ModelCheckpoint, EarlyStopping)):
                continue
            self.missed.add(str(name))
            way = -1.0 if callback.mode == "min" else 1.0
            pl_module.log(str(name), way * trainer.current_epoch, batch_size=1)


@contextlib.contextmanager
def stand_in_metrics(*always: str) -> Iterator[StandInMetrics]:
    """Give every Trainer that is made in the context the same `StandInMetrics`."""
    original, callback = L.Trainer.__init__, StandInMetrics(*always)

    def init_with_metrics(self: Any, *arguments: Any, **keywords: Any) -> None:
        keywords["callbacks"] = [*_as_list(keywords.get("callbacks") or []), callback]
        original(self, *arguments, **keywords)

    L.Trainer.__init__ = init_with_metrics  # type: ignore[method-assign]
    try:
        yield callback
    finally:
        L.Trainer.__init__ = original  # type: ignore[method-assign]


class TrainedTooEarlyError(RuntimeError):
    """Student code trains where it is only asked to make something."""


_RUNS = ("fit", "validate", "test", "predict")


@contextlib.contextmanager
def refuse_training() -> Iterator[None]:
    """Have every Trainer refuse to run while the context lasts.

    A training inside of `make_trainer` would take hours, and on a simulated machine start ranks
    that nobody ends.

    Raises:
        TrainedTooEarlyError: student code trains, validates, tests or predicts all the same.
    """
    originals = {name: getattr(L.Trainer, name) for name in _RUNS}

    def refusal(name: str) -> Callable[..., None]:
        def refuse(*_: object, **__: object) -> None:
            raise TrainedTooEarlyError(f"trainer.{name}(...) is called here")

        return refuse

    for name in _RUNS:
        setattr(L.Trainer, name, refusal(name))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(L.Trainer, name, original)


def _as_list(callbacks: Any) -> list[Any]:
    return list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]


def copy_tensors(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A detached CPU copy of a dict of tensors."""
    return {name: value.detach().cpu().clone() for name, value in state.items()}


def returned_loss(outputs: Any) -> float | str | None:
    """The loss that `training_step` returned, from the `outputs` of `on_train_batch_end`."""
    returned = outputs.get("loss") if isinstance(outputs, dict) else outputs
    return None if returned is None else to_number(returned)


def logged_values(trainer: L.Trainer) -> dict[str, float | str]:
    """The values that `self.log` wrote to the trainer's `callback_metrics`."""
    return {str(name): to_number(value) for name, value in trainer.callback_metrics.items()}


def to_number(value: object) -> float | str:
    """`value` as a float; the name of its type if that is impossible."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return type(value).__name__
