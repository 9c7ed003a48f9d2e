"""What lab 2 and its findings say of torch and Lightning, shown on the installed versions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, StepLR
from torch.utils.data import DataLoader, Dataset

from litcourse.probing.trainers import quiet_trainer
from tests.claims.lessons import Batch, Weight, numbers

pytestmark = pytest.mark.filterwarnings("ignore")


class Scheduled(Weight):
    """Trains with a schedule that halves the rate each time that it is stepped."""

    def __init__(self, *, returned: bool = True, **how: Any) -> None:
        super().__init__()
        self.returned, self.how = returned, how
        self.rates: list[float] = []
        self.asked = 0.0

    def training_step(self, batch: Batch, index: int) -> Any:
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        return super().training_step(batch, index)

    def configure_optimizers(self) -> Any:
        self.asked = self.trainer.estimated_stepping_batches
        optimizer = torch.optim.SGD(self.parameters(), lr=8.0)
        schedule = StepLR(optimizer, 1, gamma=0.5)
        return {
            "optimizer": optimizer,
            **({"lr_scheduler": {"scheduler": schedule, **self.how}} if self.returned else {}),
        }


def trained(module: Any, batches: int = 4, **arguments: Any) -> L.Trainer:
    trainer = quiet_trainer(**({"max_epochs": 2} | arguments))
    trainer.fit(module, numbers(batches))
    return trainer


def test_the_length_of_a_run() -> None:
    """That number is *not* epochs times batches: accumulation divides it, several ranks divide
    it, `max_steps` cuts it. The Trainer knows.
    """
    for arguments, steps in (({}, 8), ({"accumulate_grad_batches": 3}, 4), ({"max_steps": 5}, 5)):
        module = Scheduled()
        assert trained(module, **arguments).global_step == steps
        assert module.asked == steps


def test_a_schedule_that_is_not_returned() -> None:
    """One that is made and not returned under `"lr_scheduler"` is never stepped."""
    module = Scheduled(returned=False)
    trained(module)
    assert set(module.rates) == {8.0}


def test_how_often_a_schedule_is_stepped() -> None:
    """Without `"interval": "step"` Lightning steps it once per *epoch*."""
    by_epoch, by_step = Scheduled(), Scheduled(interval="step")
    trained(by_epoch, batches=2)
    trained(by_step, batches=2)
    assert (by_epoch.rates, by_step.rates) == ([8, 8, 4, 4], [8, 4, 2, 1])


def test_a_schedule_follows_optimizer_steps() -> None:
    """With `accumulate_grad_batches=2` two batches share a rate: the schedule moves when the
    optimizer does.
    """
    module = Scheduled(interval="step")
    trained(module, batches=4, max_epochs=1, accumulate_grad_batches=2)
    assert module.rates == [8, 8, 4, 4]


def test_one_cycle_overwrites_the_optimizer() -> None:
    """The optimizer's own `lr` and `momentum` are overwritten by `OneCycleLR`, from its first
    step on.
    """
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=7.0, momentum=0.5)
    OneCycleLR(optimizer, max_lr=0.1, total_steps=100)
    group = optimizer.param_groups[0]
    assert (group["lr"], group["momentum"]) == (pytest.approx(0.004), pytest.approx(0.95))


@pytest.mark.parametrize("given", [0.0, 0.5, 0.9])
def test_the_momentum_that_sgd_is_given(given: float) -> None:
    """Which momentum you give to SGD does not matter, be it none: the cycle sets it at every step …
    torch wants a momentum above 0 beside it.
    """
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=given)
    schedule = OneCycleLR(optimizer, max_lr=0.1, total_steps=10)
    for _ in range(9):
        weight.grad = 2 * weight.detach()
        optimizer.step()
        schedule.step()
    assert weight.item() == pytest.approx(-0.6320, abs=2e-4)
    with pytest.raises(ValueError, match="Nesterov momentum requires a momentum"):
        torch.optim.SGD([weight], lr=0.1, nesterov=True)


def test_the_figure_of_the_cycle() -> None:
    """Rises along half a cosine from 0.004 to 0.1 within the first 30 steps … The momentum does
    the opposite: from 0.95 down to 0.85 at step 29.
    """
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    schedule = OneCycleLR(optimizer, max_lr=0.1, total_steps=100)
    values = []
    for _ in range(100):
        values.append([optimizer.param_groups[0][key] for key in ("lr", "momentum")])
        optimizer.step()
        if len(values) < 100:
            schedule.step()
    rates, momenta = zip(*values, strict=True)
    assert (rates.index(max(rates)), momenta.index(min(momenta))) == (29, 29)
    assert (rates[0], max(rates)) == (pytest.approx(0.004), pytest.approx(0.1))


def test_half_precision_on_a_cpu() -> None:
    """(`"16-mixed"` on a CPU becomes `"bf16-mixed"`.)"""
    assert quiet_trainer(precision="16-mixed").precision == "bf16-mixed"


class Gradients(L.Callback):
    """Notes gradients before clipping, and those that a step is made with."""

    def __init__(self) -> None:
        self.before: list[float] = []
        self.kept: list[float | None] = []

    def on_before_optimizer_step(self, _: Any, module: Any, __: Any) -> None:
        self.before.append(module.weight.grad.item())

    def on_train_batch_start(self, _: Any, module: Any, *__: Any) -> None:
        self.kept.append(None if module.weight.grad is None else module.weight.grad.item())


def test_the_last_window_of_an_epoch() -> None:
    """The last window of an epoch may be shorter; it steps, too, and as its sum is still
    divided by 4, that step is a smaller one.
    """
    notes = Gradients()
    trained(Weight(), 6, max_epochs=1, accumulate_grad_batches=4, callbacks=[notes])
    assert notes.before == [(0 + 1 + 2 + 3) / 4, (4 + 5) / 4]


def test_the_number_of_accumulated_steps() -> None:
    """Next to batches of 128 that each make a step, the steps are a quarter as many."""
    runs = {(512, 1): 4, (128, 4): 4, (128, 1): 16}
    for (size, window), steps in runs.items():
        trainer = quiet_trainer(max_epochs=1, accumulate_grad_batches=window)
        trainer.fit(Weight(), numbers(2048, size))
        assert trainer.global_step == steps


def test_gradients_stay_until_the_next_backward() -> None:
    """Lightning sets gradients back before the first backward of each optimizer step; until
    then those of the last step can be read.
    """
    notes = Gradients()
    trained(Weight(), 3, max_epochs=1, callbacks=[notes])
    assert notes.kept == [None, 0, 1]


def test_two_ways_to_clip() -> None:
    """Clipping *by norm* shortens the gradient of all weights together if it is longer than a
    limit; its direction stays. Clipping *by value* cuts each number by itself, which turns
    it.
    """
    found = {}
    for how in ("norm", "value"):
        layer = nn.Linear(2, 1, bias=False)
        layer.weight.grad = torch.tensor([[3.0, 0.4]])
        trainer = quiet_trainer(gradient_clip_val=1.0, gradient_clip_algorithm=how)
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        algorithm = trainer.gradient_clip_algorithm
        assert algorithm is not None
        trainer.precision_plugin.clip_gradients(optimizer, 1.0, algorithm)
        found[how] = (layer.weight.grad[0, 1] / layer.weight.grad[0, 0]).item()
    assert found == {"norm": pytest.approx(0.4 / 3), "value": pytest.approx(0.4)}


class Validated(Weight):
    """Logs the numbers of a curve as `val_acc`, one in each epoch."""

    curve = (0.5, 0.9, 0.1, 0.6)

    def validation_step(self, _: Batch, __: int) -> None:
        self.log("val_acc", self.curve[self.current_epoch])


def test_the_best_and_the_newest(tmp_path: Path) -> None:
    """And a second `ModelCheckpoint()` without a monitor, which keeps the epoch that ended
    last. `save_last=True` beside a monitor is not the same: `last.ckpt` is a copy of the
    newest *best* one, and after an epoch that was no better it is old.
    """
    best = ModelCheckpoint(tmp_path / "best", monitor="val_acc", mode="max", save_last=True)
    newest = ModelCheckpoint(tmp_path / "newest")
    trainer = quiet_trainer(max_epochs=4, callbacks=[best, newest], enable_checkpointing=True)
    trainer.fit(Validated(), numbers(2), numbers(1))
    epochs = {
        name: torch.load(path, weights_only=True)["epoch"]
        for name, path in (
            ("best", best.best_model_path),
            ("last", best.last_model_path),
            ("newest", newest.best_model_path),
        )
    }
    assert epochs == {"best": 1, "last": 1, "newest": 3}


def test_rates_in_the_log(tmp_path: Path) -> None:
    """Like all values of steps, it reaches the log every 50 steps, unless `log_every_n_steps`
    says otherwise.
    """
    monitor = LearningRateMonitor(logging_interval="step")
    trained(Scheduled(), 120, max_epochs=1, callbacks=[monitor], logger=CSVLogger(tmp_path))
    rows = next(tmp_path.rglob("metrics.csv")).read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 2


def test_where_a_run_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not told where to write, writes into the folder where the program was started."""
    monkeypatch.chdir(tmp_path)
    trained(Weight(), 1, max_epochs=1, enable_checkpointing=True)
    assert [file.relative_to(tmp_path).parts[0] for file in tmp_path.rglob("*.ckpt")] == [
        "checkpoints"
    ]


class Noisy(Dataset[tuple[int, float]]):
    """Draws a number for each sample."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> tuple[int, float]:
        if index >= len(self):
            raise IndexError
        return index, torch.randn(1).item()


def drawn(workers: int) -> list[float]:
    L.seed_everything(1, workers=True, verbose=False)
    return [value.item() for _, value in DataLoader(Noisy(), num_workers=workers)]


def test_workers_are_part_of_a_run() -> None:
    """With another number of loader *workers* the augmentations are, since each worker draws
    from a random state of its own.
    """
    assert drawn(0) == drawn(0)
    assert drawn(1) == drawn(1)
    assert len({tuple(drawn(workers)) for workers in (0, 1, 2)}) == 3


def test_the_flag_for_deterministic_kernels() -> None:
    """`Trainer(deterministic=True)` makes torch take kernels that give the same result each
    time, or raise an error where there is none.
    """
    assert not torch.are_deterministic_algorithms_enabled()
    try:
        quiet_trainer(deterministic=True)
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert not torch.backends.cudnn.benchmark
    finally:
        torch.use_deterministic_algorithms(mode=False)


class Cycle(Weight):
    """A one-cycle schedule over the whole run."""

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        total = self.trainer.estimated_stepping_batches
        schedule = OneCycleLR(optimizer, 0.1, total_steps=int(total))
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def test_a_cycle_keeps_its_length(tmp_path: Path) -> None:
    """With the same `max_epochs`, for a one-cycle schedule keeps the length that it was planned
    for.
    """
    trained(Cycle(), 3).save_checkpoint(tmp_path / "a.ckpt")
    longer = quiet_trainer(max_epochs=3)
    with pytest.raises(ValueError, match=re.escape("The specified number of total steps is 6")):
        longer.fit(Cycle(), numbers(3), ckpt_path=tmp_path / "a.ckpt")
