"""A longer training for `wrap`: two epochs of many steps, with batches from small to large.

Three steps on small batches show no rate that changes, no learning that ends, no batch that is cut.
"""

from __future__ import annotations

from random import Random
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import error_finding
from litcourse.core.question import Earned, Finding, Mark, NotLookedAt
from litcourse.labs.lab1_mnist._plain_loop import furthest, plain_loop
from litcourse.labs.lab1_mnist._recorder import Recorder
from litcourse.probing.networks import CLASSES, build_network, draw_batch, draw_state
from litcourse.probing.trainers import copy_tensors, make_loader, quiet_trainer

EPOCHS = 2
SIZES = (1, 5, 20, 70, 260)
"""Sizes of the first batches, in a drawn order; the others have a few samples."""
TOLERANCE = 0.02
"""Relative difference of the weights' change: rounding grows with the steps, to about 0.001."""
OFTEN = "the loss, the optimizer and the rate of the first step in every other one"


def draw_long_run(rng: Random, side: int) -> dict[str, Any]:
    """A small network, and the batches of an epoch."""
    width = rng.randrange(8, 13)
    layers: list[Any] = [
        ["flatten"], ["linear", side * side, width], ["tanh"], ["linear", width, CLASSES],
    ]  # fmt: skip
    sizes = rng.sample(SIZES, len(SIZES)) + [rng.randrange(2, 9) for _ in range(20)]
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
