"""synced: equal weights and equal, exact metrics on every rank.

Two real ranks train a drawn network on drawn batches and validate on shards of different sizes.
The evidence is their weights and metrics. The judge takes the same steps in plain torch, in one
process on the batches of both ranks, and computes the metrics from each rank's own weights.
"""

from __future__ import annotations

import contextlib
from random import Random
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from litcourse.core.comparison import largest_difference
from litcourse.core.evidence import Evidence
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, Question
from litcourse.feedback.lanes import draw_lanes
from litcourse.labs.lab3_ddp._divergence import explain_divergence, read_synced, record_synced
from litcourse.labs.lab3_ddp._one_process import RUN, judge_metrics, judge_weights
from litcourse.labs.lab3_ddp._ranks import ddp_trainer, run_findings
from litcourse.probing.class_bases import bases, derives_from, first_base
from litcourse.probing.networks import (
    CLASSES,
    build_network,
    draw_batch,
    draw_state,
    make_generator,
)
from litcourse.probing.step_lines import lines_that_set
from litcourse.probing.trainers import copy_tensors, late_batches, logged_values, make_loader
from litcourse.ranks import read_rank_values, run_ranks

WORLD = 2
EPOCHS = 2
STEPS = 56
"""Number of training batches of a rank in an epoch; the training goes on after step 100."""
LARGE, LARGER = (66, 131), (140, 260)
"""Range of a large batch, and of the one that the rank with few validation batches has."""
MORE_VAL = 9
"""Validation batches by which the other rank has more."""
FEATURES = 12
ALL = ("weights", "val_loss", "val_acc", "train_loss")
_NO_GROUP = r"[Dd]efault process group has not been initialized"
_KNOWN = (
    ("LIT3335", rf"{_NO_GROUP}.* @ .*get_(rank|world_size)\("),
    ("LIT3335", r"KeyError: '?(LOCAL_)?(RANK|WORLD_SIZE)"),
    ("LIT3334", rf"{_NO_GROUP}|initialize the default process group twice"),
)
"""Message of torch 2.15."""


def draw(rng: Random) -> Inputs:
    """A network, equally many training batches for each rank, and uneven validation shards.

    Most batches are small, one of each kind is large. In the first one the network is as wrong as
    it can be, so that a bound on the loss shows.
    """
    width = rng.randrange(10, 24)
    act = rng.choice(["relu", "gelu"])  # no tanh, which bounds how wrong a network can be
    layers = [["linear", FEATURES, width], [act], ["linear", width, CLASSES]]
    network = draw_state({"layers": layers}, rng)
    sizes = [rng.randrange(1, 13) for _ in range(STEPS)]
    sizes[0], sizes[rng.randrange(1, STEPS)] = rng.randrange(6, 13), rng.randrange(*LARGE)
    train = [[draw_batch(rng, size, (FEATURES,)) for size in sizes] for _ in range(WORLD)]
    for batches in train:
        batches[0] = _make_hard(network, batches[0])
    shards = _draw_sizes(rng)
    easy = rng.sample([0.85, 0.25], 2)
    val = [_draw_shard(rng, network, sum(n), p) for n, p in zip(shards, easy, strict=True)]
    return Inputs(
        {
            "network": network,
            "lr": rng.uniform(0.02, 0.08),
            "train": train,
            "val": val,
            "val_sizes": shards,
        }
    )


def _make_hard(network: dict[str, Any], batch: list[Tensor]) -> list[Tensor]:
    """The batch with larger inputs, and of each the class that the network finds least likely."""
    inputs = 3 * batch[0]
    with torch.no_grad():
        return [inputs, build_network(network)(inputs).argmin(1)]


def _draw_sizes(rng: Random) -> list[list[int]]:
    """Sizes of the validation batches, rank by rank.

    The total is a multiple of the ranks, and each shard ends in a smaller batch.
    """
    size = rng.choice([4, 8])
    many = [rng.randrange(*LARGE), *[size] * MORE_VAL, rng.randrange(1, size)]
    few = [rng.randrange(*LARGER), rng.randrange(1, size)]
    few[-1] += (sum(many) + sum(few)) % WORLD
    return [few, many] if rng.random() < 0.5 else [many, few]  # noqa: PLR2004 (either rank)


def _draw_shard(rng: Random, network: dict[str, Any], size: int, easy: float) -> list[Tensor]:
    """Samples of which the network gets about the share `easy` right.

    So the ranks' own metrics differ clearly, and each wrong mean gives a different number.
    """
    inputs, _ = draw_batch(rng, size, (FEATURES,))
    with torch.no_grad():
        ranked = build_network(network)(inputs).argsort(dim=1, descending=True)
    right = torch.rand(size, generator=make_generator(rng)) < easy
    right[:2] = torch.tensor([True, False])
    return [inputs, torch.where(right, ranked[:, 0], ranked[:, 3])]


# --- probe ------------------------------------------------------------------------------


class Reader(L.Callback):
    """Records weights and logged values after each validation."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, Any]] = []

    def on_validation_end(self, trainer: L.Trainer, module: Any) -> None:
        """Copy the weights and the logged values."""
        weights = copy_tensors(module.model.state_dict())
        self.epochs.append({"weights": weights, "logged": logged_values(trainer)})


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Train and validate on two ranks."""
    cls = student["SyncedClassifier"]
    run = run_ranks(lambda rank: _train(cls, shown, rank), WORLD)
    stops = lines_that_set(cls, "should_stop")
    return {"bases": bases(cls), "run": run, "synced": read_synced(WORLD), "stops": stops}


def _train(cls: Any, shown: dict[str, Any], rank: int) -> dict[str, Any]:
    record_synced(rank)
    with contextlib.suppress(Exception):  # whatever it says, the module below says too
        cls(build_network(shown["network"]), 1.0).configure_optimizers()  # not to be kept
    network = build_network(shown["network"])
    module = cls(network, shown["lr"])
    has_group = torch.distributed.is_initialized()
    is_network = isinstance(module.model, torch.nn.Module)
    start = copy_tensors(module.model.state_dict()) if is_network else {}
    reader = Reader()
    trainer = ddp_trainer(WORLD, max_epochs=EPOCHS, callbacks=[reader])
    inputs, labels = shown["val"][rank]
    sizes = shown["val_sizes"][rank]
    shard = [list(pair) for pair in zip(inputs.split(sizes), labels.split(sizes), strict=True)]
    with late_batches(module, "validation_step", len(shard)):
        trainer.fit(module, make_loader(shown["train"][rank]), make_loader(shard))
    return {
        "kept_as": type(module.model).__name__,
        "is_given": module.model is network,
        "has_group": has_group,
        "wraps": any(isinstance(part, DistributedDataParallel) for part in module.modules()),
        "start": start,
        "epochs": reader.epochs,
        "end": copy_tensors(module.model.state_dict()) if is_network else {},
        "logged": sorted(str(key) for key in trainer.callback_metrics),
    }


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the class, then the weights, then the metrics of those weights."""
    if not derives_from(evidence["bases"], "LightningModule"):
        got = f"a subclass of {first_base(evidence['bases'])}"
        expected = "a subclass of lightning.LightningModule"
        return [Finding("LIT3300", ALL, "class SyncedClassifier", expected, got)]
    found = run_findings(evidence["run"], ALL, WORLD, _KNOWN)
    if found:
        return [explain_divergence(finding, evidence) for finding in found]
    ranks = read_rank_values(evidence["run"])
    shown = inputs.shown
    by_hand = [finding for rank in ranks for finding in _judge_by_hand(rank)][:1]
    identity = [f for rank in ranks for f in _judge_identity(shown["network"]["state"], rank)][:1]
    if identity:
        return [*by_hand, *identity]
    return [
        *by_hand,
        judge_weights(shown, EPOCHS, ranks),
        *judge_metrics(shown, EPOCHS, ranks),
        _judge_train_log(ranks[0]),
    ]


def _judge_by_hand(rank: Evidence) -> list[Finding]:
    """Judge that the strategy alone makes the process group and wraps the module."""
    signs = {
        "has_group": ("SyncedClassifier(model, lr)", "init_process_group was called"),
        "wraps": (RUN, "the module holds a DistributedDataParallel"),
    }
    for name, (called, got) in signs.items():
        if rank[name].flag():
            expected = "that is left to the Trainer's strategy"
            return [Finding("LIT3334", ("weights",), called, expected, got)]
    return []


def _judge_identity(shown: dict[str, Tensor], rank: Evidence) -> list[Finding]:
    start = rank["start"].tensors()
    called = "SyncedClassifier(model, lr)"
    if set(shown) == set(start) and largest_difference(shown, start) == 0:
        if rank["is_given"].flag():
            return []
        expected, got = "self.model is the given network", "self.model is a copy of it"
        return [Finding("LIT3301", ALL, called, expected, got)]
    got = f"self.model is a {rank['kept_as'].text()}, {len(start)} tensors in its state"
    expected = f"self.model is the given network, {len(shown)} tensors in its state"
    return [Finding("LIT3301", ALL, called, expected, got)]


def _judge_train_log(first: Evidence) -> Mark:
    """Judge what rank 0 logged, whose logger alone writes; others may log or not."""
    names, cost = first["logged"].texts(), ("train_loss",)
    if "train_loss" in names:
        return Earned(cost)
    got = "logged: " + (", ".join(names) or "nothing")
    return Finding("LIT3302", cost, "callback_metrics", "train_loss", got)


def picture(_: Inputs, evidence: Evidence) -> str:
    """Where each rank waits, if they wait for each other."""
    return draw_lanes(evidence["run"])


QUESTION = Question(
    title="The same numbers on every rank",
    defines=("SyncedClassifier",),
    criteria=(
        Criterion("weights", "all ranks hold the weights of one process on the global batch", 0.4),
        Criterion("val_loss", "val_loss is exact, and the same on every rank", 0.25),
        Criterion("val_acc", "val_acc is exact, and the same on every rank", 0.25),
        Criterion("train_loss", "train_loss is logged", 0.1),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    picture=picture,
)
