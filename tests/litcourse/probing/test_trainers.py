"""Trainers of student code: what they asked for is noted, and they run here all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.trainer.connectors.logger_connector import logger_connector

from litcourse.probing.fakes import NumberedDataModule, ScriptedMetricModule
from litcourse.probing.trainers import (
    LATE,
    late_batches,
    make_loader,
    quiet_trainer,
    record_default_loggers,
    record_trainers,
    stand_in_metrics,
)


class Unasked(CSVLogger):
    """Stands for TensorBoard's logger, which need not be installed."""


@pytest.mark.parametrize("installed", [True, False])
def test_a_logger_that_nobody_chose_is_known_with_and_without_tensorboard(
    installed: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("_TENSORBOARD_AVAILABLE", "_TENSORBOARDX_AVAILABLE"):
        monkeypatch.setattr(logger_connector, name, installed)
    monkeypatch.setattr(logger_connector, "TensorBoardLogger", Unasked)
    with record_default_loggers() as loggers:
        trainer, own = L.Trainer(accelerator="cpu"), L.Trainer(logger=CSVLogger(tmp_path))
    assert trainer.loggers == loggers
    assert isinstance(loggers[0], Unasked) is installed
    assert own.loggers[0] not in loggers


def train(**arguments: Any) -> L.Trainer:
    """A run on a scripted curve."""
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": True, "max_epochs": 2}
    trainer = L.Trainer(**(quiet | arguments))
    trainer.fit(ScriptedMetricModule([0.1, 0.2]), datamodule=NumberedDataModule())
    return trainer


def test_hardware_that_is_not_here_is_noted_and_the_run_goes_on(tmp_path: Path) -> None:
    with record_trainers(here={"accelerator": "cpu"}) as asked:
        trainer = train(accelerator="gpu", strategy="ddp", default_root_dir=tmp_path)
    assert asked == [{"accelerator": "gpu", "strategy": "ddp"}]
    assert trainer.global_step == 4


def test_a_metric_that_nobody_logs_has_a_stand_in(tmp_path: Path) -> None:
    checkpoint = ModelCheckpoint(tmp_path, monitor="val_los")
    callbacks = [checkpoint, EarlyStopping("val_acc", mode="max")]
    with stand_in_metrics("val_acc") as metrics, record_trainers(here={"accelerator": "cpu"}):
        trainer = train(callbacks=callbacks)
    assert metrics.missed == {"val_los"}
    assert trainer.current_epoch == 2
    assert checkpoint.best_model_score == -1.0, "it falls in each epoch: the last one is the best"


class Numbered(L.LightningModule):
    """Notes the numbers of its validation batches."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[int] = []

    def validation_step(self, _: Any, number: int) -> None:
        self.numbers.append(number)


def test_the_middle_batches_count_as_late_ones() -> None:
    module, batches = Numbered(), make_loader([[torch.ones(1, 1)]] * 5)
    for count in (5, 5):
        with late_batches(module, "validation_step", count):
            quiet_trainer().validate(module, batches, verbose=False)
    assert module.numbers == [0, LATE + 1, LATE + 2, LATE + 3, 4] * 2
    assert not any(LATE % every for every in (*range(1, 17), 50, 100, 1000))
    quiet_trainer().validate(module, batches, verbose=False)
    assert module.numbers[-5:] == [0, 1, 2, 3, 4]


def test_a_step_without_numbers_and_one_that_is_not_there_stay() -> None:
    class Unnumbered(L.LightningModule):
        def validation_step(self, batch: Any) -> None:
            assert batch[0].shape == (1, 1)

    with late_batches(Unnumbered(), "test_step", 3):
        pass
    module = Unnumbered()
    with late_batches(module, "validation_step", 3):
        quiet_trainer().validate(module, make_loader([[torch.ones(1, 1)]] * 3), verbose=False)
