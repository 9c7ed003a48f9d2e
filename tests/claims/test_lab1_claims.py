"""What lab 1 and its findings say of torch and Lightning, shown on the installed versions."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.nn import functional as F

from litcourse.data import mnist
from litcourse.probing.trainers import quiet_trainer
from tests.claims.lessons import Batch, Weight, numbers

pytestmark = pytest.mark.filterwarnings("ignore")


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


def test_the_small_set_of_digits() -> None:
    """About 1,400 images to train on and 360 to test on."""
    assert round(len(mnist(train=True)), -2) == 1400
    assert round(len(mnist(train=False)), -1) == 360


def test_steps_of_a_small_epoch() -> None:
    """Which is written every 50 steps unless you say otherwise, does not get a row in every
    epoch: one of ours has 18 steps.
    """
    assert math.ceil(round(len(mnist(train=True)) * 0.8) / 64) == 18


def test_the_order_of_a_step() -> None:
    """`zero_grad`, `backward`, `step`, in this order."""
    calls: list[str] = []

    class Order(L.Callback):
        def on_before_zero_grad(self, *_: Any) -> None:
            calls.append("zero_grad")

        def on_before_backward(self, *_: Any) -> None:
            calls.append("backward")

        def on_before_optimizer_step(self, *_: Any) -> None:
            calls.append("step")

    quiet_trainer(max_epochs=1, callbacks=[Order()]).fit(Weight(), numbers(2))
    assert calls == 2 * ["zero_grad", "backward", "step"]


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


def test_modes_of_validation() -> None:
    """`eval()` and no gradients for validation and test, then the modes of before."""
    module = Modes()
    quiet_trainer(max_epochs=2).fit(module, numbers(1), numbers(1))
    assert module.noted == 2 * [("train", True, False, True), ("val", False, False, False)]


def test_modes_of_training() -> None:
    """Lightning does not call `train()` when `fit` begins: it trains a network as it finds it,
    and warns if some part is in `eval` mode.
    """
    module = Modes().eval()
    with pytest.warns(UserWarning, match=r"module\(s\) in eval mode at the start of training"):
        quiet_trainer(max_epochs=1).fit(module, numbers(1))
    assert module.noted == [("train", False, False, True)]


def test_averages_of_validation() -> None:
    """In validation and test: averages what you log over the epoch, weighted by the size of
    each batch.
    """

    class Logs(Weight):
        def validation_step(self, batch: Batch, _: int) -> None:
            self.log("mean", batch[0].mean())

        test_step = validation_step

    trainer = quiet_trainer()
    for run in (trainer.validate, trainer.test):
        found = run(Logs(), numbers(5, batch_size=4), verbose=False)[0]["mean"]
        assert found == 2, "the mean of batch means would be 2.75"


class Trained(Weight):
    """Logs the mean of each training batch."""

    def __init__(self, **how: Any) -> None:
        super().__init__()
        self.how = how

    def training_step(self, batch: Batch, index: int) -> Any:
        self.log("train_mae", batch[0].mean(), **self.how)
        return super().training_step(batch, index)


def test_values_of_training() -> None:
    """In `training_step` the defaults are `on_step=True, on_epoch=False`: the value of each
    batch.
    """
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(Trained(), numbers(5, batch_size=4))
    assert {k: v.item() for k, v in trainer.callback_metrics.items()} == {"train_mae": 4}


def test_values_of_training_and_of_its_epoch() -> None:
    """`on_epoch=True` in `training_step` adds the epoch's mean, as `train_mae_epoch` beside
    `train_mae_step`.
    """
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(Trained(on_epoch=True), numbers(5, batch_size=4))
    found = {key: value.item() for key, value in trainer.callback_metrics.items()}
    assert found == {"train_mae": 2, "train_mae_epoch": 2, "train_mae_step": 4}


def test_a_step_that_returns_nothing() -> None:
    """Training runs to its end with one warning and no error, and no weight ever moves … the
    optimizer's step has no gradients to move by, and the weights stay where they were. The
    steps are counted all the same.
    """

    class Nothing(Weight):
        def training_step(self, *_: Any) -> None:
            return None

    module, trainer = Nothing(), quiet_trainer(max_epochs=2)
    with pytest.warns(UserWarning, match="`training_step` returned `None`") as caught:
        trainer.fit(module, numbers(3))
    assert sum("returned `None`" in str(each.message) for each in caught) == 1
    assert (module.weight.item(), trainer.global_step) == (1, 6)


def test_an_optimizer_that_is_not_returned() -> None:
    """If it returns nothing, all you get is a warning and an untrained network."""

    class Nothing(Weight):
        def configure_optimizers(self) -> None:
            return None

    module = Nothing()
    with pytest.warns(UserWarning, match="will run with no optimizer"):
        quiet_trainer(max_epochs=1).fit(module, numbers(3))
    assert module.weight.item() == 1


def test_layers_in_a_list() -> None:
    """Layers in a plain Python list have no parameters as far as torch can see."""
    module = nn.Module()
    module.layers = [nn.Linear(1, 1)]  # type: ignore[assignment]
    assert not list(module.parameters())


def test_softmax_twice() -> None:
    """Ten classes can't get below a loss of about 1.46."""
    best = F.cross_entropy(F.one_hot(torch.tensor([3]), 10).float(), torch.tensor([3]))
    assert best.item() == pytest.approx(1.46, abs=0.005)


def test_a_network_among_the_hyperparameters(tmp_path: Path) -> None:
    """Otherwise the whole network would lie there as a pickle, which the loading of question 5
    refuses.
    """

    class Keeps(Weight):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.model = model

    trainer = fit(Keeps(nn.Linear(1, 1)), tmp_path, max_epochs=1)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(tmp_path / "a.ckpt", weights_only=True)


def test_shuffling() -> None:
    """With `shuffle=True` each epoch draws a new order."""
    module = Weight()
    quiet_trainer(max_epochs=2).fit(module, numbers(50, batch_size=50, shuffle=True))
    first, second = module.order().values()
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second


def kept(callback: ModelCheckpoint) -> int:
    """The epoch of a best checkpoint."""
    return int(re.findall(r"epoch=(\d+)", callback.best_model_path)[0])


def test_modes_of_callbacks(tmp_path: Path) -> None:
    """`mode` is `"min"` unless you say otherwise, for both callbacks. With an accuracy this
    keeps the *worst* epoch, without an error.
    """
    checkpoint, stop = ModelCheckpoint(monitor="val_acc"), EarlyStopping("val_acc", patience=9)
    fit(Validated(0.5, 0.9, 0.1, 0.6), tmp_path, checkpoint, stop)
    assert (kept(checkpoint), stop.mode) == (2, "min")
    assert stop.best_score.item() == pytest.approx(0.1)


def test_a_checkpoint_without_monitor(tmp_path: Path) -> None:
    """A `ModelCheckpoint` without `monitor` keeps the latest epoch, not the best."""
    checkpoint = ModelCheckpoint()
    fit(Validated(0.5, 0.9, 0.1, 0.6), tmp_path, checkpoint)
    assert kept(checkpoint) == 3


def test_patience(tmp_path: Path) -> None:
    """`patience` counts validations without improvement, one after another."""
    stop = EarlyStopping("val_acc", mode="max", patience=2)
    trainer = fit(Validated(0.5, 0.4, 0.6, 0.5, 0.5, 0.9), tmp_path, stop, max_epochs=6)
    assert trainer.current_epoch == 5


def test_rows_of_the_log(tmp_path: Path) -> None:
    """Values that are logged per step are written every 50 steps unless `log_every_n_steps`
    says otherwise.
    """
    trainer = quiet_trainer(max_epochs=1, logger=CSVLogger(tmp_path), default_root_dir=tmp_path)
    trainer.fit(Trained(), numbers(120))
    rows = next(tmp_path.rglob("metrics.csv")).read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 2


def test_the_last_path(tmp_path: Path) -> None:
    """It is empty unless the callback was made with `save_last=True`."""
    paths = {}
    for last in (None, True):
        callback = ModelCheckpoint(monitor="val_acc", save_last=last)
        fit(Validated(0.5, 0.9), tmp_path, callback, max_epochs=2)
        paths[last] = callback.last_model_path
    assert not paths[None]
    assert Path(paths[True]).name.startswith("last")


def test_the_best_path_of_a_trial_run(tmp_path: Path) -> None:
    """Best_model_path is empty where the callback has saved nothing yet, as with
    fast_dev_run=True.
    """
    checkpoint = ModelCheckpoint(monitor="val_acc")
    fit(Validated(0.5), tmp_path, checkpoint, fast_dev_run=True)
    assert not checkpoint.best_model_path


def test_what_a_checkpoint_holds(tmp_path: Path) -> None:
    """A checkpoint holds weights, the state of the training (optimizer, loops, callbacks) and
    simple arguments; the network itself you bring along.
    """

    class Wraps(Weight):
        def __init__(self, network: nn.Module, lr: float = 0.5) -> None:  # noqa: ARG002  (kept)
            super().__init__()
            self.save_hyperparameters(ignore=["network"])
            self.network = network

    file = tmp_path / "a.ckpt"
    fit(Wraps(nn.Linear(1, 1)), tmp_path, max_epochs=1).save_checkpoint(file)
    held = torch.load(file, weights_only=True)
    assert {"state_dict", "optimizer_states", "loops", "callbacks"} <= set(held)
    assert held["hyper_parameters"] == {"lr": 0.5}
    with pytest.raises(TypeError, match="network"):
        Wraps.load_from_checkpoint(file)
    assert Wraps.load_from_checkpoint(file, network=nn.Linear(1, 1)).hparams["lr"] == 0.5


def test_the_mode_of_a_loaded_module(tmp_path: Path) -> None:
    """A module is in train mode after it has been built: dropout is active."""
    fit(Modes().eval(), tmp_path, max_epochs=1).save_checkpoint(tmp_path / "a.ckpt")
    assert Modes.load_from_checkpoint(tmp_path / "a.ckpt").training


class Hooks(L.Callback):
    """Notes its hooks in their order, and saves in the middle of epoch 1."""

    def __init__(self, file: Path | None = None) -> None:
        self.file, self.calls = file, []  # type: tuple[Path | None, list[str]]

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if self.file and trainer.global_step == 3:
            trainer.save_checkpoint(self.file)

    def on_validation_start(self, trainer: L.Trainer, _: Any) -> None:
        self.calls.append("sanity" if trainer.sanity_checking else "validation")

    def on_train_start(self, *_: Any) -> None:
        self.calls.append("train_start")

    def on_train_epoch_start(self, *_: Any) -> None:
        self.calls.append("epoch_start")

    def on_train_epoch_end(self, *_: Any) -> None:
        self.calls.append("epoch_end")


def test_hooks_and_a_resumed_epoch(tmp_path: Path) -> None:
    """A few validation batches run before training starts (the sanity check), and
    `on_train_epoch_end` comes after the validation of its epoch … Lightning does not call
    `on_train_epoch_start` for it.
    """
    hooks = Hooks(tmp_path / "middle.ckpt")
    curve = Validated(0.1, 0.2, 0.3)
    trainer = quiet_trainer(max_epochs=2, num_sanity_val_steps=1, callbacks=[hooks])
    trainer.fit(curve, numbers(2), numbers(1))
    epoch = ["epoch_start", "validation", "epoch_end"]
    assert hooks.calls == ["sanity", "train_start", *epoch, *epoch]
    again = Hooks()
    quiet_trainer(max_epochs=3, callbacks=[again]).fit(
        curve, numbers(2), numbers(1), ckpt_path=tmp_path / "middle.ckpt"
    )
    assert again.calls == ["train_start", "validation", "epoch_end", *epoch]
