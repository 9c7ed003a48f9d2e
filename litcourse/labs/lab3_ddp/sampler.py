"""sampler: `ShardedDataModule` deals out the samples to the ranks, each once per epoch.

Real ranks fit with the student's loaders. Each sample is its own number, and the probe's module
records the numbers of each batch on each rank. The judge combines the epochs of all ranks.
"""

from __future__ import annotations

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
from litcourse.labs.lab3_ddp._ranks import ddp_trainer, run_findings
from litcourse.labs.lab3_ddp._shards import (
    ALL,
    EPOCHS,
    VAL_FROM,
    judge_more_ranks,
    judge_order,
    judge_samples,
)
from litcourse.probing.class_bases import bases, derives_from, first_base
from litcourse.ranks import all_done, run_ranks

WORLD, MORE = 2, 3
OF_MORE = ("once", "val")
"""Criteria that a failure on three ranks costs."""
_KNOWN = (
    ("LIT3404", r"[Dd]efault process group has not been initialized"),
    ("LIT3404", r"'NoneType' object has no attribute '\w*(world|rank|num_|strategy)"),
    ("LIT3417", r"Invalid rank \d+, rank should be in the interval"),
    ("LIT3405", r"sampler option is mutually exclusive with shuffle"),
)
"""Messages of torch 2.15, and of a data module that has no Trainer yet."""


def draw(rng: Random) -> Inputs:
    """Set sizes that neither two nor three divides, and two seeds.

    The training set has one sample more than full batches for all ranks, so that without padding
    one rank has one batch more.
    """
    batch = rng.choice([4, 5, 6])
    full_batches = WORLD * MORE * batch
    train = full_batches * rng.choice([1, 2]) + 1
    val = WORLD * MORE * rng.randrange(2, 5) + rng.choice([1, 5])
    seeds = rng.sample(range(1000), 2)
    return Inputs({"batch": batch, "train": train, "val": val, "seeds": seeds})


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
    """Fit on two ranks, again from the second epoch, and with another seed.

    Then fit on three ranks, each on its own node, where every local rank is 0.
    """
    cls = student["ShardedDataModule"]
    seed, other = shown["seeds"]

    def two(rank: int) -> dict[str, Any]:
        return {
            "first": _fit(cls, shown, seed, ddp_trainer(WORLD, max_epochs=EPOCHS), rank),
            "again": _fit(cls, shown, seed, _make_resumed(), 100 + rank),
            "other": _fit(cls, shown, other, ddp_trainer(WORLD, max_epochs=1), rank),
        }

    def three(rank: int) -> dict[str, Any]:
        return {"first": _fit(cls, shown, seed, ddp_trainer(MORE, nodes=MORE, max_epochs=1), rank)}

    two_ranks = run_ranks(two, WORLD)
    return {
        "bases": bases(cls),
        "two": two_ranks,
        "three": run_ranks(three, MORE, nodes=MORE) if all_done(two_ranks) else None,
    }


def _make_resumed() -> L.Trainer:
    """A Trainer with one finished epoch, as if resumed; Lightning reads it from `processed`."""
    trainer = ddp_trainer(WORLD, max_epochs=EPOCHS)
    progress = trainer.fit_loop.epoch_progress.current
    for stage in ("ready", "started", "processed", "completed"):
        setattr(progress, stage, 1)
    return trainer


def _fit(
    cls: Any, shown: dict[str, Any], seed: int, trainer: L.Trainer, process_seed: int
) -> dict[str, Any]:
    """Run a fit; `process_seed` sets the process's random state, which must not affect shards."""
    torch.manual_seed(process_seed)
    sets = (_make_set(0, shown["train"]), _make_set(VAL_FROM, shown["val"]))
    data = cls(*sets, batch_size=shown["batch"], seed=seed)
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
    """Judge the class, the epochs of two ranks, the seed, and then three ranks.

    What is wrong on two ranks already is not named once more on three.
    """
    if not derives_from(evidence["bases"], "LightningDataModule"):
        got = f"a subclass of {first_base(evidence['bases'])}"
        expected = "a subclass of lightning.LightningDataModule"
        return [Finding("LIT3400", ALL, "class ShardedDataModule", expected, got)]
    failed = run_findings(evidence["two"], ALL, WORLD, _KNOWN)
    if failed:
        return [*failed]
    two = judge_samples(inputs.shown, evidence["two"], EPOCHS)
    order = judge_order(evidence["two"])
    failed = run_findings(evidence["three"], OF_MORE, MORE, _KNOWN)
    if failed:  # what two ranks show stands
        return [*two, order, *failed]
    named = {name for finding in find_findings(two) for name in finding.criteria}
    three = judge_more_ranks(inputs.shown, evidence["three"])
    return [*merge([two, [mark for mark in three if not named & set(mark.criteria)]]), order]


def picture(_: Inputs, evidence: Evidence) -> str:
    """Where each rank waits, if they wait for each other."""
    return draw_lanes(evidence["two"])


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
