"""Defaults of a LightningCLI program that cut its runs, whatever its command line says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litcourse.scripts import run_script

SHORT = """
import lightning as L
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringDataModule, DemoModel

class Own(LightningCLI):
    def add_arguments_to_parser(self, parser):
        parser.set_defaults({"trainer.limit_val_batches": 7})

quiet = {"logger": False, "enable_checkpointing": False}
given = {"limit_train_batches": 50, "limit_test_batches": 1.0, "max_epochs": 9}
Own(DemoModel, BoringDataModule, trainer_defaults=quiet | given, save_config_callback=None)
"""


EARLY = """
import lightning as L
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringDataModule, DemoModel

class Own(LightningCLI):
    def add_arguments_to_parser(self, parser):
        L.Trainer(logger=False)

quiet = {"logger": False, "enable_checkpointing": False}
Own(DemoModel, BoringDataModule, trainer_defaults=quiet, save_config_callback=None)
"""


def test_a_trainer_that_is_made_before_the_parser_is_whole(tmp_path: Path) -> None:
    words = ["fit", "--trainer.fast_dev_run=true"]
    run: Any = run_script(EARLY, "early.py", words, folder=tmp_path)
    assert run["ranks"][0]["value"]["exit"] == 0, run["ranks"][0]
    assert {tuple(one["shortening"]) for one in run["ranks"][0]["trainers"]} == {()}


def test_defaults_that_cut_a_run_are_recorded(tmp_path: Path) -> None:
    """The command line gives other numbers, so that the run itself does not show them."""
    few = ["--trainer.limit_train_batches=2", "--trainer.limit_val_batches=2"]
    run: Any = run_script(
        SHORT, "short.py", ["fit", "--trainer.max_epochs=1", *few], folder=tmp_path
    )
    (record,) = run["ranks"][0]["trainers"]
    assert record["shortening"] == ["limit_train_batches 50", "limit_val_batches 7"]
    assert (record["finished"], record["train_batches"]) == (True, 2)
