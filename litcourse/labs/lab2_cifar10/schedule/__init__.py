"""schedule: `LitResNet` takes SGD's steps at OneCycleLR's rates, for a run of any length.

In the probe real Trainers fit a drawn network: plainly, with accumulated gradients, with
`max_steps`, and on two ranks. A callback records learning rate, momentum, gradients and weights at
each optimizer step. The judge computes the same rates and steps in plain torch.

Read in this order; the probe uses 2 to 4, the judge the others:

1. `_one_cycle`: computes the rates of OneCycleLR and the steps of SGD.
2. `_telling_sets`: draws the sets for validation and test.
3. `_step_recorder`: records optimizer steps.
4. `_recorded_fits`: fits in each way.
5. `_rates`: judges the learning rates of each run.
6. `_steps`: judges gradients, weights and log of the plain run.
7. `_gradients`: judges gradients of several batches, accumulated or on two ranks, and late ones.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from litcourse.core.comparison import distance
from litcourse.core.evidence import Evidence, have_same_keys
from litcourse.core.known_errors import BY_HAND, error_finding
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
from litcourse.feedback.chart import GREEN, Curve, draw_curves
from litcourse.labs.lab2_cifar10.schedule._gradients import (
    judge_late_gradients,
    judge_parts,
    late_steps,
)
from litcourse.labs.lab2_cifar10.schedule._one_cycle import one_cycle
from litcourse.labs.lab2_cifar10.schedule._rates import (
    judge_defaults,
    judge_elsewhere,
    judge_rates,
    overrun_finding,
    read_noted,
)
from litcourse.labs.lab2_cifar10.schedule._recorded_fits import (
    PLAIN,
    fit_accumulated,
    fit_few_steps,
    fit_max_steps,
    fit_rank,
    read_start,
    run_on_gpu,
    run_other,
    run_plain,
)
from litcourse.labs.lab2_cifar10.schedule._steps import (
    change_of,
    has_gradient,
    judge_gradients,
    judge_log,
    judge_steps,
)
from litcourse.labs.lab2_cifar10.schedule._telling_sets import telling_sets
from litcourse.probing.attempts import attempt
from litcourse.probing.class_bases import bases, derives_from, first_base
from litcourse.probing.fake_gpu import judge_gpu
from litcourse.probing.networks import CLASSES, draw_batch, draw_state
from litcourse.ranks import run_ranks

ALL = ("rate", "everywhere", "loss", "step", "log")
SIDE = 6
SHAPE = (3, SIDE, SIDE)
SIZE = 24
"""Number of samples in a batch on two ranks."""
MAX_STEPS = (102, 108)
"""Range of `max_steps`: one hundred steps, two epochs and fifty batches of an epoch are over."""
LARGE = (66, 100)
"""Range of one large batch of training."""


def draw(rng: Random) -> Inputs:
    """A network, its batches, the class's arguments, and the limits of the other runs."""
    shown = {
        "network": _draw_network(rng),
        "batches": [draw_batch(rng, size, SHAPE) for size in _draw_sizes(rng)],
        "size": SIZE,
        "max_lr": rng.uniform(0.02, 0.08),
        "weight_decay": rng.uniform(0.02, 0.06),
        "epochs": rng.randrange(2, 4),
        "accumulate": rng.randrange(2, 4),
        "few_steps": rng.randrange(5, 8),
        "max_steps": rng.randrange(*MAX_STEPS),
        "seed": rng.randrange(2**31),
    }
    sets, sizes = telling_sets(rng, shown)
    return Inputs({**shown, **sets, "sizes": sizes})


def _draw_sizes(rng: Random) -> list[int]:
    """Sizes of the batches of an epoch, one of them large."""
    sizes = [rng.randrange(9, 15) for _ in range(rng.randrange(9, 12))]
    sizes[rng.randrange(len(sizes))] = rng.randrange(*LARGE)
    return sizes


def _draw_network(rng: Random) -> dict[str, Any]:
    """A small conv net with batch norm and dropout.

    The convolution has no bias: a norm follows, so the bias's gradient would be rounding error.
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


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Fit plainly and test; then fit in three other ways, and once with the defaults."""
    cls = student["LitResNet"]
    start = attempt(lambda: read_start(cls, shown), "LitResNet(model, ...)")
    evidence = {"bases": bases(cls), "start": start, "plain": run_plain(cls, shown)}
    if "error" in evidence["plain"]:
        return evidence
    evidence["accumulated"] = run_other(cls, shown, fit_accumulated)
    late = late_steps(shown)
    evidence["max_steps"] = run_other(cls, shown, fit_max_steps, steps=late)
    evidence["defaults"] = run_other(cls, shown, fit_few_steps, steps=(), arguments=())
    evidence["gpu"] = run_on_gpu(cls, shown)
    evidence["ranks"] = run_ranks(lambda rank: run_other(cls, shown, partial(fit_rank, rank=rank)))
    return evidence


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge rates, steps and log of the plain run, then rates and gradients of the other runs."""
    if not derives_from(evidence["bases"], "LightningModule"):
        expected, got = "of lightning.LightningModule", first_base(evidence["bases"])
        return [Finding("LIT2100", ALL, "class LitResNet", expected, got)]
    plain = evidence["plain"]
    fatal = _judge_start(inputs, evidence["start"])
    if fatal:
        return [*fatal]
    if "error" in plain:
        return [_exception_finding(inputs, plain)]
    fatal = _judge_training(inputs, plain)
    if fatal:
        return [*fatal]
    rate, loss = judge_rates(inputs, plain), judge_gradients(inputs, plain)
    if isinstance(loss, Earned):
        loss = judge_late_gradients(inputs, evidence["max_steps"]) or loss
    if not has_gradient(inputs, plain):
        reason = "the loss does not depend on the network, so the steps show nothing"
        return [rate, loss, NotLookedAt(("everywhere", "step", "log"), reason)]
    step = judge_steps(inputs, plain)
    everywhere = _judge_everywhere(inputs, evidence, rate, loss, step)
    return [rate, loss, step, judge_log(inputs, plain), *everywhere]


def _judge_everywhere(
    inputs: Inputs, evidence: Evidence, rate: Mark, loss: Mark, step: Mark
) -> list[Mark]:
    """Judge the other runs, relative to the marks of the plain run.

    A mistake in the plain run shows in the others too, and costs only once.
    """
    cost = ("everywhere",)
    if isinstance(rate, Finding):
        return []  # it costs both
    found = judge_elsewhere(inputs, evidence)
    if not found:
        found = judge_defaults(inputs, evidence["defaults"], decays=isinstance(step, Earned))
    if found:
        return [*found]
    change = change_of(loss)
    if change is None:
        reason = "the gradient of one batch is wrong, so that of several can't be judged"
        return [NotLookedAt(cost, reason)]
    parts = judge_parts(inputs, evidence, change) or judge_gpu(evidence["gpu"], cost)
    return [*parts] if parts else [Earned(cost)]


def _judge_start(inputs: Inputs, seen: Evidence) -> list[Finding]:
    """Judge that the class can be built, and that its `self.model` is the given network."""
    if "error" in seen:
        return [error_finding(seen["error"], ALL)]
    shown, start = inputs.shown["network"]["state"], seen["state"].tensors()
    equal = have_same_keys(shown, start) and all(distance(start[n], shown[n]) == 0 for n in shown)
    if equal and seen["same"].flag():
        return []
    expected, got = "self.model is the given network", f"another one, {len(start)} tensors"
    got = "a copy of it, with equal weights" if equal else got
    return [Finding("LIT101", ALL, "LitResNet(model)", expected, got)]


def _exception_finding(inputs: Inputs, plain: Evidence) -> Finding:
    """The finding on a run that raised, perhaps in its schedule."""
    found = error_finding(plain["error"], ALL)
    if "monitor when a `ReduceLROnPlateau`" in found.got:
        return replace(found, code="LIT2116")
    return overrun_finding(inputs, plain, found)


def _judge_training(inputs: Inputs, plain: Evidence) -> list[Finding]:
    """Judge that the run took the right number of optimizer steps."""
    wanted = inputs.shown["epochs"] * len(inputs.shown["batches"])
    steps, expected = len(list(plain["groups"])), f"{wanted} optimizer steps"
    losses = list(plain["losses"])
    if losses and plain["automatic"].flag() and all(loss.is_none for loss in losses):
        return [Finding("LIT102", ALL, "training_step(batch, batch_idx)", "the loss", "None")]
    if "_MockOptimizer" in plain["optimizers"].texts() or not steps:
        return [Finding("LIT130", ALL, PLAIN, expected, "none")]
    if steps != wanted:
        by_hand = plain["by_hand"].text() if plain["automatic"].flag() else ""
        code = BY_HAND if by_hand else "LIT134"
        return [Finding(code, ALL, PLAIN, expected, str(steps), by_hand)]
    return []


def picture(inputs: Inputs, evidence: Evidence) -> str:
    """Two curves: the rates of the plain run, and those of the cycle."""
    shown, plain = inputs.shown, evidence["plain"]
    seen = read_noted(plain, "lr")
    right, _ = one_cycle(shown["max_lr"], shown["epochs"] * len(shown["batches"]))
    curves = [
        Curve("the cycle", list(enumerate(right)), GREEN, dashed=True),
        Curve("your run", list(enumerate(seen))),
    ]
    return draw_curves(curves, "optimizer step", "rate") if seen else ""


QUESTION = Question(
    title="A learning rate for every step",
    defines=("LitResNet",),
    criteria=(
        Criterion("rate", "the one-cycle rate at every optimizer step", 0.3),
        Criterion(
            "everywhere",
            "also with accumulation, max_steps, two ranks, a GPU and the defaults",
            0.2,
        ),
        Criterion("loss", "the gradient of the mean cross-entropy", 0.1),
        Criterion("step", "SGD's steps, with momentum and weight decay", 0.2),
        Criterion("log", "train_loss, val_loss, val_acc, test_acc, exact", 0.2),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    picture=picture,
)
