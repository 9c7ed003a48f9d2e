"""fit: `train` returns a Trainer that saved the best checkpoint, stopped early and logged.

In two runs a scripted module logs a drawn curve, so the judge can test checkpoint, early stopping
and log without the student's own module. A third run trains the student's classes on drawn digits
with permuted labels; the judge scores the weights of its best checkpoint on digits that the
student's process never saw.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from random import Random
from typing import Any

import lightning as L
import torch
from torch import Tensor

from litcourse.core.evidence import Evidence, is_close
from litcourse.core.known_errors import error_finding
from litcourse.core.marks import find_findings, first_of_each, merge
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, NotLookedAt, Question
from litcourse.feedback.chart import draw_curve
from litcourse.labs.lab1_mnist._digits import draw_digits, normalise, own_weights
from litcourse.labs.lab1_mnist._run_length import (
    CURVES,
    LONG,
    MANY_EPOCHS,
    PATIENCE,
    format_values,
    judge_stop,
    name_cause,
)
from litcourse.labs.lab1_mnist._trainer_settings import (
    judge_arguments,
    judge_settings,
    read_settings,
)
from litcourse.models import MLP
from litcourse.probing.attempts import attempt
from litcourse.probing.fakes import NumberedDataModule, ScriptedMetricModule, TensorDataModule
from litcourse.probing.networks import with_weights
from litcourse.probing.run_files import find_checkpoint, load_checkpoint, read_csv_column
from litcourse.probing.trainers import (
    StandInMetrics,
    copy_tensors,
    record_default_loggers,
    record_trainers,
    stand_in_metrics,
)

ALL = ("best", "stop", "log", "device", "data", "converge")
LEAST_ACCURACY = 0.90
"""Accuracy on unseen embedded digits; right answers reach 0.95 to 0.99 (`make bench`)."""


def draw(rng: Random) -> Inputs:
    """Two curves, and digits under a drawn permutation of their labels."""
    digits = draw_digits(rng, train=1250, val=197, withheld=350)
    shown = {
        "curves": {"gap": _draw_gap_curve(rng), "rising": _draw_rising_curve(rng)},
        "digits": digits.shown,
        "network": {"in_features": 784, "hidden": [rng.randrange(90, 120)], "classes": 10},
        "lr": rng.uniform(3e-3, 4e-3),
        "epochs": 5,  # too few for early stopping to end a run that improves
        "seed": rng.randrange(2**31),
    }
    return Inputs(shown, digits.withheld)


def _draw_gap_curve(rng: Random) -> dict[str, Any]:
    """A curve that rises, falls for two epochs, rises to its best, then falls past the patience."""
    rise = sorted(rng.uniform(0.2, 0.5) for _ in range(rng.randrange(2, 4)))
    fall = [rise[-1] - 0.05, rise[-1] - 0.1]
    best = rise[-1] + rng.uniform(0.1, 0.3)
    after = [best - 0.02 - 0.01 * step for step in range(7)]
    values = [round(value, 4) for value in (*rise, *fall, best, *after)]
    return {"values": values, "max_epochs": len(values)}


def _draw_rising_curve(rng: Random) -> dict[str, Any]:
    """A curve that rises to its end, so that only max_epochs stops the run.

    It begins next to 0, rises three times by less than 0.01 and ends next to 1: who stops at a
    threshold, or waits for a larger rise, ends earlier. With seven epochs a checkpoint of every
    second or third epoch misses the last one, the best.
    """
    small = sorted(rng.uniform(0.001, 0.009) for _ in range(3))
    middle = rng.uniform(0.3, 0.8)
    rises = [rng.uniform(0.01, 0.04), middle, *(middle + rise for rise in small)]
    values = [round(value, 4) for value in (*rises, rng.uniform(0.96, 0.97), 0.985)]
    return {"values": values, "max_epochs": len(values)}


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Run the two curves, then train on the digits."""
    train = student["train"]
    curves = {name: _probe_curve(train, name, shown["curves"][name]) for name in CURVES}
    missing = student.missing(("LitClassifier", "EvaluatedClassifier"))
    if missing is not None:
        return {"curves": curves, "digits": {"waits": str(missing["name"])}}
    cls = student["EvaluatedClassifier"]
    return {"curves": curves, "digits": attempt(lambda: _probe_digits(train, cls, shown), "train")}


def _probe_curve(train: Any, name: str, curve: dict[str, Any]) -> dict[str, Any]:
    longest = len(curve["values"]) if name == LONG else 0
    module, data = ScriptedMetricModule(curve["values"], longest), NumberedDataModule()
    run_dir, epochs = f"curve-{name}", MANY_EPOCHS if longest else curve["max_epochs"]

    def run() -> dict[str, Any]:
        with _recorded() as (arguments, defaults, metrics):
            trainer = train(module, data, epochs, run_dir)
        if not isinstance(trainer, L.Trainer):
            return {"returned": type(trainer).__name__}
        return {
            "returned": "Trainer",
            "arguments": arguments,
            "epochs": module.epochs,
            "planned": module.planned,
            "fits": module.fits,
            "default_logger": any(logger in defaults for logger in trainer.loggers),
            "trained_on": module.trained_on,
            "steps": trainer.global_step,
            "logged": read_csv_column(run_dir, "val_acc"),
            "settings": read_settings(trainer),
            "missed": sorted(metrics.missed),
            **_read_checkpoint(trainer),
        }

    return attempt(run, "train(module, datamodule, max_epochs, run_dir)")


@contextlib.contextmanager
def _recorded() -> Iterator[tuple[list[dict[str, str]], list[Any], StandInMetrics]]:
    """Record what `train` makes, and let it train here whatever it asks for and monitors."""
    with (
        record_trainers(here={}) as arguments,
        record_default_loggers() as defaults,
        stand_in_metrics("val_acc") as metrics,
    ):
        yield arguments, defaults, metrics


def _read_checkpoint(trainer: L.Trainer) -> dict[str, Any]:
    callback = find_checkpoint(trainer, "val_acc")
    content = load_checkpoint(getattr(callback, "best_model_path", ""))
    weights = content.get("state_dict", {})
    return {
        "whole": "optimizer_states" in content,
        "monitor": str(getattr(callback, "monitor", None)),
        "best_epoch": int(weights["epoch_mark"]) if "epoch_mark" in weights else None,
    }


def _probe_digits(train: Any, cls: Any, shown: dict[str, Any]) -> dict[str, Any]:
    torch.manual_seed(shown["seed"])
    shape = shown["network"]
    network = MLP(shape["in_features"], tuple(shape["hidden"]), shape["classes"])
    built = attempt(lambda: {"module": cls(network, lr=shown["lr"])}, "EvaluatedClassifier(...)")
    if "error" in built:
        return {"waits": "EvaluatedClassifier", **built}
    digits = shown["digits"]
    images = {name: normalise(digits[name]) for name in ("train_images", "val_images")}
    data = TensorDataModule({**digits, **images}, batch_size=50)
    with _recorded():
        trainer = train(built["module"], data, shown["epochs"], "digits")
    callback = find_checkpoint(trainer, "val_acc")
    state = own_weights(getattr(callback, "best_model_path", ""))
    of_model = {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
    return {
        "weights": copy_tensors(of_model),
        "curve": read_csv_column("digits", "val_acc"),
    }


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the two curves, then the accuracy of the returned weights on unseen digits."""
    curves = inputs.shown["curves"]
    each = {name: _judge_curve(curves[name], evidence["curves"][name]) for name in CURVES}
    fatal = [f for marks in each.values() for f in find_findings(marks) if f.criteria == ALL]
    if fatal:
        return [fatal[0]]
    marks = [*merge(each.values()), *judge_stop(curves, evidence["curves"])]
    marks = name_cause(evidence["curves"], marks)
    return [*first_of_each(marks), *_judge_digits(inputs, evidence["digits"])]


def _judge_curve(curve: dict[str, Any], seen: Evidence) -> list[Mark]:
    called = "train(module, datamodule, max_epochs, run_dir)"
    if "error" in seen:
        return [error_finding(seen["error"], ALL)]
    returned = seen["returned"].text()
    if returned != "Trainer":
        return [Finding("LIT400", ALL, called, "a lightning Trainer that has fitted", returned)]
    if seen["steps"].integer() <= 0:
        code = "LIT402" if list(seen["trained_on"]) else "LIT401"
        expected = "a trainer that has fitted the module"
        return [Finding(code, ALL, called, expected, "global_step is 0")]
    return [
        _judge_best(curve, seen),
        _judge_log(curve, seen),
        judge_arguments(seen),
        _judge_samples(seen),
        *judge_settings(seen["settings"]),
    ]


def _judge_best(curve: dict[str, Any], seen: Evidence) -> Mark:
    ran = seen["epochs"].integer()
    values = curve["values"][: max(1, min(ran, len(curve["values"])))]
    wanted, cost = values.index(max(values)), ("best",)
    called = f"val_acc: {format_values(values)}"
    expected = f"the checkpoint of epoch {wanted}"
    monitor = seen["monitor"].text()
    if monitor in seen["missed"].texts():
        code = "LIT415" if monitor == "val_loss" else "LIT010"
        return Finding(code, cost, "ModelCheckpoint(...)", "monitor val_acc", f"monitor {monitor}")
    if seen["best_epoch"].is_none:
        got = f"no readable best checkpoint; monitor {seen['monitor'].text()}"
        return Finding("LIT410", cost, called, expected, got)
    got_epoch = seen["best_epoch"].integer()
    if got_epoch == wanted and seen["monitor"].text() == "val_acc":
        if not seen["whole"].flag():
            expected += ", with the state of the optimizer"
            return Finding("LIT414", cost, called, expected, "its weights alone")
        if len(values) > 1:
            return Earned(cost)
        return NotLookedAt(cost, "of one epoch alone, each checkpoint is the best")
    got = f"that of epoch {got_epoch}, by {seen['monitor'].text()}"
    code = "LIT413"
    if values[got_epoch : got_epoch + 1] == [min(values)]:
        code = "LIT411"
    elif got_epoch == ran - 1:
        code = "LIT412"
    return Finding(code, cost, called, expected, got)


def _judge_log(curve: dict[str, Any], seen: Evidence) -> Mark:
    ran = seen["epochs"].integer()
    wanted, got = curve["values"][:ran], seen["logged"].numbers()
    # A validation before the fit logs what the first epoch does, one after it any value.
    before = _are_equal(got, [*wanted[:1], *wanted])
    if before or _are_equal(got, wanted) or _are_equal(got[:-1], wanted):
        return Earned(("log",))
    called, expected = "val_acc in the CSV files under run_dir", format_values(wanted)
    if seen["default_logger"].flag():
        given = "the logger that Lightning takes unasked: TensorBoard where it is installed"
        return Finding("LIT430", ("log",), called, "a CSVLogger", given)
    if not got:
        return Finding("LIT430", ("log",), called, expected, "no CSV file there with such a column")
    return Finding("LIT431", ("log",), called, expected, format_values(got))


def _are_equal(got: list[float], wanted: list[float]) -> bool:
    same = len(got) == len(wanted) > 0
    return same and all(is_close(a, b, 1e-4) for a, b in zip(got, wanted, strict=True))


def _judge_samples(seen: Evidence) -> Mark:
    cost, ids = ("data",), seen["trained_on"].integers()
    different = set(ids)
    if different == set(NumberedDataModule.TRAIN):
        if len({ids.count(number) for number in different}) == 1:
            return Earned(cost)
        return NotLookedAt(cost, "training ended in the middle of an epoch")
    called, expected = "training_step's samples", "all of train_dataloader() and no others"
    others, all_of = different - set(NumberedDataModule.TRAIN), len(NumberedDataModule.TRAIN)
    got = f"{len(others)} others" if others else f"{len(different)} of {all_of}"
    return Finding("LIT450", cost, called, expected, got)


def _judge_digits(inputs: Inputs, seen: Evidence) -> list[Mark]:
    cost, called = ("converge",), "train(EvaluatedClassifier(MLP(...)), digits, ...)"
    if "waits" in seen:
        name = seen["waits"].text()
        detail = f"{seen['error']['type'].text()} in it" if "error" in seen else "not defined"
        return [Finding("LIT904", cost, called, f"{name} solved", f"{name}: {detail}")]
    if "error" in seen:
        return [_error_or_waiting_finding(seen["error"], cost)]
    model = _rebuild_network(inputs, seen["weights"].tensors())
    if model is None:
        return [Finding("LIT461", cost, called, "weights of the given MLP", "others, or none")]
    labels = inputs.withheld["labels"]
    predicted = model(normalise(inputs.withheld["images"])).argmax(1)
    accuracy = float((predicted == labels).float().mean())
    if accuracy >= LEAST_ACCURACY:
        return [Earned(cost)]
    expected = f"at least {LEAST_ACCURACY:.0%} of {len(labels)} unseen digits"
    where = f"val_acc by epoch: {format_values(seen['curve'].numbers()) or 'none'}"
    return [Finding("LIT460", cost, called, expected, f"{accuracy:.1%}", where)]


def _error_or_waiting_finding(error: Evidence, cost: tuple[str, ...]) -> Finding:
    finding = error_finding(error, cost)
    if finding.code not in {"LIT900", "LIT010", "LIT011", "LIT130"}:
        return finding
    got = f"{error['type'].text()}: {error['message'].text()}".split("\n")[0]
    expected = "wrap and evaluate solved: a module that trains and logs val_acc"
    return Finding("LIT904", cost, finding.called, expected, got, finding.where)


def _rebuild_network(inputs: Inputs, weights: dict[str, Tensor]) -> MLP | None:
    shape = inputs.shown["network"]
    network = MLP(shape["in_features"], tuple(shape["hidden"]), shape["classes"])
    model = with_weights(network, weights)
    return None if model is None else model.requires_grad_(requires_grad=False)


def picture(_: Inputs, evidence: Evidence) -> str:
    """A chart of val_acc by epoch, of the run on the digits."""
    digits = evidence["digits"]
    if "curve" not in digits:
        return ""
    return draw_curve(digits["curve"].numbers(), LEAST_ACCURACY, "epoch of your run on the digits")


QUESTION = Question(
    title="Train, keep the best, stop in time",
    defines=("train",),
    criteria=(
        Criterion("best", "keeps the checkpoint with the highest val_acc", 0.2),
        Criterion("stop", f"stops after {PATIENCE} epochs without a better val_acc", 0.2),
        Criterion("log", "a CSV log with val_acc under run_dir", 0.1),
        Criterion("device", "leaves accelerator and devices to Lightning", 0.1),
        Criterion("data", "trains on the train loader's samples, all of them", 0.1),
        Criterion("converge", f"{LEAST_ACCURACY:.0%} on digits it never saw", 0.3),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    picture=picture,
)
