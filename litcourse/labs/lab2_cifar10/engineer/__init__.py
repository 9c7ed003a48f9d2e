"""engineer: `make_trainer` hands on what it is asked for, and keeps what a run is worth.

Trainers are made for many arguments on machines with and without GPUs, simulated ones, and what
they resolved to is compared with what was asked for. Two short runs on the CPU then show what
clipping, accumulation and precision do to a module, and what is left on disk.

Read in this order:

1. `_measured_module`: the module that the Trainers train, which tells how it was treated.
2. `_trainer`: judges what Trainers resolved to, and what the two runs did and left.
3. `_csv_log`: judges what the log of a run holds.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.connectors.logger_connector import logger_connector

from litcourse.clusters import resolved, simulated_cluster
from litcourse.core.evidence import Evidence
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Finding, Inputs, Question
from litcourse.labs.lab2_cifar10.engineer._measured_module import Measured, TooLongError, rows_of
from litcourse.labs.lab2_cifar10.engineer._trainer import (
    VAL_BATCHES,
    by_other_means,
    judge_made,
    judge_runs,
)
from litcourse.probing.attempts import attempt
from litcourse.probing.networks import make_generator
from litcourse.probing.run_files import list_files, load_checkpoint, read_csv_column, read_csv_rows
from litcourse.probing.trainers import record_trainers

CALLED = "make_trainer(max_epochs=..., run_dir=..., ...)"
EPOCH = 13
"""Batches of an epoch: six epochs have more than the 50 steps after which Lightning logs, and the
steps that are logged, every n of them, are not just the last ones of epochs."""
WIDTH = 5


def draw(rng: Random) -> Inputs:
    """Arguments for simulated machines, and two runs."""
    rows = torch.randn(EPOCH, WIDTH, generator=make_generator(rng))
    shown = {
        "made": [{"gpus": gpus, "arguments": arguments} for gpus, arguments in _asked(rng)],
        "runs": {
            "plain": {"arguments": {"max_epochs": 6}, "curve": _curve(rng)},
            "tuned": {"arguments": _tuned(rng), "curve": _curve(rng)[:3]},
        },
        "rows": rows * torch.logspace(-1, 1, EPOCH)[:, None],
    }
    return Inputs(shown)


def _asked(rng: Random) -> list[tuple[int, dict[str, Any]]]:
    """GPUs of a machine, and what is asked for on it."""
    few, many = rng.randrange(2, 4), rng.randrange(4, 9)
    chosen = sorted(rng.sample(range(1, many), 2))
    mixed = rng.choice(["bf16-mixed", "16-mixed"])
    number = {"clip": round(rng.uniform(0.3, 3), 3), "accumulate": rng.randrange(2, 9)}
    asked: list[tuple[int, dict[str, Any]]] = [
        (0, {}),
        (many, {}),
        (many, {"accelerator": "gpu", "devices": few}),
        (many, {"accelerator": "cuda", "devices": chosen, "precision": "bf16-mixed"}),
        (1, {"precision": mixed, **number}),
        (many, {"accelerator": "cpu", "devices": few, "precision": "bf16-mixed"}),
        (few, {"devices": 1, "precision": "16-mixed"}),
        (0, {"precision": "bf16-true", "devices": "auto"}),
        (0, {"precision": "64-true", "accumulate": rng.randrange(2, 9)}),
    ]
    return [(gpus, {"max_epochs": rng.randrange(2, 40), **words}) for gpus, words in asked]


def _curve(rng: Random) -> list[float]:
    """Rises, then falls to its end: the best epoch is neither the last nor the lowest."""
    rise = sorted(rng.uniform(0.2, 0.6) for _ in range(2))
    fall = sorted((rng.uniform(0.05, 0.5) * rise[-1] for _ in range(4)), reverse=True)
    return [round(value, 4) for value in (*rise, *fall)]


def _tuned(rng: Random) -> dict[str, Any]:
    return {
        "max_epochs": 3,
        "clip": round(rng.uniform(0.8, 1.5), 3),
        "accumulate": rng.choice([2, 5]),  # of 13 batches: the last window is a shorter one
        "precision": "bf16-mixed",
    }


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Make the Trainers, and run two."""
    make = student["make_trainer"]
    made = [attempt(lambda one=one: _made(make, one), CALLED) for one in shown["made"]]  # type: ignore[misc]
    runs = {}
    for name, run in shown["runs"].items():
        runs[name] = attempt(lambda name=name, run=run: _run(make, name, run, shown), CALLED)  # type: ignore[misc]
    return {"made": made, "runs": runs}


def _made(make: Any, one: dict[str, Any]) -> dict[str, Any]:
    with simulated_cluster(1, one["gpus"]):
        trainer = make(run_dir="made", **one["arguments"])
        if not isinstance(trainer, L.Trainer):
            return {"returned": type(trainer).__name__}
        return {"returned": "Trainer", **resolved(trainer), **_steps(trainer)}


def _run(make: Any, name: str, run: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    run_dir = Path("runs", name)
    before = list_files()
    epochs = run["arguments"]["max_epochs"]
    module = Measured(run["curve"], WIDTH, longest=epochs + 1)
    with record_trainers(), _default_loggers() as defaults:  # the first: no bars, no summary
        trainer = make(run_dir=run_dir, accelerator="cpu", devices=1, **run["arguments"])
    if not isinstance(trainer, L.Trainer):
        return {"returned": type(trainer).__name__}
    asked = _steps(trainer)
    with contextlib.suppress(TooLongError):
        trainer.fit(module, rows_of(shown["rows"]), rows_of(shown["rows"][:VAL_BATCHES]))
    new = sorted(list_files() - before)
    return {
        "returned": "Trainer",
        **asked,
        "epochs": module.epochs,
        "validations": module.validations,
        "val_batches": module.val_batches,
        "rates": module.rates,
        "places": module.weights_seen,
        "dtypes": module.dtypes,
        "files": [file for file in new if file.startswith(f"{run_dir}/")],
        "elsewhere": [file for file in new if not file.startswith(f"{run_dir}/")],
        "val_acc": read_csv_column(run_dir, "val_acc"),
        "columns": _columns(run_dir),
        "default_logger": any(logger in defaults for logger in trainer.loggers),
        "checkpoints": [_checkpoint(callback) for callback in _checkpoints(trainer)],
        "saved": [_saved(str(file)) for file in sorted(run_dir.rglob("*.ckpt"))],
    }


def _steps(trainer: L.Trainer) -> dict[str, Any]:
    """What a Trainer was told of steps, before callbacks change it."""
    accumulate: Any = trainer.accumulate_grad_batches
    number = accumulate if isinstance(accumulate, int) else None
    clip = trainer.gradient_clip_val
    return {
        "accumulate": number,
        "accumulate_text": str(accumulate),
        "clip_val": None if clip is None else float(clip),
    }


@contextlib.contextmanager
def _default_loggers() -> Iterator[list[Any]]:
    """The loggers that Lightning chooses by itself while the context lasts.

    It is TensorBoard's where that is installed, a CSV file elsewhere: no choice to rely on.
    """
    made: list[Any] = []

    def noted(original: Any) -> Any:
        def make(*arguments: Any, **keywords: Any) -> Any:
            made.append(original(*arguments, **keywords))
            return made[-1]

        return make

    names = ("CSVLogger", "TensorBoardLogger")
    before = {name: getattr(logger_connector, name) for name in names}
    try:
        for name, original in before.items():
            setattr(logger_connector, name, noted(original))
        yield made
    finally:
        for name, original in before.items():
            setattr(logger_connector, name, original)


def _columns(run_dir: Path) -> list[dict[str, Any]]:
    """The columns of all CSV logs: a name, and the values at steps."""
    found = []
    for file in sorted(run_dir.rglob("*.csv")):
        rows = read_csv_rows(file)
        for name in rows[0] if rows else ():
            points = [(_number(row.get("step")), _number(row.get(name))) for row in rows]
            known = [(int(step), value) for step, value in points if not math.isnan(step + value)]
            steps, values = [step for step, _ in known], [value for _, value in known]
            found.append({"name": name, "steps": steps, "values": values})
    return found


def _number(cell: str | None) -> float:
    """A cell's finite number, else NaN."""
    try:
        number = float(cell or "nan")
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _checkpoints(trainer: Any) -> list[ModelCheckpoint]:
    return [one for one in trainer.callbacks if isinstance(one, ModelCheckpoint)]


def _checkpoint(callback: ModelCheckpoint) -> dict[str, Any]:
    return {
        "monitor": str(callback.monitor),
        "best": _saved(callback.best_model_path),
        "last": _saved(callback.last_model_path),
    }


def _saved(path: str) -> dict[str, Any]:
    """The epoch in which a checkpoint was written, None if there is none; if a run can go on."""
    content = load_checkpoint(path)
    weights = content.get("state_dict", {})
    epoch = int(weights["epoch_mark"]) if "epoch_mark" in weights else None
    return {"epoch": epoch, "resumable": bool(content.get("optimizer_states"))}


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Finding]:
    """What was resolved, then what the runs did and left."""
    found = judge_made(inputs, evidence["made"], by_other_means(inputs, evidence["runs"]))
    if any(len(finding.criteria) == len(QUESTION.criteria) for finding in found):
        return found
    return [*found, *judge_runs(inputs, evidence["runs"], found)]


QUESTION = Question(
    title="A Trainer for any machine",
    defines=("make_trainer",),
    criteria=(
        Criterion("hardware", "accelerator and devices as asked for", 0.2),
        Criterion("precision", "the precision that was asked for", 0.15),
        Criterion("steps", "epochs, accumulation, and clipping by norm", 0.2),
        Criterion("best", "the checkpoint with the highest val_acc", 0.15),
        Criterion("last", "a last checkpoint beside it", 0.05),
        Criterion("log", "val_acc and the rate of steps in a CSV log", 0.15),
        Criterion("place", "all of it under run_dir", 0.1),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
