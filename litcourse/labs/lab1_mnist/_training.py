"""Compares the training of a network with the plain loop, for `wrap`: losses, steps and log.

A longer training has two epochs of many steps, with batches from small to large: three steps on
small batches show no rate that changes, no learning that ends, no batch that is cut.
"""

from __future__ import annotations

from random import Random
from typing import Any

import torch
from torch import Tensor

from litcourse.core.comparison import is_not_finite, tell_apart
from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import BY_HAND, error_finding
from litcourse.core.marks import find_findings
from litcourse.core.question import Earned, Finding, Mark, NotLookedAt
from litcourse.labs.lab1_mnist._plain_loop import (
    GRADIENT_TOLERANCE,
    LOSS_TOLERANCE,
    OTHER_LOSSES,
    STEP_TOLERANCE,
    STEPS,
    first_loss,
    furthest,
    near,
    plain_loop,
    which_weights,
)
from litcourse.labs.lab1_mnist._recorder import Recorder
from litcourse.probing.networks import CLASSES, build_network, draw_batch, draw_state
from litcourse.probing.trainers import copy_tensors, make_loader, quiet_trainer

EPOCHS = 2
SIZES, SMALL = (1, 5, 20, 70, 260), 57
"""Sizes of the first batches, in a drawn order, and how many others have a few samples.

An epoch has more than fifty batches, and the training goes on after its hundredth step.
"""
TOLERANCE = 0.02
"""Relative difference of the weights' change: rounding grows with the steps, to about 0.001."""
OFTEN = "the loss, the optimizer and the rate of the first step in every other one"


def judge_training(kind: str, case: dict[str, Any], seen: Evidence) -> list[Mark]:
    """Marks for "loss", "step" and "log", up to the first difference from the plain loop.

    "device" is named only if the training can't show it.

    Args:
        kind: name of the network.
        case: the drawn network, batches and learning rate.
        seen: evidence of its training.
    """
    steps = seen["optimizer_steps"].integer()
    if "_MockOptimizer" in seen["optimizers"].texts():  # Lightning's class for no optimizer
        steps = 0
    loss = _judge_loss(kind, case, seen)
    if not any(bool(gradient.any()) for gradient in seen["gradients"].tensors().values()):
        return _judge_without_gradients(kind, case, seen, loss, steps)
    log = _judge_log(kind, case, seen)
    if steps and steps != STEPS:
        return [_steps_finding(kind, steps, _lines_by_hand(seen)), log]
    if steps == 0:
        return [*loss, _steps_finding(kind, steps), log]
    if _cost_the_step(loss):
        return [*loss, log]
    # A recognised wrong loss costs once: the step is compared with a loop that has that loss.
    change = OTHER_LOSSES[find_findings(loss)[0].code] if find_findings(loss) else {}
    step = _judge_step(kind, case, plain_loop(case, **change), seen)
    if not loss:
        loss = [_judge_loss_of_manual_steps(case, seen, step)]
    return [*loss, log, step]


def _judge_without_gradients(
    kind: str, case: dict[str, Any], seen: Evidence, loss: list[Mark], steps: int
) -> list[Mark]:
    """The marks for a training that never reached the network: most of it shows nothing."""
    marks = [*loss, NotLookedAt(("device",), "the loss gives the network no gradient")]
    if steps == 0:
        marks.append(_steps_finding(kind, steps))
    elif not _cost_the_step(loss):
        called, right = f"Trainer.fit, {STEPS} batches", "the plain loop's gradients"
        where = f"network {kind!r}"
        marks.append(Finding("LIT135", ("step",), called, right, "none at all", where))
    if any(isinstance(mark, Earned) for mark in loss):
        return [*marks, _judge_log(kind, case, seen)]
    if _logs_unmoved_losses(case, seen):
        return [*marks, Earned(("log",))]
    return [*marks, NotLookedAt(("log",), "there is no right loss that could be logged")]


def _logs_unmoved_losses(case: dict[str, Any], seen: Evidence) -> bool:
    """Whether a module that returns no loss logs the right one of a network that never moves."""
    logged = seen["logged"]
    if logged.is_none or not all(loss.is_none for loss in seen["losses"]):
        return False
    losses = plain_loop(case, optimizer=lambda p, _: torch.optim.SGD(p, lr=0.0))["losses"]
    return any(near(logged.number(), right) for right in (losses[-1], sum(losses) / len(losses)))


def _cost_the_step(marks: list[Mark]) -> bool:
    return any("step" in finding.criteria for finding in find_findings(marks))


def _steps_finding(kind: str, steps: int, by_hand: str = "") -> Finding:
    code, cost = ("LIT134", ("loss", "step")) if steps else ("LIT130", ("step",))
    called, expected = f"Trainer.fit, {STEPS} batches", f"{STEPS} optimizer steps"
    if steps and by_hand:
        return Finding(BY_HAND, cost, called, expected, str(steps), by_hand)
    return Finding(code, cost, called, expected, str(steps), f"network {kind!r}")


def _lines_by_hand(seen: Evidence) -> str:
    """The lines that make optimizer steps beside Lightning's, or "" under manual optimization."""
    return seen["by_hand"].text() if seen["automatic"].flag() else ""


def _judge_loss(kind: str, case: dict[str, Any], seen: Evidence) -> list[Mark]:
    """The mark for the first loss; [] if manual steps return none."""
    called, cost = "training_step(batch, batch_idx)", ("loss", "step")
    where = f"network {kind!r}, first batch"
    losses = list(seen["losses"])
    without = [number for number, loss in enumerate(losses) if loss.is_none]
    if seen["automatic"].flag() and (without or not losses):
        at = f"network {kind!r}, batch {without[0] if without else 0}"
        return [Finding("LIT102", cost, called, "the loss", "None", at)]
    if not losses or losses[0].is_none:
        return []
    loss, right = losses[0].number(), first_loss(case)
    if is_not_finite(loss):
        return [Finding("LIT120", cost, called, f"{right:.4f}", str(loss), where)]
    if near(loss, right):
        every = len(losses) == STEPS and not without
        some = NotLookedAt(("loss",), f"training_step returned no loss in some of {STEPS} steps")
        return [Earned(("loss",)) if every else some]
    expected, got = tell_apart(right, loss)
    expected = f"a loss of {expected}"
    for code, change in OTHER_LOSSES.items():
        if near(loss, first_loss(case, **change)):
            return [Finding(code, ("loss",), called, expected, got, where)]
    return [Finding("LIT115", cost, called, expected, got, where)]


def _judge_loss_of_manual_steps(case: dict[str, Any], seen: Evidence, step: Mark) -> Mark:
    """Manual steps that return no loss: their weights show its gradient, their log its value."""
    logged, losses = seen["logged"], plain_loop(case)["losses"]
    values = [losses[-1], sum(losses) / len(losses)]
    shown = not logged.is_none and any(near(logged.number(), value) for value in values)
    if shown and isinstance(step, Earned):
        return Earned(("loss",))
    reason = "training_step returns no loss, and weights and train_loss do not show a right one"
    return NotLookedAt(("loss",), reason)


def _judge_step(kind: str, case: dict[str, Any], expected: dict[str, Any], seen: Evidence) -> Mark:
    cost, called = ("step",), f"Trainer.fit, {STEPS} batches"
    where = f"network {kind!r}"
    gap, name = furthest(expected["gradients"], seen["gradients"].tensors(), None)
    if gap > GRADIENT_TOLERANCE:
        at = f"{where}, gradient of {name}, relative difference {gap:.2g}"
        return Finding("LIT135", cost, called, "the plain loop's gradients", "others", at)
    mark = _judge_weights(case, expected["weights"], seen["weights"].tensors(), where)
    if isinstance(mark, Earned) and seen["amsgrad"].flag():  # the same weights, after a few steps
        made, got = "configure_optimizers()", "its variant AMSGrad, amsgrad=True"
        return Finding("LIT139", cost, made, "Adam with torch's defaults", got, where)
    return mark


def _judge_weights(
    case: dict[str, Any], right: dict[str, Tensor], seen: dict[str, Tensor], where: str
) -> Mark:
    start = case["network"]["state"]
    gap, name = furthest(right, seen, start)
    if gap <= STEP_TOLERANCE:
        return Earned(("step",))
    called, expected = f"Trainer.fit, {STEPS} batches", "the plain loop's weights"
    at = f"{where}, {name}, relative difference of the change {gap:.2g}"
    code, got = which_weights(case, seen, right)
    if case["default"] and code in {"LIT131", "LIT139"}:
        code, got = "LIT144", "those of another rate, as it was not given"
    return Finding(code, ("step",), called, expected, got, at)


def _judge_log(kind: str, case: dict[str, Any], seen: Evidence) -> Mark:
    called, where = 'trainer.callback_metrics["train_loss"]', f"network {kind!r}"
    names = seen["logged_names"].texts()
    if seen["logged"].is_none:
        got = "logged: " + (", ".join(names) or "nothing")
        return Finding("LIT140", ("log",), called, "train_loss", got, where)
    # Manual steps may return no loss; theirs is then that of the plain loop.
    losses = [loss.number() for loss in seen["losses"] if not loss.is_none]
    if losses and len(losses) != STEPS:
        return NotLookedAt(("log",), f"training_step returned no loss in some of {STEPS} steps")
    values = losses or plain_loop(case)["losses"]
    last = seen["logged"].number()
    if any(map(is_not_finite, values)):
        got = ", ".join(map(str, values))
        return Finding("LIT141", ("log",), called, "finite losses", got, where)
    mean = sum(values) / len(values)  # on_epoch=True leaves the mean instead of the last
    low, high = min([*values, mean]), max([*values, mean])
    slack = LOSS_TOLERANCE * max(1.0, abs(high))
    if low - slack <= last <= high + slack:
        return Earned(("log",))
    expected, got = f"the loss, {values[-1]:.4f} in the last step", f"{last:.4f}"
    return Finding("LIT141", ("log",), called, expected, got, where)


# --- a longer training -----------------------------------------------------------------------


def draw_long_run(rng: Random, side: int) -> dict[str, Any]:
    """A small network, and the batches of an epoch."""
    width = rng.randrange(8, 13)
    layers: list[Any] = [
        ["flatten"], ["linear", side * side, width], ["tanh"], ["linear", width, CLASSES],
    ]  # fmt: skip
    sizes = rng.sample(SIZES, len(SIZES)) + [rng.randrange(2, 9) for _ in range(SMALL)]
    return {
        "network": draw_state({"layers": layers}, rng),
        "batches": [draw_batch(rng, size, (1, side, side)) for size in sizes],
        "lr": rng.uniform(2e-3, 4e-3),
        "seed": rng.randrange(2**31),
    }


def train_long(cls: Any, case: dict[str, Any]) -> dict[str, Any]:
    """The weights after two epochs."""
    module = cls(build_network(case["network"]), lr=case["lr"])
    trainer = quiet_trainer(max_epochs=EPOCHS, callbacks=[Recorder(case["seed"])])
    trainer.fit(module, make_loader(case["batches"]))
    return {"weights": copy_tensors(module.model.state_dict()), "epochs": trainer.current_epoch}


def judge_long_run(case: dict[str, Any], seen: Evidence) -> list[Mark]:
    """The mark for "step", the only one of `wrap` that a longer training can cost."""
    cost, called = ("step",), f"Trainer.fit, {EPOCHS} epochs of {len(case['batches'])} batches"
    others = Earned(("forward", "loss", "log", "device"))
    if "error" in seen:
        return [error_finding(seen["error"], cost), others]
    if seen["epochs"].integer() != EPOCHS:
        return [NotLookedAt(cost, f"a training of {EPOCHS} epochs ended before"), others]
    right = plain_loop({**case, "batches": case["batches"] * EPOCHS})["weights"]
    gap, name = furthest(right, seen["weights"].tensors(), case["network"]["state"])
    if gap <= TOLERANCE:
        return [Earned(cost), others]
    at = f"{name}, relative difference of the change {gap:.2g}"
    return [Finding("LIT143", cost, called, OFTEN, "other weights", at), others]
