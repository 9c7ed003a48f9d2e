"""rank_zero: `SaveReport` writes one report per job, with the totals of all ranks.

Each rank's callback is given a path of its own, so the files that are there tell which ranks
wrote. Two fits with the same callback run on two ranks of one node, a third on two nodes of one
rank each, where both ranks have local rank 0. Texts of the files come back as they are.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import lightning as L
import torch
from torch import Tensor

from litcourse.evidence import Evidence
from litcourse.labs.lab3_ddp._ranks import ddp_trainer, run_findings
from litcourse.labs.lab3_ddp._report import ALL, judge_numbers, judge_writers
from litcourse.lightning_tools import bases, loader
from litcourse.question import Criterion, Draw, Finding, Question
from litcourse.ranks import run_ranks
from litcourse.student import Student

WORLD = 2
FITS = ("first", "second")
_KNOWN = (("LIT3510", r"is not JSON serializable"),)


def draw(rng: Random) -> Draw:
    """Of each fit: when it stops, sizes of the batches, and what each rank logs as val_acc."""
    return Draw(
        {
            "first": _fit_plan(rng, epochs=3, max_epochs=rng.choice([5, 6])),
            "second": _fit_plan(rng, epochs=1, max_epochs=1),
            "nodes": _fit_plan(rng, epochs=1, max_epochs=1),
        }
    )


def _fit_plan(rng: Random, *, epochs: int, max_epochs: int) -> dict[str, Any]:
    full = rng.randrange(5, 9)
    # The ranks' counts differ by so much that no two ways to miscount give the same number.
    few = rng.randrange(1, full - 3)
    lasts = rng.sample([few, few + rng.choice([2, 3])], WORLD)
    batches = rng.randrange(2, 4)
    return {
        "epochs": epochs,
        "max_epochs": max_epochs,
        "train": [[full] * batches + [last] for last in lasts],
        "val": rng.randrange(2, 5),
        "accuracy": [[round(rng.random(), 3) for _ in range(epochs)] for _ in range(WORLD)],
    }


# --- probe ------------------------------------------------------------------------------


class Scripted(L.LightningModule):
    """Logs a given, synced val_acc, trains one weight, and ends the fit when told."""

    def __init__(self, accuracy: list[float]) -> None:
        super().__init__()
        self.accuracy = accuracy
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """A loss with a gradient, which the ranks average."""
        return (self.weight * batch[0]).mean()

    def on_train_epoch_end(self) -> None:
        """Stop as early stopping would, on every rank."""
        if self.current_epoch + 1 >= len(self.accuracy):
            self.trainer.should_stop = True

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """This rank's value; Lightning averages over the ranks."""
        value = self.accuracy[min(self.current_epoch, len(self.accuracy) - 1)]
        self.log("val_acc", value, sync_dist=True, batch_size=len(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Gradient descent."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Watcher(L.Callback):
    """Looks at the file now and then; two different times of change are two writings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.changes: list[int] = []

    def look(self) -> None:
        """Note the time of change, if it is another than the last one."""
        try:
            change = self.path.stat().st_mtime_ns
        except OSError:
            return
        if change not in self.changes:
            self.changes.append(change)

    def on_train_batch_end(self, *_: Any) -> None:
        """Look."""
        self.look()

    def on_validation_end(self, *_: Any) -> None:
        """Look."""
        self.look()

    def on_train_epoch_end(self, *_: Any) -> None:
        """Look."""
        self.look()

    def on_train_end(self, *_: Any) -> None:
        """Look."""
        self.look()


def probe(given: dict[str, Any], student: Student) -> dict[str, Any]:
    """Two fits on one node, one fit on two nodes."""
    cls = student["SaveReport"]

    def one_node(rank: int) -> dict[str, Any]:
        path = _own_path("one", rank)
        callback = cls(path)
        return {fit: _fit(callback, path, given[fit], rank, nodes=1) for fit in FITS}

    def two_nodes(rank: int) -> dict[str, Any]:
        path = _own_path("two", rank)
        return {"nodes": _fit(cls(path), path, given["nodes"], rank, nodes=WORLD)}

    first = run_ranks(one_node, WORLD)
    failed = any("value" not in entry for entry in first["ranks"])
    second = None if failed else run_ranks(two_nodes, WORLD, nodes=WORLD)
    return {"bases": bases(cls), "one_node": first, "two_nodes": second}


def _own_path(run: str, rank: int) -> Path:
    folder = Path(f"{run}-rank-{rank}").absolute()
    folder.mkdir()
    return folder / "report.json"


def _fit(
    callback: Any, path: Path, plan: dict[str, Any], rank: int, *, nodes: int
) -> dict[str, Any]:
    watcher = Watcher(path)
    trainer = ddp_trainer(
        WORLD, nodes=nodes, max_epochs=plan["max_epochs"], callbacks=[callback, watcher]
    )
    train = [[torch.ones(size, 3), torch.zeros(size)] for size in plan["train"][rank]]
    val = [[torch.ones(plan["val"], 3), torch.zeros(plan["val"])]]
    trainer.fit(Scripted(plan["accuracy"][rank]), loader(train), loader(val))
    watcher.look()
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
    path.unlink(missing_ok=True)
    return {"changes": len(watcher.changes), "text": text}


# --- judge ------------------------------------------------------------------------------


def judge(draw: Draw, evidence: Evidence) -> list[Finding]:
    """Who wrote, how often, and what."""
    names = evidence["bases"].texts()
    if not any(name.startswith("lightning.") and name.endswith(".Callback") for name in names):
        got, expected = (names or ["no class"])[0], "of lightning.Callback"
        return [Finding("LIT3500", ALL, "class SaveReport", expected, got)]
    failed = run_findings(evidence["one_node"], ALL, WORLD, _KNOWN)
    if failed:
        return failed
    found = [f for fit in FITS for f in judge_writers(evidence["one_node"], fit)]
    found += judge_numbers(draw.given, evidence["one_node"], FITS)
    failed = run_findings(evidence["two_nodes"], ("nodes",), WORLD, _KNOWN)
    found += failed or judge_writers(evidence["two_nodes"], "nodes")
    return list({(f.code, f.criteria): f for f in reversed(found)}.values())[::-1]


QUESTION = Question(
    title="One report per job",
    defines=("SaveReport",),
    criteria=(
        Criterion("writer", "one rank writes, once per fit", 0.3),
        Criterion("nodes", "one rank in the whole job, not one per node", 0.2),
        Criterion("epoch", "the finished epochs", 0.1),
        Criterion("val_acc", "val_acc as the module logged it", 0.15),
        Criterion("samples_seen", "the samples of all ranks, of this fit", 0.25),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
