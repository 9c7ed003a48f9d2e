"""converge: `train_cifar10` trains an accurate SmallCNN, reproducibly from a seed.

The student's function and `LitResNet` train on drawn images of three classes with permuted
labels. The judge scores the weights on images that the student's process never saw. Three small
runs show what the seed determines.

Read in this order:

1. `_shapes`: draws images and permutes their labels; `_shape_data` serves them.
2. This module: runs the training and judges the weights.
3. `_seeds`: judges what the seed determines.
4. `_earlier_questions`: finds out whether an exception is that of an earlier question.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from litcourse.core.evidence import Evidence
from litcourse.core.namespace import Student
from litcourse.core.question import (
    Criterion,
    Earned,
    Finding,
    Inputs,
    Mark,
    NotLookedAt,
    Question,
)
from litcourse.feedback.chart import draw_curve
from litcourse.labs.lab2_cifar10.converge._earlier_questions import (
    exception_finding,
    judge_hardware,
    waiting_finding,
)
from litcourse.labs.lab2_cifar10.converge._seeds import SAME, judge_seeds
from litcourse.labs.lab2_cifar10.converge._shape_data import ShapeData, to_channels_last
from litcourse.labs.lab2_cifar10.converge._shapes import draw_shapes
from litcourse.models import SmallCNN
from litcourse.probing.attempts import attempt
from litcourse.probing.networks import with_weights
from litcourse.probing.run_files import list_files, read_csv_column
from litcourse.probing.trainer_limits import limits_left_in, read_limits
from litcourse.probing.trainers import (
    copy_tensors,
    quiet_trainer,
    record_trainers,
    refuse_training,
    to_number,
)

ALL = ("accuracy", "same", "other", "place")
CALLED = "train_cifar10(datamodule, max_epochs, run_dir, seed)"
LEAST_ACCURACY = 0.75
"""Accuracy on unseen images. In 380 runs of five kinds of right answers (tools/measure_converge.py
on one thread of x86_64, torch 2.15, lightning 2.6.6) the mean of each kind was 0.97 to 0.985. SGD
without Nesterov had the lowest run, 0.863, and the largest standard deviation, 0.022; the limit
is ten of these below its mean."""
TRAIN, VAL, KEPT, BATCH, EPOCHS = 480, 60, 300, 32, 6
HERE = {"accelerator": "cpu", "devices": 1}
"""Every Trainer trains here, whatever it asks for; the judge looks at what it asked for."""
RUN_DIR = "main"
SETTINGS = ("max_lr", "weight_decay")
"""Entries of an optimizer's parameter groups that LitResNet's arguments determine."""
ALIKE = 1000 * 2**16
MANY_RUN, MANY_EPOCHS = "other", 90
"""The small run that is asked for so many epochs; it ends after the first."""
FEW = 48
"""Number of samples of the small runs: three batches."""


def draw(rng: Random) -> Inputs:
    """Images with permuted labels, and seeds."""
    shapes = draw_shapes(rng, TRAIN, VAL, KEPT)
    # Alike in their last digits and bits, so that a seed cut to some of them shows.
    seed = rng.randrange(1, 2**30)
    other = seed + rng.randrange(1, 16) * ALIKE
    shown = {"shapes": shapes.shown, "seed": seed, "other": other, "state": rng.randrange(2**31)}
    return Inputs(shown, shapes.withheld)


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Run the main training, then three small ones."""
    train, cls = student["train_cifar10"], student["LitResNet"]
    built = attempt(lambda: _build(cls), "LitResNet(SmallCNN())")
    if "error" in built:
        return {"waits": built}
    shapes = shown["shapes"]
    evidence = {"main": attempt(lambda: probe_main(shown, student), CALLED)}
    if "error" in evidence["main"] or evidence["main"]["returned"]:
        return evidence
    few = {name: value[:FEW] for name, value in shapes.items()}
    evidence["defaults"] = attempt(lambda: _read_defaults(cls, few), "LitResNet(SmallCNN())")
    for number, (name, seed) in enumerate(
        (("first", shown["seed"]), ("again", shown["seed"]), (MANY_RUN, shown["other"]))
    ):
        torch.manual_seed(shown["state"] + number)  # an earlier random state must not matter
        evidence[name] = attempt(lambda n=name, s=seed: _run_small(train, n, few, s), CALLED)  # type: ignore[misc]
    return evidence


def _build(cls: Any) -> dict[str, Any]:
    cls(SmallCNN())
    return {}


def probe_main(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Run the main training; the evidence holds its weights, settings and files."""
    train, cls, shapes = student["train_cifar10"], student["LitResNet"], shown["shapes"]
    torch.manual_seed(shown["state"])
    data, before = ShapeData(shapes, BATCH), list_files()
    with record_trainers(HERE) as arguments:
        result = train(data, EPOCHS, RUN_DIR, shown["seed"])
    wrong = _name_wrong_result(result, cls)
    if wrong:
        return {"returned": wrong}
    trainer, module = result
    return {
        "returned": "",
        "arguments": arguments,
        "by_make_trainer": _arguments_of_make_trainer(student),
        "asked": data.asked,
        "steps": trainer.global_step,
        "epochs": trainer.current_epoch,
        "network": type(module.model).__name__,
        "weights": _read_weights(module),
        "settings": _read_settings(trainer),
        "limits": read_limits(trainer),
        "elsewhere": [f for f in sorted(list_files() - before) if not f.startswith(f"{RUN_DIR}/")],
        "curve": read_csv_column(RUN_DIR, "val_acc"),
    }


def _arguments_of_make_trainer(student: Student) -> list[dict[str, str]]:
    """The device arguments of a Trainer that `make_trainer` makes unasked; [] if it makes none."""
    if student.missing(("make_trainer",)) is not None:
        return []
    make = student["make_trainer"]
    with record_trainers(HERE) as arguments, refuse_training():
        attempt(lambda: {"made": bool(make(max_epochs=1, run_dir=RUN_DIR))}, "make_trainer(...)")
    return arguments


def _read_defaults(cls: Any, few: dict[str, Tensor]) -> dict[str, Any]:
    """Learning rate and weight decay of a `LitResNet(SmallCNN())` in a fit."""
    trainer = quiet_trainer(max_epochs=1, limit_val_batches=0)
    trainer.fit(cls(SmallCNN()), datamodule=ShapeData(few, FEW // 3))
    return {"settings": _read_settings(trainer)}


def _read_settings(trainer: Any) -> dict[str, float | str]:
    """The largest value of each setting over the groups of the trainer's first optimizer.

    OneCycleLR keeps its highest rate in the groups as "max_lr", for any length of the run.
    """
    groups = [group for one in trainer.optimizers[:1] for group in one.param_groups]
    names = [name for name in SETTINGS if groups and all(name in group for group in groups)]
    return {name: to_number(max(group[name] for group in groups)) for name in names}


def _name_wrong_result(result: Any, cls: Any) -> str:
    """The type of a result that is not a pair of a Trainer and a `cls`; "" if it is."""
    if not isinstance(result, tuple) or len(result) != 2:  # noqa: PLR2004 (a pair)
        return type(result).__name__
    trainer, module = result
    if isinstance(trainer, L.Trainer) and isinstance(module, cls):
        return ""
    return f"({type(trainer).__name__}, {type(module).__name__})"


def _read_weights(module: Any) -> dict[str, Tensor]:
    model = getattr(module, "model", None)
    return copy_tensors(model.state_dict()) if isinstance(model, nn.Module) else {}


def _run_small(train: Any, name: str, few: dict[str, Tensor], seed: int) -> dict[str, Any]:
    """One epoch of few images; the run with another seed is asked for many epochs, and cut."""
    cut = name == MANY_RUN
    data = ShapeData(few, FEW // 3, cut=cut)
    with record_trainers(HERE):
        trainer, module = train(data, MANY_EPOCHS if cut else 1, name, seed)
    weights = _read_weights(module)
    return {"weights": weights, "steps": trainer.global_step, "planned": data.planned}


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the weights' accuracy on unseen images, and whether the seed determines them."""
    if "waits" in evidence:
        return [waiting_finding(evidence["waits"]["error"], ALL)]
    main = evidence["main"]
    if "error" in main:
        return [exception_finding(main["error"], ALL)]
    returned = main["returned"].text()
    if returned:
        expected = "a pair of the Trainer and the LitResNet that it trained"
        return [Finding("LIT2400", ALL, CALLED, expected, returned)]
    hardware = judge_hardware(main, ALL)
    if hardware:
        return [*hardware]
    accuracy = _judge_defaults(evidence) or _judge_accuracy(inputs, main)
    if isinstance(accuracy, Earned):
        accuracy = _judge_limits(evidence) or accuracy
    return [
        accuracy,
        *judge_seeds(evidence),
        _judge_place(main),
    ]


def _judge_defaults(evidence: Evidence) -> Mark | None:
    """Compare the main run's settings with those of the student's LitResNet(SmallCNN()).

    None if they are equal, or if the main run took no step and so has none.
    """
    if not evidence["main"]["steps"].integer():
        return None
    cost, fresh = ("accuracy",), evidence["defaults"]
    if "error" in fresh:
        return NotLookedAt(cost, "LitResNet(SmallCNN()) does not fit by itself, to compare rates")
    defaults, seen = fresh["settings"], evidence["main"]["settings"]
    for name in SETTINGS:
        if name not in defaults and name not in seen:
            continue  # `schedule` judges that
        right, got = (_read_setting(settings, name) for settings in (defaults, seen))
        if not abs(got - right) <= SAME * abs(right):
            expected = f"{name}={right:g}, LitResNet's default"
            return Finding("LIT2430", cost, CALLED, expected, f"{name}={got:g}")
    return None


def _judge_limits(evidence: Evidence) -> Finding | None:
    """The finding on what would leave out steps of longer runs; limits of validation are free."""
    main, other, cost = evidence["main"], evidence[MANY_RUN], ("accuracy",)
    left = [text for text in limits_left_in(main["limits"]).split(", ") if text]
    left = [text for text in left if not text.startswith(("limit_val", "limit_test"))]
    if left:
        got, expected = ", ".join(left), "all steps of all epochs, however many"
        return Finding("LIT2414", cost, CALLED, expected, got)
    if "error" in other:
        return None
    planned = other["planned"].integer()
    if planned in {-1, MANY_EPOCHS}:  # -1: no Trainer asked for the batches
        return None
    called = CALLED.replace("max_epochs", f"max_epochs={MANY_EPOCHS}")
    return Finding("LIT2414", cost, called, f"{MANY_EPOCHS} epochs", str(planned))


def _read_setting(settings: Evidence, name: str) -> float:
    return settings[name].number() if name in settings else math.nan


def _judge_place(main: Evidence) -> Mark:
    elsewhere, cost = main["elsewhere"].texts(), ("place",)
    if elsewhere:
        expected, got = "nothing written outside of run_dir", ", ".join(elsewhere[:3])
        return Finding("LIT2350", cost, CALLED, expected, got)
    if main["steps"].integer() > 0:
        return Earned(cost)
    return NotLookedAt(cost, "no run took a step, so that none could write")


def _judge_accuracy(inputs: Inputs, main: Evidence) -> Mark:
    cost = ("accuracy",)
    weights = main["weights"].tensors()
    right = share_right(inputs, weights)
    if right is None:
        got = f"those of a {main['network'].text()}{_describe_shape_gap(weights)}"
        return Finding("LIT2411", cost, CALLED, "the weights of a SmallCNN()", got)
    wanted = EPOCHS * -(-TRAIN // BATCH)
    steps = main["steps"].integer()
    enough = steps == wanted and right >= LEAST_ACCURACY
    if steps and not enough and not main["asked"].integer():
        expected, got = "training on the datamodule that was given", "it was asked for no batch"
        return Finding("LIT2413", cost, CALLED, expected, got)
    if steps != wanted:
        expected = f"{EPOCHS} epochs of {TRAIN} images in batches of {BATCH}: {wanted} steps"
        return Finding("LIT2412", cost, CALLED, expected, f"{steps} steps")
    if enough:
        return Earned(cost)
    expected = f"at least {LEAST_ACCURACY:.0%} of {len(inputs.withheld['labels'])} unseen images"
    curve = ", ".join(f"{value:.3g}" for value in main["curve"].numbers())
    where = f"val_acc by epoch: {curve or 'none'}"
    return Finding("LIT2410", cost, CALLED, expected, f"{right:.1%}", where)


def share_right(inputs: Inputs, weights: dict[str, Tensor]) -> float | None:
    """The accuracy of a SmallCNN with these weights on unseen images, 0 to 1.

    None if the weights are not those of a SmallCNN.
    """
    model = with_weights(SmallCNN(), weights)
    if model is None:
        return None
    with torch.no_grad():
        guesses = model(to_channels_last(inputs.withheld["images"])).argmax(1)
    return float((guesses == inputs.withheld["labels"]).float().mean())


def _describe_shape_gap(weights: dict[str, Tensor]) -> str:
    """The first weight whose shape differs from a SmallCNN()'s, as text; "" if there is none."""
    for name, value in SmallCNN().state_dict().items():
        if name in weights and weights[name].shape != value.shape:
            shapes = f"{tuple(weights[name].shape)}, not {tuple(value.shape)}"
            return f" with other arguments: {name} has the shape {shapes}"
    return ""


def picture(_: Inputs, evidence: Evidence) -> str:
    """A chart of val_acc by epoch, of the main run."""
    if "main" not in evidence or "curve" not in evidence["main"]:
        return ""
    values = evidence["main"]["curve"].numbers()
    return draw_curve(values, LEAST_ACCURACY, "epoch of your run on the images")


QUESTION = Question(
    title="Train it, and train it again",
    defines=("train_cifar10", "LitResNet"),
    criteria=(
        Criterion("accuracy", f"{LEAST_ACCURACY:.0%} of images it never saw", 0.4),
        Criterion("same", "the same seed gives the same weights", 0.3),
        Criterion("other", "another seed gives others", 0.2),
        Criterion("place", "all files of the run in run_dir", 0.1),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    picture=picture,
)
