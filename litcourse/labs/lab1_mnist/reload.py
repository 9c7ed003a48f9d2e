"""reload: `load_best` returns the model of the best epoch.

The probe trains the student's own class on a drawn network. A callback sets the weights of each
epoch, so that one epoch in the middle is the best by far. The judge compares the outputs of the
returned weights with those of the best and the last epoch, on images that the student's process
never saw.
"""

from __future__ import annotations

from random import Random
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn

from litcourse.core.comparison import distance
from litcourse.core.evidence import Evidence, have_same_keys
from litcourse.core.known_errors import RAISED, error_finding
from litcourse.core.marks import first_of_each, merge
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, NotLookedAt, Question
from litcourse.probing.attempts import attempt
from litcourse.probing.class_bases import bases
from litcourse.probing.fakes import TensorDataModule
from litcourse.probing.networks import build_network, draw_batch, draw_networks, draw_state
from litcourse.probing.trainers import copy_tensors, quiet_trainer

ALL = ("best", "whole", "mode")
SIDE = 6
TOLERANCE = 1e-4
CLEARLY = 0.8
"""Every other epoch agrees with less than this share of the best epoch's labels."""
KEPT = {"dropout": 2, "conv": -1}
"""Checkpoints that a trainer keeps, -1 for all: of several the newest is not the best one."""
MODULE_AND_NETWORK = 2
"""Modules of an answer whose network has no layers."""
CALLED = "load_best(trainer)"


def draw(rng: Random) -> Inputs:
    """A plain and a conv network, weights for each epoch, and the number of the best epoch."""
    networks = draw_networks(rng, SIDE)
    cases = {}
    kept: dict[str, Any] = {}
    for kind in ("dropout", "conv"):
        epochs = rng.randrange(3, 5)
        best = rng.randrange(1, epochs - 1)
        images, _ = draw_batch(rng, 40, (1, SIDE, SIDE))
        states, labels = _draw_states(rng, networks[kind], images, epochs, best)
        cases[kind] = {
            "layers": networks[kind]["layers"],
            "states": states,
            "data": _name_tensors(images, labels),
            "keep": KEPT[kind],
        }
        kept[kind] = {"best": best, "images": draw_batch(rng, 20, (1, SIDE, SIDE))[0]}
    return Inputs({"cases": cases}, kept)


def _draw_states(
    rng: Random, network: dict[str, Any], images: Tensor, epochs: int, best: int
) -> tuple[list[dict[str, Tensor]], Tensor]:
    """Weights for each epoch, and labels that only the weights of the best epoch get right.

    Drawn weights can predict one class for all images, and two such epochs would tie; so this
    draws until they differ. The last epoch is the second best: kept beside the best, the newest
    file is then the last epoch's.
    """
    while True:
        states = [draw_state(network, rng)["state"] for _ in range(epochs)]
        labels = [_predict(network, state, images) for state in states]
        shares = [float((each == labels[best]).float().mean()) for each in labels]
        clear = all(share < CLEARLY for i, share in enumerate(shares) if i != best)
        if clear and sorted(shares)[-2] == shares[-1] and shares.count(shares[-1]) == 1:
            return states, labels[best]


def _predict(network: dict[str, Any], state: dict[str, Tensor], images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = build_network({"layers": network["layers"], "state": state}).eval()(images)
    return logits.argmax(1)


def _name_tensors(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    return {
        "train_images": images[:8],
        "train_labels": labels[:8],
        "val_images": images,
        "val_labels": labels,
    }


# --- probe ------------------------------------------------------------------------------


class _SetWeights(L.Callback):
    """Sets the network's weights to the drawn ones before each epoch's validation.

    In a fit alone: `load_best` may validate with `ckpt_path="best"`, which loads weights itself.
    """

    def __init__(self, states: list[dict[str, Tensor]]) -> None:
        self.states = states

    def on_validation_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Load the epoch's weights."""
        if trainer.state.fn == TrainerFn.FITTING:
            pl_module.model.load_state_dict(self.states[trainer.current_epoch])


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Train each network with the student's class, then call `load_best`."""
    missing = student.missing(("LitClassifier", "EvaluatedClassifier"))
    if missing is not None:
        return {"waits": str(missing["name"])}
    cls, load_best = student["EvaluatedClassifier"], student["load_best"]
    cases = shown["cases"].items()
    return {"cases": {kind: _probe_case(cls, load_best, kind, case) for kind, case in cases}}


def _probe_case(cls: Any, load_best: Any, kind: str, case: dict[str, Any]) -> dict[str, Any]:
    run = attempt(lambda: {"trainer": _train(cls, kind, case)}, "EvaluatedClassifier")
    if "error" in run:
        return {"waits": run["error"]}
    return attempt(lambda: _call_load_best(load_best, cls, run["trainer"]), CALLED)


def _train(cls: Any, kind: str, case: dict[str, Any]) -> L.Trainer:
    torch.manual_seed(0)
    checkpoint = ModelCheckpoint(
        f"reload-{kind}", monitor="val_acc", mode="max", save_top_k=case["keep"]
    )
    trainer = quiet_trainer(
        max_epochs=len(case["states"]),
        callbacks=[_SetWeights(case["states"]), checkpoint],
        enable_checkpointing=True,
    )
    trainer.fit(cls(build_network(case), lr=0.0), TensorDataModule(case["data"], batch_size=8))
    return trainer


def _call_load_best(load_best: Any, cls: Any, trainer: L.Trainer) -> dict[str, Any]:
    result = load_best(trainer)
    network = getattr(result, "model", None)
    if not isinstance(result, nn.Module) or not isinstance(network, nn.Module):
        return {"returned": type(result).__name__, "bases": bases(type(result))}
    modes = {name: part.training for name, part in result.named_modules()}
    return {
        "returned": "own" if isinstance(result, cls) else type(result).__name__,
        "weights": copy_tensors(network.state_dict()),
        "training": [name for name, training in modes.items() if training],
        "modules": len(modes),
    }


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Compare the outputs of the returned weights with those of the best epoch's weights."""
    if "waits" in evidence:
        got = f"{evidence['waits'].text()} is not defined"
        return [Finding("LIT904", ALL, CALLED, "wrap and evaluate solved", got)]
    parts = [_judge_case(inputs, kind, evidence["cases"][kind]) for kind in inputs.shown["cases"]]
    return first_of_each(merge(parts))


def _judge_case(inputs: Inputs, kind: str, seen: Evidence) -> list[Mark]:
    if "waits" in seen:
        error = seen["waits"]
        got = f"{error['type'].text()}: {error['message'].text()}".split("\n")[0]
        where = error["line"].text()
        return [Finding("LIT904", ALL, CALLED, "wrap and evaluate solved", got, where)]
    if "error" in seen:
        return [_exception_finding(seen["error"])]
    if seen["returned"].text() != "own":
        got = seen["returned"].text()
        return [Finding("LIT500", ALL, CALLED, "an EvaluatedClassifier", got)]
    weights = _judge_weights(inputs, kind, seen["weights"].tensors())
    return [*weights, _judge_mode(seen)]


def _judge_mode(seen: Evidence) -> Mark:
    cost, training = ("mode",), seen["training"].texts()
    if training:
        names = ", ".join(name or "the module itself" for name in training[:4])
        got = f"{len(training)} in train mode: {names}"
        return Finding("LIT503", cost, CALLED, "every submodule in eval mode", got)
    if seen["modules"].integer() <= MODULE_AND_NETWORK:
        return NotLookedAt(cost, "what load_best returned has a network without layers")
    return Earned(cost)


def _exception_finding(error: Evidence) -> Finding:
    message = error["message"].text()
    finding = error_finding(error, ALL)
    code = finding.code
    if "__init__() missing" in message and "model" in message:
        code = "LIT504"
    elif code == RAISED and "loading state_dict" in message:
        code = "LIT505"
    elif error["type"].text() == "IsADirectoryError":
        code = "LIT508"
    return Finding(code, ALL, CALLED, finding.expected, finding.got, finding.where)


def _judge_weights(inputs: Inputs, kind: str, weights: dict[str, Tensor]) -> list[Mark]:
    states, kept = inputs.shown["cases"][kind]["states"], inputs.withheld[kind]
    right = states[kept["best"]]
    where = f"network {kind!r}"
    other = next((k for k in right if k not in weights or weights[k].shape != right[k].shape), "")
    if other or not have_same_keys(weights, right):
        expected = f"the trained network, {len(right)} tensors in its state"
        got = f"{len(weights)} tensors"
        if other:
            expected += f", {other} of shape {tuple(right[other].shape)}"
            shape = tuple(weights[other].shape) if other in weights else "nothing"
            got += f", {other}: {shape}"
        return [Finding("LIT505", ("best", "whole"), CALLED, expected, got, where)]
    outputs = _compute_outputs(inputs, kind, weights)
    gap = distance(outputs, _compute_outputs(inputs, kind, right))
    if gap <= TOLERANCE:
        return [Earned(("best", "whole"))]
    expected = f"the outputs of epoch {kept['best']}, the best by val_acc"
    for epoch, state in enumerate(states):
        if distance(outputs, _compute_outputs(inputs, kind, state)) <= TOLERANCE:
            last = epoch == len(states) - 1
            code, got = ("LIT501" if last else "LIT502"), f"those of epoch {epoch}"
            return [Finding(code, ("best",), CALLED, expected, got, where), Earned(("whole",))]
    got = f"others, relative difference {gap:.2g}"
    return [Finding("LIT506", ("best", "whole"), CALLED, expected, got, where)]


def _compute_outputs(inputs: Inputs, kind: str, state: dict[str, Tensor]) -> Tensor:
    plan = {"layers": inputs.shown["cases"][kind]["layers"], "state": state}
    with torch.no_grad():
        outputs: Tensor = build_network(plan).eval()(inputs.withheld[kind]["images"])
    return outputs


QUESTION = Question(
    title="Bring the best back",
    defines=("load_best",),
    criteria=(
        Criterion("best", "the model of the best epoch, not of the last", 0.6),
        Criterion("whole", "for whatever network was trained, all of its state", 0.2),
        Criterion("mode", "every submodule in eval mode", 0.2),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
