"""What the tests of claims share: the lessons' texts and cells, small modules, two ranks."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from litcourse.probing.trainers import quiet_trainer
from litcourse.ranks import run_ranks
from litcourse.sharding import fake_group
from tests.course import LABS, ROOT

Batch = list[Tensor]
DEFINES = (ast.FunctionDef, ast.ClassDef, ast.Assign)


def plain(text: str) -> str:
    """A text without marks of Markdown and capitals, in lines of any length."""
    return " ".join(re.sub(r"[*`>\\]", "", text).lower().split())


@cache
def said() -> str:
    """All that the lessons, the findings and the page on jobs say."""
    cells = [cell.source for lab in LABS.values() for cell in lab.notebook.cells]
    pages = [
        *sorted((ROOT / "litcourse/feedback/findings").glob("*.toml")),
        ROOT / "slurm/README.md",
    ]
    return plain("\n".join([*cells, *(page.read_text(encoding="utf-8") for page in pages)]))


def run_cells(lab: str, *ids: str) -> str:
    """Run a code cell of a lesson, the last of `ids`, and return what it printed.

    Those before it, and the notebook's first cell, give their names alone: nothing of them runs.
    """
    sources = {cell.id: cell.source for cell in LABS[lab].notebook.cells}
    names: dict[str, Any] = {"__name__": "lesson"}
    for cell in ("setup", *ids[:-1]):
        tree = ast.parse(sources[cell])
        if cell != "setup":
            tree.body = [node for node in tree.body if isinstance(node, DEFINES)]
        exec(compile(tree, cell, "exec"), names)  # noqa: S102 (the course's own)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(sources[ids[-1]], ids[-1], "exec"), names)  # noqa: S102 (as above)
    return printed.getvalue()


class Weight(L.LightningModule):
    """One weight, whose gradient is the mean of the batch; `seen` has epoch and samples."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))
        self.seen: list[tuple[int, list[int]]] = []

    def training_step(self, batch: Batch, _: int) -> Any:
        self.seen.append((self.current_epoch, [int(value) for value in batch[0]]))
        return (self.weight * batch[0]).mean()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)

    def order(self) -> dict[int, list[int]]:
        """The samples of each epoch, in their order."""
        found: dict[int, list[int]] = {}
        for epoch, samples in self.seen:
            found.setdefault(epoch, []).extend(samples)
        return found


def numbers(samples: int, batch_size: int = 1, **loading: Any) -> DataLoader[Any]:
    """A loader of the numbers 0, 1, …, as floats."""
    data = TensorDataset(torch.arange(samples, dtype=torch.float32))
    return DataLoader(data, batch_size=batch_size, **loading)


def two_ranks_trainer(**arguments: Any) -> L.Trainer:
    """A Trainer of two CPU ranks that leaves nothing."""
    quiet: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 2,
        "strategy": "ddp",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return L.Trainer(**(quiet | arguments))


def on_two_ranks(work: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
    """What `work(rank)` gives on each of two real ranks.

    Raises:
        AssertionError: a rank did not come to its end.
    """
    ranks = run_ranks(work, 2)["ranks"]
    assert all("value" in rank for rank in ranks), ranks
    return [rank["value"] for rank in ranks]


class Validated(Weight):
    """Logs the numbers of a curve as `val_acc`, one in each epoch."""

    def __init__(self, *curve: float) -> None:
        super().__init__()
        self.curve = curve

    def validation_step(self, _: Batch, __: int) -> None:
        self.log("val_acc", self.curve[self.current_epoch])


def fit(module: L.LightningModule, folder: Path, *callbacks: Any, **arguments: Any) -> L.Trainer:
    """A fit with validation that may write to a folder."""
    trainer = quiet_trainer(
        callbacks=list(callbacks),
        default_root_dir=folder,
        enable_checkpointing=True,
        **({"max_epochs": 4} | arguments),
    )
    trainer.fit(module, numbers(2), numbers(1))
    return trainer


class Modes(Weight):
    """Notes modes and gradients in training and in validation; a part of it is in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Dropout().eval()
        self.noted: list[tuple[str, bool, bool, bool]] = []

    def note(self, where: str) -> None:
        self.noted.append((where, self.training, self.part.training, torch.is_grad_enabled()))

    def training_step(self, batch: Batch, index: int) -> Any:
        self.note("train")
        return super().training_step(batch, index)

    def validation_step(self, _: Batch, __: int) -> None:
        self.note("val")


class Trained(Weight):
    """Logs the mean of each training batch."""

    def __init__(self, **how: Any) -> None:
        super().__init__()
        self.how = how

    def training_step(self, batch: Batch, index: int) -> Any:
        self.log("train_mae", batch[0].mean(), **self.how)
        return super().training_step(batch, index)


def as_rank_0(work: Callable[[], dict[str, str]], world_size: int = 8) -> dict[str, str]:
    """What `work` gives on rank 0 of ranks that do not exist, in a process of its own."""

    def of_many(_: int) -> dict[str, str]:
        with fake_group(world_size):
            return work()

    (rank,) = run_ranks(of_many, 1)["ranks"]
    assert "value" in rank, rank
    return dict(rank["value"])


def two_layers() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
