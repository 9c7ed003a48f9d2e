"""What lab 1 says of callbacks, logs and checkpoints, shown by runs of the installed Lightning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from litcourse.probing.trainers import quiet_trainer
from tests.claims.lessons import Modes, Trained, Validated, Weight, fit, numbers

pytestmark = pytest.mark.filterwarnings("ignore")


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


def test_a_monitor_that_nobody_logs(tmp_path: Path) -> None:
    """If nobody does, training stops with an error. (In a run that never validates a
    `ModelCheckpoint` warns, once, and writes no file.)
    """
    for callback in (ModelCheckpoint(monitor="val_f1"), EarlyStopping("val_f1")):
        with pytest.raises(Exception, match="val_f1"):
            fit(Validated(0.5, 0.9, 0.1, 0.6), tmp_path, callback)
    alone = ModelCheckpoint(tmp_path, monitor="val_f1")
    trainer = quiet_trainer(max_epochs=2, callbacks=[alone], enable_checkpointing=True)
    with pytest.warns(UserWarning, match="val_f1") as warned:
        trainer.fit(Weight(), numbers(4))
    assert len([each for each in warned if "val_f1" in str(each.message)]) == 1
    assert (trainer.global_step, alone.best_model_path) == (8, "")
    assert not list(tmp_path.glob("*.ckpt"))


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


def kept(callback: ModelCheckpoint) -> int:
    """The epoch of a best checkpoint."""
    return int(re.findall(r"epoch=(\d+)", callback.best_model_path)[0])
