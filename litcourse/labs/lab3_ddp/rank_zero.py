"""rank_zero: `SaveReport` writes one report per job, with the totals of all ranks.

Each rank's callback gets its own path, so the files show which ranks wrote. Two fits with the
same callback run on two ranks of one node, the first from epoch 2 on, as if resumed, the second
with the path of the first's report. A third fit runs on two nodes of one rank each, where both
ranks have local rank 0, and is stopped in the middle of an epoch; a fourth, of many batches, in
one process without a process group, from epoch 1 on. The evidence holds the texts of the files.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import lightning as L
import torch
from torch import Tensor

from litcourse.core.evidence import Evidence
from litcourse.core.marks import find_findings, first_of_each, merge
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Finding, Inputs, Mark, Question
from litcourse.feedback.lanes import draw_lanes
from litcourse.labs.lab3_ddp._ranks import ddp_trainer, run_findings, run_on_both
from litcourse.labs.lab3_ddp._report import ALL, judge_numbers, judge_writer
from litcourse.labs.lab3_ddp._report_file import Watcher, record_opened_files
from litcourse.probing.class_bases import bases, derives_from, first_base
from litcourse.probing.trainers import make_loader, quiet_trainer
from litcourse.ranks import all_done, read_rank_values, run_ranks

WORLD = 2
FITS = ("first", "second")
SMALL, LARGE = (6, 10), (66, 80)
"""Ranges of the sizes of batches."""
FEW, MANY = (2, 4), (101, 105)
"""Ranges of their numbers."""
_NO_GROUP = r"[Dd]efault process group has not been initialized"
_KNOWN = (
    ("LIT3510", r"Object of type Tensor is not JSON serializable"),
    ("LIT3521", r"^(?!.* @ .*(mkdir|makedirs)\().*(FileExistsError|File exists)"),
    ("LIT3526", rf"{_NO_GROUP}.* @ .*get_(rank|world_size)\("),
    ("LIT3527", rf"{_NO_GROUP}.* @ .*barrier\("),
    ("LIT3522", _NO_GROUP),
)
"""Messages of Python 3 and torch 2.15."""


def draw(rng: Random) -> Inputs:
    """For each fit its epochs, the sizes of its batches, and each rank's val_acc.

    `before` counts epochs that a resumed fit finds finished, `cut` the batches of its last epoch.
    """
    return Inputs(
        {
            "first": {**_draw_plan(rng, epochs=3, max_epochs=rng.choice([7, 8])), "before": 2},
            "second": _draw_plan(rng, epochs=1, max_epochs=1),
            "nodes": {**_draw_plan(rng, epochs=2, max_epochs=7), "cut": 1},
            "single": {**_draw_plan(rng, epochs=1, max_epochs=4, world=1, long=True), "before": 1},
        }
    )


def _draw_plan(
    rng: Random, *, epochs: int, max_epochs: int, world: int = WORLD, long: bool = False
) -> dict[str, Any]:
    # So large, and the ranks' counts so different, that each wrong count gives another number.
    full = rng.randrange(*(LARGE if long else SMALL))
    few = rng.randrange(1, full - 3)
    lasts = rng.sample([few, few + rng.choice([2, 3])], world)
    batches = rng.randrange(*(MANY if long else FEW))
    return {
        "epochs": epochs,
        "before": 0,
        "cut": batches + 1,
        "max_epochs": max_epochs,
        "train": [[full] * batches + [last] for last in lasts],
        "val": rng.randrange(2, 5),
        "accuracy": [_draw_accuracies(rng, epochs) for _ in range(world)],
    }


def _draw_accuracies(rng: Random, epochs: int) -> list[float]:
    """One value per epoch; the last is the worst, so that it is neither the best nor the mean."""
    return [round(rng.uniform(0.5, 0.9), 3) for _ in range(epochs - 1)] + [
        round(rng.uniform(0.1, 0.4), 3)
    ]


# --- probe ------------------------------------------------------------------------------


class Scripted(L.LightningModule):
    """Logs a given val_acc with `sync_dist`, trains one weight, and stops after a given batch."""

    def __init__(self, accuracy: list[float], before: int, last: tuple[int, int]) -> None:
        super().__init__()
        self.accuracy, self.before = accuracy, before
        self.last_epoch, self.last_batch = last
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """A loss with a gradient, which the ranks average."""
        return (self.weight * batch[0]).mean()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Stop as EarlyStopping does, on every rank; Lightning validates and ends the epoch."""
        if (self.current_epoch, batch_idx) == (self.last_epoch, self.last_batch):
            self.trainer.should_stop = True

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Log this rank's value, which Lightning averages over the ranks."""
        value = self.accuracy[min(self.current_epoch - self.before, len(self.accuracy) - 1)]
        self.log("val_acc", value, sync_dist=True, batch_size=len(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Gradient descent."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Run two fits on one node, one fit on two nodes, and one in a single process."""
    cls = student["SaveReport"]

    def one_node(rank: int) -> dict[str, Any]:
        path = _make_path("one", rank)
        opened, callback = record_opened_files(path.parent), cls(path)
        return {
            fit: _fit(callback, path, shown[fit], rank, opened, partial(ddp_trainer, WORLD))
            for fit in FITS
        }

    def two_nodes(rank: int) -> dict[str, Any]:
        path = _make_path("two", rank)
        opened, trainer = record_opened_files(path.parent), partial(ddp_trainer, WORLD, nodes=WORLD)
        return {"nodes": _fit(cls(path), path, shown["nodes"], rank, opened, trainer)}

    def single(rank: int) -> dict[str, Any]:
        path = _make_path("single", rank)
        opened = record_opened_files(path.parent)
        callback = cls(str(path))  # as from a configuration file
        return {"single": _fit(callback, path, shown["single"], rank, opened, quiet_trainer)}

    first, second = run_on_both(one_node, two_nodes, WORLD, FITS, _remove_folders)
    single_run = run_ranks(single, 1) if all_done(first) else None
    return {"bases": bases(cls), "one_node": first, "two_nodes": second, "single": single_run}


def _remove_folders() -> None:
    for folder in Path().glob("*-rank-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _make_path(run: str, rank: int) -> Path:
    folder = Path(f"{run}-rank-{rank}").absolute()
    folder.mkdir()
    return folder / "report.json"


def _fit(
    callback: Any,
    path: Path,
    plan: dict[str, Any],
    rank: int,
    opened: list[str],
    make: Callable[..., L.Trainer],
) -> dict[str, Any]:
    watcher = Watcher(path)
    opened.clear()
    trainer = make(max_epochs=plan["max_epochs"], callbacks=[callback, watcher])
    train = [[torch.ones(size, 3), torch.zeros(size)] for size in plan["train"][rank]]
    val = [[torch.ones(plan["val"], 3), torch.zeros(plan["val"])]]
    progress = trainer.fit_loop.epoch_progress.current
    for state in ("ready", "started", "processed", "completed"):
        setattr(progress, state, plan["before"])
    last = plan["before"] + plan["epochs"] - 1, plan["cut"] - 1
    module = Scripted(plan["accuracy"][rank], plan["before"], last)
    numbers = _record_numbers(trainer.strategy)
    trainer.fit(module, make_loader(train), make_loader(val))
    return {**watcher.written(), "opened": sorted(set(opened))[:3], "numbers": numbers}


def _record_numbers(strategy: Any) -> list[str]:
    """The types of what is handed to `strategy.reduce` from now on and is no tensor.

    Lightning returns such a value as it is.
    """
    original, found = strategy.reduce, []

    def reduce(tensor: Any, *arguments: Any, **keywords: Any) -> Any:
        if not isinstance(tensor, Tensor):
            found.append(type(tensor).__name__)
        return original(tensor, *arguments, **keywords)

    strategy.reduce = reduce
    return found


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge which ranks wrote, how often, and which numbers.

    A fit on two nodes or in one process that fails costs its own criterion alone.
    """
    if not derives_from(evidence["bases"], "Callback"):
        got, expected = first_base(evidence["bases"]), "of lightning.Callback"
        return [Finding("LIT3500", ALL, "class SaveReport", expected, got)]
    failed = run_findings(evidence["one_node"], ALL, WORLD, _KNOWN)
    if failed:
        return [*failed]
    writer = [judge_writer(evidence["one_node"], fit) for fit in FITS]
    numbers = [judge_numbers(inputs.shown, evidence["one_node"], FITS)]
    other: list[Mark] = []
    failed = run_findings(evidence["two_nodes"], ("nodes",), WORLD, _KNOWN)
    other += failed or [judge_writer(evidence["two_nodes"], "nodes")]
    if not failed:
        numbers.append(judge_numbers(inputs.shown, evidence["two_nodes"], ("nodes",)))
    failed = run_findings(evidence["single"], ("samples_seen",), 1, _KNOWN)
    other += failed
    if not failed:
        writer.append(judge_writer(evidence["single"], "single"))
        numbers.append(judge_numbers(inputs.shown, evidence["single"], ("single",)))
    numbers[1:] = [_left_to_tell(marks, numbers[0]) for marks in numbers[1:]]
    marks = first_of_each([*merge([mark] for mark in writer), *merge(numbers), *other])
    return _name_numbers(evidence["one_node"], marks)


def _name_numbers(seen: Evidence, marks: list[Mark]) -> list[Mark]:
    """`marks`; a count of one rank alone has its own code if a number was to be reduced."""
    kinds = [kind for rank in read_rank_values(seen) for kind in rank["first"]["numbers"].texts()]
    if not kinds:
        return marks
    own = "LIT3508"
    return [
        replace(mark, code="LIT3525", where=f"reduce was given a number, {kinds[0]}")
        if isinstance(mark, Finding) and mark.code == own
        else mark
        for mark in marks
    ]


def _left_to_tell(marks: list[Mark], told: list[Mark]) -> list[Mark]:
    """`marks` without findings on entries that were wrong in the plain fits: `told` names those."""
    known = {criterion for found in find_findings(told) for criterion in found.criteria}
    return [m for m in marks if not (isinstance(m, Finding) and known.issuperset(m.criteria))]


def picture(_: Inputs, evidence: Evidence) -> str:
    """Where each rank waits, if they wait for each other."""
    return draw_lanes(evidence["one_node"])


QUESTION = Question(
    title="One report per job",
    defines=("SaveReport",),
    criteria=(
        Criterion("writer", "one rank writes, once per fit", 0.3),
        Criterion("nodes", "one rank in the whole job, not one per node", 0.2),
        Criterion("epoch", "the epochs that this fit has ended", 0.1),
        Criterion("val_acc", "val_acc as the module logged it", 0.15),
        Criterion("samples_seen", "the samples of all ranks, of this fit", 0.25),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    picture=picture,
)
