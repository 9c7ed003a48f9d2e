"""sampler: `ShardedDataModule` deals out the samples to the ranks, each once per epoch.

Real ranks fit with the student's loaders. Each sample is its own number, and the probe's module
records the numbers of each batch on each rank. The judge combines the epochs of all ranks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from litcourse.core.evidence import Evidence
from litcourse.core.marks import find_findings, merge
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Finding, Inputs, Mark, Question
from litcourse.feedback.lanes import draw_lanes
from litcourse.labs.lab3_ddp._ranks import ddp_trainer, run_findings, run_on_both
from litcourse.labs.lab3_ddp._shards import (
    ALL,
    EPOCHS,
    VAL_FROM,
    judge_nodes,
    judge_order,
    judge_samples,
)
from litcourse.probing.class_bases import bases, derives_from, first_base

WORLD = 3
RUNS = ("first", "again", "other")
"""The runs on one node."""
DEFAULT_BATCH = 32
OF_NODES = ("once", "val")
"""Criteria that a failure on three nodes costs."""
_OF_A_TRAINER = r"world_size|\w+_rank|num_(devices|nodes)|strategy"
_KNOWN = (
    ("LIT3404", r"[Dd]efault process group has not been initialized"),
    ("LIT3404", rf"'NoneType' object has no attribute '({_OF_A_TRAINER})'"),
    ("LIT3417", r"Invalid rank \d+, rank should be in the interval"),
    ("LIT3405", r"sampler option is mutually exclusive with shuffle"),
)
"""Messages of torch 2.15, and of a data module that has no Trainer yet."""


def draw(rng: Random) -> Inputs:
    """Set sizes that three does not divide, sizes of batches, and a seed besides 0.

    The training set has one sample more than full batches for all ranks, so that without padding
    one rank has one batch more. A large batch and the default one come at least once in full.
    """
    batch = rng.choice([12, 13, 14])
    train = WORLD * batch * 6 + 1
    val = WORLD * rng.randrange(4, 10) + rng.choice([1, 2])
    large = rng.randrange(DEFAULT_BATCH * 2 + 1, train // WORLD)
    return Inputs(
        {
            "batch": batch,
            "large": large,
            "default": DEFAULT_BATCH,
            "train": train,
            "val": val,
            "val_more": val + WORLD * 2,
            "seeds": rng.sample(range(65, 1000), 2),
        }
    )


# --- probe ------------------------------------------------------------------------------


class Notes(L.LightningModule):
    """Records the samples of each batch, and learns nothing.

    It averages no gradients, so that ranks with different numbers of batches all end and the judge
    can count the batches. It draws random numbers in each step, as dropout does.
    """

    def __init__(self, drawn: int) -> None:
        super().__init__()
        self.drawn = drawn
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.train_batches: list[list[list[int]]] = []
        self.val_batches: list[list[list[int]]] = []

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's list."""
        self.train_batches.append([])

    def on_validation_epoch_start(self) -> None:
        """Begin the epoch's list."""
        self.val_batches.append([])

    def training_step(self, batch: list[Tensor], _: int) -> None:
        """Record the samples, and draw random numbers."""
        torch.rand(self.drawn)
        self.train_batches[-1].append([int(number) for number in batch[0]])

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Record the samples."""
        self.val_batches[-1].append([int(number) for number in batch[0]])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Lightning requires an optimizer."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Fit on three ranks, again from the second epoch, and with another seed and large batches.

    Then fit on three nodes of one rank, where every local rank is 0, with torchrun's variables. The
    second fit leaves the seed at its default, the one on nodes the size of the batches.
    """
    cls = student["ShardedDataModule"]
    size, (seed, more) = shown["batch"], shown["seeds"]
    large = {"batch_size": shown["large"], "seed": seed}

    def fit(trainer: L.Trainer, process_seed: int, val: str = "val", **arguments: Any) -> Any:
        sets = _make_set(0, shown["train"]), _make_set(VAL_FROM, shown[val])
        return _fit(lambda: cls(*sets, **arguments), trainer, process_seed)

    def one_node(rank: int) -> dict[str, Any]:
        return {
            "first": fit(ddp_trainer(WORLD, max_epochs=EPOCHS), rank, batch_size=size, seed=0),
            "again": fit(_make_resumed(), 100 + rank, batch_size=size),
            "other": fit(ddp_trainer(WORLD, max_epochs=1), rank, "val_more", **large),
        }

    def on_nodes(rank: int) -> dict[str, Any]:
        os.environ.update(RANK=str(rank), WORLD_SIZE=str(WORLD))
        return {"nodes": fit(ddp_trainer(WORLD, nodes=WORLD, max_epochs=1), rank, seed=more)}

    first, nodes = run_on_both(one_node, on_nodes, WORLD, RUNS)
    return {"bases": bases(cls), "one_node": first, "nodes": nodes}


def _make_resumed() -> L.Trainer:
    """A Trainer with one finished epoch, as if resumed; Lightning reads it from `processed`."""
    trainer = ddp_trainer(WORLD, max_epochs=EPOCHS)
    progress = trainer.fit_loop.epoch_progress.current
    for stage in ("ready", "started", "processed", "completed"):
        setattr(progress, stage, 1)
    return trainer


def _fit(make: Callable[[], Any], trainer: L.Trainer, process_seed: int) -> dict[str, Any]:
    """Run a fit; `process_seed` sets the process's random state, which must not affect shards."""
    torch.manual_seed(process_seed)
    data = make()
    notes = Notes(drawn=process_seed)
    # This is a collective before each batch, in which a rank with one batch more would hang.
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]  # noqa: SLF001 (no public switch)
    trainer.fit(notes, datamodule=data)
    seeded = torch.initial_seed() != process_seed
    return {"train": notes.train_batches, "val": notes.val_batches, "seeded": seeded}


def _make_set(first: int, count: int) -> TensorDataset:
    return TensorDataset(torch.arange(first, first + count), torch.ones(count))


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the class, the epochs on one node, the seed, and then the epoch on three nodes.

    What is wrong on one node already is not named once more.
    """
    if not derives_from(evidence["bases"], "LightningDataModule"):
        got = f"a subclass of {first_base(evidence['bases'])}"
        expected = "a subclass of lightning.LightningDataModule"
        return [Finding("LIT3400", ALL, "class ShardedDataModule", expected, got)]
    failed = run_findings(evidence["one_node"], ALL, WORLD, _KNOWN)
    if failed:
        return [*failed]
    one = merge(
        judge_samples(inputs.shown, evidence["one_node"], run, epochs)
        for run, epochs in (("first", EPOCHS), ("other", 1))
    )
    failed = run_findings(evidence["nodes"], OF_NODES, WORLD, _KNOWN)
    order = judge_order(evidence["one_node"], None if failed else evidence["nodes"])
    if failed:  # what one node shows stands
        return [*one, order, *failed]
    named = {name for finding in find_findings(one) for name in finding.criteria}
    nodes = judge_nodes(inputs.shown, evidence["nodes"])
    return [*merge([one, [mark for mark in nodes if not named & set(mark.criteria)]]), order]


def picture(_: Inputs, evidence: Evidence) -> str:
    """Where each rank waits, if they wait for each other."""
    return draw_lanes(evidence["one_node"])


QUESTION = Question(
    title="Deal out the samples",
    defines=("ShardedDataModule",),
    criteria=(
        Criterion("once", "training: every sample once per epoch, padded by few", 0.3),
        Criterion("batches", "equally many batches, of the asked size", 0.2),
        Criterion("order", "a new order each epoch, decided by the seed", 0.25),
        Criterion("val", "validation: every sample once, in order", 0.25),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    picture=picture,
)
