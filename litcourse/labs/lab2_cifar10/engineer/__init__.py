"""engineer: `make_trainer` makes a Trainer from its arguments, with checkpoints and a log.

The probe makes Trainers for many arguments on simulated machines with and without GPUs; the judge
compares what they resolved to with the arguments. Two short runs on the CPU show the effects of
clipping, accumulation and precision on a module, and the files that a run writes.

Read in this order:

1. `_measured_module`: the module that the Trainers train; it records steps and precision.
2. `_resolved_trainers`: judges the resolved Trainers.
3. `_trained_runs`: judges the steps and files of the two runs.
4. `_csv_log`: judges the CSV log of a run.
"""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from random import Random
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint

from litcourse.clusters import resolved, simulated_cluster
from litcourse.core.evidence import Evidence
from litcourse.core.marks import find_findings, merge
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Inputs, Mark, Question
from litcourse.feedback.chart import GREEN, Curve, draw_curves
from litcourse.labs.lab2_cifar10.engineer._measured_module import Measured, TooLongError, rows_of
from litcourse.labs.lab2_cifar10.engineer._resolved_trainers import ALL, by_other_means, judge_made
from litcourse.labs.lab2_cifar10.engineer._trained_runs import (
    VAL_BATCHES,
    judge_runs,
    takes_right_steps,
)
from litcourse.probing.attempts import attempt
from litcourse.probing.networks import make_generator
from litcourse.probing.run_files import list_files, load_checkpoint, read_csv_column, read_csv_rows
from litcourse.probing.trainer_limits import read_limits
from litcourse.probing.trainers import (
    record_default_loggers,
    record_trainers,
    refuse_training,
    stand_in_metrics,
)

CALLED = "make_trainer(max_epochs=..., run_dir=..., ...)"
EPOCH = 13
"""Batches of an epoch: six epochs have more than the 50 steps after which Lightning logs, and a
log of every n-th step does not hold only last steps of epochs."""
WIDTH = 5
OF_RUNS = ("best", "last", "log", "place")
"""Criteria that only a run shows."""


def draw(rng: Random) -> Inputs:
    """Arguments for simulated machines, arguments and curves of two runs, and the training rows."""
    rows = torch.randn(EPOCH, WIDTH, generator=make_generator(rng))
    shown = {
        "made": [
            {"gpus": gpus, "arguments": arguments} for gpus, arguments in _draw_arguments(rng)
        ],
        "runs": {
            "plain": {"arguments": {"max_epochs": 6}, "curve": _draw_curve(rng)},
            # Lower, so that a checkpoint that was kept from the plain run shows.
            "tuned": {
                "arguments": _draw_tuned_arguments(rng),
                "curve": _draw_low_curve(rng),
            },
        },
        "rows": rows * torch.logspace(-1, 1, EPOCH)[:, None],
    }
    return Inputs(shown)


def _draw_arguments(rng: Random) -> list[tuple[int, dict[str, Any]]]:
    """Pairs of a machine's number of GPUs and the arguments of `make_trainer` on it."""
    few, many = rng.randrange(2, 4), rng.randrange(4, 9)
    chosen = sorted(rng.sample(range(1, many), 2))
    mixed = rng.choice(["bf16-mixed", "16-mixed"])
    number = {"clip": round(rng.uniform(0.3, 3), 3), "accumulate": rng.randrange(2, 9)}
    calls: list[tuple[int, dict[str, Any]]] = [
        (0, {}),
        (many, {}),
        (many, {"accelerator": "gpu", "devices": few}),
        (many, {"accelerator": "cuda", "devices": chosen, "precision": "bf16-mixed"}),
        (1, {"precision": mixed, **number}),
        (many, {"accelerator": "cpu", "devices": few, "precision": "bf16-mixed"}),
        (few, {"devices": 1, "precision": "16-mixed"}),
        (0, {"precision": "bf16-true", "devices": "auto"}),
        (0, {"precision": "64-true", "accumulate": rng.randrange(65, 200)}),
    ]
    epochs = rng.sample(
        [*(rng.randrange(2, 40) for _ in calls[1:]), rng.randrange(65, 500)], len(calls)
    )
    return [
        (gpus, {"max_epochs": most, **words})
        for most, (gpus, words) in zip(epochs, calls, strict=True)
    ]


def _draw_curve(rng: Random) -> list[float]:
    """A curve that rises, then falls to its end: its best epoch is neither last nor lowest.

    The third of six is the best, in the other run the second: so that a checkpoint of every n-th
    epoch shows.
    """
    rise = sorted(rng.uniform(0.2, 0.6) for _ in range(3))
    fall = sorted((rng.uniform(0.05, 0.5) * rise[-1] for _ in range(3)), reverse=True)
    return [round(value, 4) for value in (*rise, *fall)]


def _draw_low_curve(rng: Random) -> list[float]:
    """Three values, the second one the best and the first one the lowest."""
    best = rng.uniform(0.1, 0.18)
    shares = rng.uniform(0.1, 0.4), 1.0, rng.uniform(0.5, 0.9)
    return [round(share * best, 4) for share in shares]


def _draw_tuned_arguments(rng: Random) -> dict[str, Any]:
    return {
        "max_epochs": 3,
        "clip": round(rng.uniform(0.8, 1.5), 3),
        "accumulate": rng.choice([2, 5]),  # neither divides 13 batches: the last window is shorter
        "precision": "bf16-mixed",
    }


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Make the Trainers, and run two."""
    make = student["make_trainer"]
    made = [_probe_made(make, one) for one in shown["made"]]
    runs = {}
    for name, run in shown["runs"].items():
        runs[name] = attempt(lambda name=name, run=run: _run(make, name, run, shown), CALLED)  # type: ignore[misc]
    return {"made": made, "runs": runs}


def _probe_made(make: Any, one: dict[str, Any]) -> dict[str, Any]:
    # Outside of `attempt`: without simulated machines nothing of the question is measured.
    arguments = one["arguments"]
    with simulated_cluster(1, one["gpus"]):
        seen = attempt(lambda: _resolve(make, arguments), CALLED)
        if "error" not in seen:
            return seen
        # Hardware that nobody asked for may be refused; the rest shows on that asked for.
        asked = {name: arguments[name] for name in ("accelerator", "devices") if name in arguments}
        with record_trainers(asked):
            return {**seen, "rest": attempt(lambda: _resolve(make, arguments), CALLED)}


def _resolve(make: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    trainer = make(run_dir="made", **arguments)
    if not isinstance(trainer, L.Trainer):
        return {"returned": type(trainer).__name__}
    seen = {**resolved(trainer), **_read_steps(trainer), "limits": read_limits(trainer)}
    shares = bool(trainer._accelerator_connector.use_distributed_sampler)  # noqa: SLF001 (no public name)
    return {"returned": "Trainer", **seen, "shares": shares}


def _run(make: Any, name: str, run: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    run_dir = Path("runs", name)
    before = list_files()
    epochs = run["arguments"]["max_epochs"]
    module = Measured(run["curve"], WIDTH, longest=epochs + 1)
    # Without bars and summary.
    here = {"accelerator": "cpu", "devices": 1}
    with (
        record_trainers(here),
        refuse_training(),
        stand_in_metrics("val_acc"),
        record_default_loggers() as defaults,
    ):
        trainer = make(run_dir=run_dir, accelerator="cpu", devices=1, **run["arguments"])
    if not isinstance(trainer, L.Trainer):
        return {"returned": type(trainer).__name__}
    steps = _read_steps(trainer)
    if not trainer.loggers:  # Lightning's monitor refuses to run so, and would hide all the rest
        kept = [c for c in trainer.callbacks if not isinstance(c, LearningRateMonitor)]  # type: ignore[attr-defined]
        trainer.callbacks = kept  # type: ignore[attr-defined]
    with contextlib.suppress(TooLongError):
        trainer.fit(module, rows_of(shown["rows"]), rows_of(shown["rows"][:VAL_BATCHES]))
    new = sorted(list_files() - before)
    return {
        "returned": "Trainer",
        **steps,
        "epochs": module.epochs,
        "validated": module.validated,
        "val_batches": module.val_batches,
        "rates": module.rates,
        "places": module.weights_seen,
        "dtypes": module.dtypes,
        "files": [file for file in new if file.startswith(f"{run_dir}/")],
        "elsewhere": [file for file in new if not file.startswith(f"{run_dir}/")],
        "val_acc": read_csv_column(run_dir, "val_acc"),
        "columns": _read_columns(run_dir),
        "default_logger": any(logger in defaults for logger in trainer.loggers),
        "checkpoints": [_describe_checkpoint(callback) for callback in _find_checkpoints(trainer)],
        "saved": [_read_checkpoint(str(file)) for file in sorted(run_dir.rglob("*.ckpt"))],
    }


def _read_steps(trainer: L.Trainer) -> dict[str, Any]:
    """A Trainer's accumulation and clipping, before callbacks change them."""
    accumulate: Any = trainer.accumulate_grad_batches
    number = accumulate if isinstance(accumulate, int) else None
    clip = trainer.gradient_clip_val
    return {
        "accumulate": number,
        "accumulate_text": str(accumulate),
        "clip_val": None if clip is None else float(clip),
    }


def _read_columns(run_dir: Path) -> list[dict[str, Any]]:
    """The columns of all CSV logs, each with its name, steps and values."""
    found = []
    for file in sorted(run_dir.rglob("*.csv")):
        rows = read_csv_rows(file)
        for name in rows[0] if rows else ():
            points = [(_to_number(row.get("step")), _to_number(row.get(name))) for row in rows]
            known = [(int(step), value) for step, value in points if not math.isnan(step + value)]
            steps, values = [step for step, _ in known], [value for _, value in known]
            found.append({"name": name, "steps": steps, "values": values})
    return found


def _to_number(cell: str | None) -> float:
    """A cell's finite number, else NaN."""
    try:
        number = float(cell or "nan")
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _find_checkpoints(trainer: Any) -> list[ModelCheckpoint]:
    return [one for one in trainer.callbacks if isinstance(one, ModelCheckpoint)]


def _describe_checkpoint(callback: ModelCheckpoint) -> dict[str, Any]:
    return {
        "monitor": str(callback.monitor),
        "best": _read_checkpoint(callback.best_model_path),
        "last": _read_checkpoint(callback.last_model_path),
    }


def _read_checkpoint(path: str) -> dict[str, Any]:
    """The epoch of a checkpoint, None without a file, and whether a run can resume from it."""
    content = load_checkpoint(path)
    weights = content.get("state_dict", {})
    epoch = int(weights["epoch_mark"]) if "epoch_mark" in weights else None
    return {"epoch": epoch, "resumable": bool(content.get("optimizer_states"))}


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the resolved Trainers, then the steps and files of the runs."""
    runs = evidence["runs"]
    free = by_other_means(runs["tuned"]) if takes_right_steps(inputs, runs) else set()
    made = judge_made(inputs, evidence["made"], free)
    lost = {criterion for finding in find_findings(made) for criterion in finding.criteria}
    if lost == set(ALL):
        return made
    trained = [
        mark
        for mark in judge_runs(inputs, runs)
        if isinstance(mark, Earned) or not set(mark.criteria) <= lost
    ]
    # Precision and steps must be right in both; each of the others shows in one of them alone.
    return merge([[*made, Earned(OF_RUNS)], [*trained, Earned(("hardware",))]])


def picture(_: Inputs, evidence: Evidence) -> str:
    """The learning rate in the student's own CSV log of the plain run, and that of the run."""
    seen = evidence["runs"]["plain"]
    if "columns" not in seen:
        return ""
    rates = seen["rates"].numbers()
    logged = [c for c in seen["columns"] if c["name"].text().startswith("lr")]
    curves = [Curve("the rate of each step", list(enumerate(rates)), GREEN, dashed=True)]
    for column in logged[:1]:
        points = list(zip(column["steps"].integers(), column["values"].numbers(), strict=False))
        curves.append(Curve(f"{column['name'].text()} in your log", points))
    return draw_curves(curves, "optimizer step", "rate")


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
    picture=picture,
)
