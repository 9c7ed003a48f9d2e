"""schedule: `LitResNet` takes SGD's steps at OneCycleLR's rates, however long the run is.

The probe lets real Trainers fit drawn networks: plainly, with accumulated gradients, with
`max_steps`, and as two ranks. It notes learning rate, momentum, gradients and weights at each
optimizer step. The judge redoes curve and steps in plain torch.

Read in this order; all but `_telling_sets` are the judge's:

1. `_one_cycle`: what torch's OneCycleLR and SGD do, step by step.
2. `_telling_sets`: draws the sets that are validated and tested on.
3. `_rates`: the learning rates of each run.
4. `_steps`: the gradients, the weights and the log of the plain run.
5. `_gradients`: the gradients of several batches, accumulated or on two ranks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from litcourse.core.comparison import distance
from litcourse.core.evidence import Evidence, have_same_keys
from litcourse.core.known_errors import error_finding
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Finding, Inputs, Question
from litcourse.labs.lab2_cifar10.schedule._gradients import judge_parts
from litcourse.labs.lab2_cifar10.schedule._rates import (
    RANKS,
    judge_defaults,
    judge_elsewhere,
    judge_rates,
    overrun_finding,
)
from litcourse.labs.lab2_cifar10.schedule._steps import judge_gradients, judge_log, judge_steps
from litcourse.labs.lab2_cifar10.schedule._telling_sets import telling_sets
from litcourse.probing.attempts import attempt
from litcourse.probing.class_bases import bases, derives_from, first_base
from litcourse.probing.networks import CLASSES, build_network, draw_batch, draw_state
from litcourse.probing.trainers import (
    copy_tensors,
    logged_values,
    make_loader,
    make_sample_loader,
    quiet_trainer,
    returned_loss,
    to_number,
)
from litcourse.ranks import run_ranks

ALL = ("rate", "everywhere", "loss", "step", "log")
SIDE = 6
SHAPE = (3, SIDE, SIDE)
SIZE = 7
"""Samples in a batch of validation and test."""
ARGUMENTS = ("max_lr", "weight_decay")
"""Of LitResNet, beside the network."""
PLAIN = "Trainer.fit(LitResNet(model, ...))"


def draw(rng: Random) -> Inputs:
    """A network, its batches, the class's arguments, and how the other runs are limited."""
    shown = {
        "network": _network(rng),
        "batches": [
            draw_batch(rng, rng.randrange(9, 15), SHAPE) for _ in range(rng.randrange(4, 7))
        ],
        "size": SIZE,
        "max_lr": rng.uniform(0.02, 0.08),
        "weight_decay": rng.uniform(0.02, 0.06),
        "epochs": rng.randrange(2, 4),
        "accumulate": rng.randrange(2, 4),
        "max_steps": rng.randrange(5, 8),
        "seed": rng.randrange(2**31),
    }
    return Inputs({**shown, **telling_sets(rng, shown)})


def _network(rng: Random) -> dict[str, Any]:
    """A small conv net with batch norm and dropout.

    The convolution has no bias: behind it comes a norm, so its gradient would be mere rounding.
    """
    width = rng.randrange(5, 9)
    inner = width * (SIDE // 2) ** 2
    layers: list[Any] = [
        ["conv", 3, width, 3, 1, 1, 1, 1, False],
        ["norm2d", width],
        [rng.choice(["relu", "gelu"])],
        ["pool", 2],
        ["flatten"],
        ["dropout", rng.choice([0.2, 0.3])],
        ["linear", inner, CLASSES],
    ]
    return draw_state({"layers": layers}, rng)


# --- probe ------------------------------------------------------------------------------


class Recorder(L.Callback):
    """Notes what stands at each optimizer step; seeds each batch as the judge will.

    Args:
        seed: of the random state at the start of each batch.
        rates_alone: leave weights and gradients out.
    """

    def __init__(self, seed: int, *, rates_alone: bool = False) -> None:
        self.seed, self.rates_alone = seed, rates_alone
        self.groups: list[dict[str, list[float | str]]] = []
        self.weights: list[dict[str, Tensor]] = []
        self.gradients: list[dict[str, Tensor]] = []
        self.losses: list[float | str | None] = []

    def on_train_batch_start(self, *_: Any) -> None:
        """Seed dropout."""
        torch.manual_seed(self.seed)

    def on_before_optimizer_step(self, _: Any, module: Any, optimizer: Any) -> None:
        """Rates as the optimizer has them; weights that have not moved yet."""
        keys = ("lr", "momentum", "weight_decay")
        groups = optimizer.param_groups
        self.groups.append({k: [to_number(group.get(k, "none")) for group in groups] for k in keys})
        if self.rates_alone:
            return
        named = dict(module.model.named_parameters())
        self.weights.append(copy_tensors(named))
        zero = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in named.items()}
        self.gradients.append(copy_tensors(zero))

    def on_train_batch_end(self, _: Any, __: Any, outputs: Any, *___: Any) -> None:
        """What `training_step` returned."""
        self.losses.append(returned_loss(outputs))


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Fit plainly and test; then fit in three other ways, and once with the defaults."""
    cls = student["LitResNet"]
    start = attempt(lambda: _start(cls, shown), "LitResNet(model, ...)")
    evidence = {"bases": bases(cls), "start": start, "plain": _plain(cls, shown)}
    if "error" in evidence["plain"]:
        return evidence
    evidence["accumulated"] = _other(cls, shown, _accumulated)
    evidence["max_steps"] = _other(cls, shown, _max_steps, rates_alone=True)
    evidence["defaults"] = _other(cls, shown, _max_steps, rates_alone=True, arguments=())
    evidence["ranks"] = run_ranks(lambda rank: _other(cls, shown, partial(_ranks, rank=rank)))
    return evidence


def _made(cls: Any, shown: dict[str, Any], names: tuple[str, ...] = ARGUMENTS) -> Any:
    return cls(build_network(shown["network"]), **{name: shown[name] for name in names})


def _start(cls: Any, shown: dict[str, Any]) -> dict[str, Any]:
    model = _made(cls, shown).model
    return {"state": copy_tensors(model.state_dict()) if isinstance(model, torch.nn.Module) else {}}


def _plain(cls: Any, shown: dict[str, Any]) -> dict[str, Any]:
    recorder = Recorder(shown["seed"])

    def run() -> dict[str, Any]:
        module = _made(cls, shown)
        sets = {name: _loader(shown, name) for name in ("val", "test")}
        trainer = quiet_trainer(max_epochs=shown["epochs"], callbacks=[recorder])
        trainer.fit(module, make_loader(shown["batches"]), sets["val"])
        evidence = {
            "final": copy_tensors(dict(module.model.named_parameters())),
            "optimizers": [type(optimizer).__name__ for optimizer in trainer.optimizers],
            "automatic": bool(module.automatic_optimization),
            "fit": logged_values(trainer),
            "val_logits": _logits(module.model, shown["val"][0]),
        }
        trainer.test(module, sets["test"], verbose=False)
        logits = _logits(module.model, shown["test"][0])
        return {**evidence, "test": logged_values(trainer), "test_logits": logits}

    return {**_noted(run, recorder, PLAIN), "losses": recorder.losses}


def _loader(shown: dict[str, Any], name: str) -> Any:
    images, labels = shown[name]
    return make_sample_loader(images, labels, shown["size"])


def _logits(model: Any, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model.eval()(images)
    model.train()
    return logits.detach().clone()


def _noted(run: Callable[[], dict[str, Any]], recorder: Recorder, called: str) -> dict[str, Any]:
    """What `run` returns or raises, beside what was noted until then."""
    evidence = attempt(run, called)
    noted: dict[str, Any] = {"groups": recorder.groups}
    if not recorder.rates_alone:
        noted |= {"weights": recorder.weights, "gradients": recorder.gradients}
    return {**evidence, **noted}


def _other(
    cls: Any,
    shown: dict[str, Any],
    way: Callable[..., None],
    *,
    rates_alone: bool = False,
    arguments: tuple[str, ...] = ARGUMENTS,
) -> dict[str, Any]:
    """What was noted of a run that is not the plain one."""
    recorder = Recorder(shown["seed"], rates_alone=rates_alone)

    def run() -> dict[str, Any]:
        way(_made(cls, shown, arguments), shown, recorder)
        return {}

    return _noted(run, recorder, PLAIN)


def _accumulated(module: Any, shown: dict[str, Any], recorder: Recorder) -> None:
    trainer = quiet_trainer(
        max_epochs=shown["epochs"],
        accumulate_grad_batches=shown["accumulate"],
        callbacks=[recorder],
    )
    trainer.fit(module, make_loader(shown["batches"]))


def _max_steps(module: Any, shown: dict[str, Any], recorder: Recorder) -> None:
    trainer = quiet_trainer(max_epochs=-1, max_steps=shown["max_steps"], callbacks=[recorder])
    trainer.fit(module, make_loader(shown["batches"]))


def _ranks(module: Any, shown: dict[str, Any], recorder: Recorder, *, rank: int) -> None:
    """Two ranks share the images of "test", in order: Lightning's own sampler would shuffle."""
    trainer = quiet_trainer(
        max_epochs=shown["epochs"], strategy="ddp", devices=RANKS, callbacks=[recorder]
    )
    data = TensorDataset(*shown["test"])
    shard: DistributedSampler[Any] = DistributedSampler(
        data, num_replicas=RANKS, rank=rank, shuffle=False
    )
    trainer.fit(module, DataLoader(data, batch_size=shown["size"], sampler=shard))


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Finding]:
    """Curve, steps and log of the plain run; then curve and gradients of the other runs."""
    if not derives_from(evidence["bases"], "LightningModule"):
        expected, got = "of lightning.LightningModule", first_base(evidence["bases"])
        return [Finding("LIT2100", ALL, "class LitResNet", expected, got)]
    plain = evidence["plain"]
    fatal = _not_kept(inputs, evidence["start"])
    if fatal:
        return fatal
    if "error" in plain:
        return [_broken(inputs, plain)]
    fatal = _not_trained(inputs, plain)
    if fatal:
        return fatal
    rates, gradients = judge_rates(inputs, plain), judge_gradients(inputs, plain)
    # What is wrong in the plain run is so in the others, and paid for.
    steps = judge_steps(inputs, plain)
    elsewhere = [] if rates else judge_elsewhere(inputs, evidence)
    if not (rates or steps or elsewhere):
        elsewhere = judge_defaults(inputs, evidence["defaults"])
    parts = [] if rates or gradients or elsewhere else judge_parts(inputs, evidence)
    return [
        *rates,
        *gradients,
        *steps,
        *judge_log(inputs, plain),
        *elsewhere,
        *parts,
    ]


def _not_kept(inputs: Inputs, made: Evidence) -> list[Finding]:
    """The class can't be made, or its `self.model` is not the given network."""
    if "error" in made:
        return [error_finding(made["error"], ALL)]
    shown, start = inputs.shown["network"]["state"], made["state"].tensors()
    if have_same_keys(shown, start) and all(distance(start[n], shown[n]) == 0 for n in shown):
        return []
    expected, got = "self.model is the given network", f"another one, {len(start)} tensors"
    return [Finding("LIT101", ALL, "LitResNet(model)", expected, got)]


def _broken(inputs: Inputs, plain: Evidence) -> Finding:
    """The run ended with an exception, perhaps the schedule's own."""
    found = error_finding(plain["error"], ALL)
    if "monitor when a `ReduceLROnPlateau`" in found.got:
        return replace(found, code="LIT2116")
    return overrun_finding(inputs, plain, found)


def _not_trained(inputs: Inputs, plain: Evidence) -> list[Finding]:
    """No step, or another number of them."""
    wanted = inputs.shown["epochs"] * len(inputs.shown["batches"])
    steps, expected = len(list(plain["groups"])), f"{wanted} optimizer steps"
    losses = list(plain["losses"])
    if losses and plain["automatic"].flag() and all(loss.is_none for loss in losses):
        return [Finding("LIT102", ALL, "training_step(batch, batch_idx)", "the loss", "None")]
    if "_MockOptimizer" in plain["optimizers"].texts() or not steps:
        return [Finding("LIT130", ALL, PLAIN, expected, "none")]
    if steps != wanted:
        return [Finding("LIT134", ALL, PLAIN, expected, str(steps))]
    return []


QUESTION = Question(
    title="A learning rate for every step",
    defines=("LitResNet",),
    criteria=(
        Criterion("rate", "the one-cycle rate at every optimizer step", 0.3),
        Criterion(
            "everywhere", "also with accumulation, max_steps, two ranks and the defaults", 0.2
        ),
        Criterion("loss", "the gradient of the mean cross-entropy", 0.1),
        Criterion("step", "SGD's steps, with momentum and weight decay", 0.2),
        Criterion("log", "train_loss, val_loss, val_acc, test_acc, exact", 0.2),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
