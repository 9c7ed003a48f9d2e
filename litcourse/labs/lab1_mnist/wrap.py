"""wrap: `LitClassifier` trains any torch classifier just as the plain torch loop does.

In the probe a real Trainer takes three optimizer steps on drawn networks; losses, gradients,
weights and log are the evidence. The judge takes the same steps in plain torch.
"""

from __future__ import annotations

from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from litcourse.core.comparison import distance, largest_difference, tell_furthest
from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import error_finding
from litcourse.core.marks import find_findings, merge
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, Question
from litcourse.labs.lab1_mnist._plain_loop import GRADIENT_TOLERANCE, STEPS
from litcourse.labs.lab1_mnist._recorder import Recorder
from litcourse.labs.lab1_mnist._training import (
    draw_long_run,
    judge_long_run,
    judge_training,
    train_long,
)
from litcourse.probing.attempts import attempt
from litcourse.probing.class_bases import BOTH_PACKAGES, bases, derives_from, first_base
from litcourse.probing.fake_gpu import GPU_FIT, judge_gpu, run_on_fake_gpu
from litcourse.probing.networks import build_network, draw_batch, draw_networks
from litcourse.probing.step_lines import steps_by_hand
from litcourse.probing.trainers import (
    copy_tensors,
    count_steps,
    make_loader,
    quiet_trainer,
    to_number,
)

SIDE = 6
ALL = ("forward", "loss", "step", "log", "device")
BY_DEFAULT, DEFAULT_RATE = "frozen", 1e-3
"""The network that is trained without a rate, and the rate that the task then asks for."""


def draw(rng: Random) -> Inputs:
    """Four networks, each with a learning rate and batches of different sizes."""
    cases: dict[str, dict[str, Any]] = {}
    for kind, network in draw_networks(rng, SIDE).items():
        cases[kind] = {
            "network": network,
            "batches": [
                draw_batch(rng, rng.randrange(9, 17), (1, SIDE, SIDE)) for _ in range(STEPS)
            ],
            "lr": rng.choice([2e-3, 5e-3, 1e-2]) * rng.uniform(0.8, 1.2),
            "seed": rng.randrange(2**31),
            "default": kind == BY_DEFAULT,
        }
    cases[BY_DEFAULT]["lr"] = DEFAULT_RATE
    return Inputs(shown={"cases": cases, "long": draw_long_run(rng, SIDE)})


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Train each drawn network with the student's class."""
    cls = student["LitClassifier"]
    return {
        "bases": bases(cls),
        "cases": {kind: _probe_case(cls, case) for kind, case in shown["cases"].items()},
        "device": _probe_device(cls, shown["cases"]["deep"]),
        "long": attempt(lambda: train_long(cls, shown["long"]), "Trainer.fit, two epochs"),
    }


def _probe_case(cls: Any, case: dict[str, Any]) -> dict[str, Any]:
    model = build_network(case["network"])
    called = "LitClassifier(model, lr=...)"

    def run() -> dict[str, Any]:
        module = cls(model) if case["default"] else cls(model, lr=case["lr"])
        images = case["batches"][0][0]
        start = (
            copy_tensors(module.model.state_dict()) if isinstance(module.model, nn.Module) else {}
        )
        return {
            "start": start,
            "same": module.model is model,
            "kept_as": type(module.model).__name__,
            "forward": attempt(lambda: _forward(module, images), "LitClassifier.forward(images)"),
            "training": attempt(lambda: _train(module, case), "Trainer.fit(LitClassifier(...))"),
        }

    return attempt(run, called)


def _forward(module: Any, images: Tensor) -> dict[str, Any]:
    modes = {part: part.training for part in module.modules()}
    module.eval()
    with torch.no_grad():
        output = module(images)
    for part, training in modes.items():  # not train(): `fit` leaves modes as they are
        part.training = training
    return {"output": output if isinstance(output, Tensor) else type(output).__name__}


def _train(module: Any, case: dict[str, Any]) -> dict[str, Any]:
    recorder = Recorder(case["seed"])
    trainer = quiet_trainer(max_epochs=1, callbacks=[recorder], log_every_n_steps=1)
    with count_steps() as steps:
        trainer.fit(module, make_loader(case["batches"]))
    logged = trainer.callback_metrics.get("train_loss")
    return {
        "automatic": bool(module.automatic_optimization),
        "by_hand": steps_by_hand(type(module)),
        "losses": recorder.losses,
        "gradients": recorder.gradients,
        "weights": copy_tensors(module.model.state_dict()),
        "optimizer_steps": steps(),
        "optimizers": [type(optimizer).__name__ for optimizer in trainer.optimizers],
        # A few steps end where Adam's do; many do not.
        "amsgrad": any(
            group.get("amsgrad") for o in trainer.optimizers for group in o.param_groups
        ),
        "logged": None if logged is None else to_number(logged),
        "logged_names": sorted(str(key) for key in trainer.callback_metrics),
    }


def _probe_device(cls: Any, case: dict[str, Any]) -> dict[str, Any]:
    """Train once more, with network and batches on a fake GPU."""

    def train(arguments: dict[str, Any]) -> dict[str, Any]:
        recorder = Recorder(case["seed"])
        trainer = quiet_trainer(**arguments, max_epochs=1, callbacks=[recorder])
        module = cls(build_network(case["network"]), lr=case["lr"])
        trainer.fit(module, make_loader(case["batches"]))
        return {"batches": len(recorder.losses)}

    return attempt(lambda: run_on_fake_gpu(train), GPU_FIT)


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Compare with the plain loop, network by network, up to the first difference."""
    base = _judge_base(evidence)
    if base:
        return [*base]
    marks = _judge_cases(inputs, evidence["cases"])
    if not find_findings(marks):
        marks = merge([marks, judge_long_run(inputs.shown["long"], evidence["long"])])
    return [*marks, *_judge_device(evidence["device"], marks)]


def _judge_base(evidence: Evidence) -> list[Finding]:
    names, kind = evidence["bases"], "LightningModule"
    if derives_from(names, kind):
        return []
    other = derives_from(names, kind, BOTH_PACKAGES)
    base = f"pytorch_lightning's {kind}" if other else first_base(names)
    expected, got = f"a subclass of lightning.{kind}", f"a subclass of {base}"
    return [Finding("LIT100", ALL, "class LitClassifier", expected, got)]


def _judge_cases(inputs: Inputs, cases: Evidence) -> list[Mark]:
    """The marks of all networks, with the findings of one: the first with a wrong loss, else any.

    A slightly wrong loss can look right on one network's batch, which then shows wrong gradients.
    """
    each = [_judge_case(kind, case, cases[kind]) for kind, case in inputs.shown["cases"].items()]
    wrong = [marks for marks in each if find_findings(marks)]
    named = [marks for marks in wrong if any("loss" in f.criteria for f in find_findings(marks))]
    right = [marks for marks in each if marks not in wrong]
    return merge([*(named or wrong)[:1], *right])


def _judge_case(kind: str, case: dict[str, Any], seen: Evidence) -> list[Mark]:
    if "error" in seen:
        return [error_finding(seen["error"], ALL)]
    identity = _judge_identity(kind, case, seen)
    if identity:
        return [*identity]
    training = seen["training"]
    forward = _judge_forward(kind, case, seen["forward"])
    if "error" in training:
        return [forward, error_finding(training["error"], ALL[1:])]
    return [forward, *judge_training(kind, case, training)]


def _judge_identity(kind: str, case: dict[str, Any], seen: Evidence) -> list[Finding]:
    shown, start = case["network"]["state"], seen["start"].tensors()
    equal = set(shown) == set(start) and largest_difference(shown, start) == 0
    if equal and seen["same"].flag():
        return []
    got = f"self.model is a {seen['kept_as'].text()}, {len(start)} tensors in its state"
    if equal:
        got = "a copy of it, with equal weights"
    expected = f"self.model is the given network, {len(shown)} tensors in its state"
    return [Finding("LIT101", ALL, "LitClassifier(model)", expected, got, f"network {kind!r}")]


def _judge_forward(kind: str, case: dict[str, Any], seen: Evidence) -> Mark:
    called = "LitClassifier(model)(images)"
    if "error" in seen:
        return error_finding(seen["error"], ("forward",))
    with torch.no_grad():
        expected = build_network(case["network"]).eval()(case["batches"][0][0])
    try:
        output = seen["output"].tensor()
    except ValueError:
        got = f"a {seen['output'].text()}"
        return Finding("LIT110", ("forward",), called, "a tensor", got, f"network {kind!r}")
    gap = distance(output, expected)
    if gap <= GRADIENT_TOLERANCE:
        return Earned(("forward",))
    right, got = f"shape {tuple(expected.shape)}", f"shape {tuple(output.shape)}"
    if output.shape == expected.shape:
        right, got = tell_furthest(output, expected)
        got += _changed_by(output, expected)
    where = f"network {kind!r}, relative difference {gap:.2g}"
    return Finding("LIT110", ("forward",), called, f"the model's logits, {right}", got, where)


def _changed_by(output: Tensor, logits: Tensor) -> str:
    """What was applied to the logits, if that can be seen."""
    known = {
        "a softmax is in it": logits.softmax(1),
        "a log_softmax is in it": logits.log_softmax(1),
        "a sigmoid is in it": logits.sigmoid(),
        "a relu is in it": logits.relu(),
    }
    named = [name for name, v in known.items() if distance(output, v) < GRADIENT_TOLERANCE]
    return f": {named[0]}" if named else ""


def _judge_device(seen: Evidence, marks: list[Mark]) -> list[Mark]:
    if any("device" in mark.criteria for mark in marks):
        return []
    called, cost = f"{GPU_FIT}, {STEPS} batches", ("device",)
    failed = judge_gpu(seen, cost)
    if failed:
        return failed
    batches = seen["batches"].integer()
    if batches == STEPS:
        return [Earned(cost)]
    found = find_findings(marks)
    code = found[0].code if found else "LIT134"  # what kept it from its end on the CPU too
    return [Finding(code, cost, called, f"{STEPS} batches", str(batches))]


QUESTION = Question(
    title="Wrap a torch model",
    defines=("LitClassifier",),
    criteria=(
        Criterion("forward", "keeps the given network; forward gives its logits", 0.1),
        Criterion("loss", "the loss of the plain torch loop", 0.3),
        Criterion("step", "backward and the optimizer's steps, as in that loop", 0.4),
        Criterion("log", "logs train_loss", 0.1),
        Criterion("device", "runs wherever Lightning puts it", 0.1),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
