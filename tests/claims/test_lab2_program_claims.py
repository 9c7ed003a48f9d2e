"""What lab 2 says of programs and their configurations, shown by the installed Lightning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import pytest
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.loggers import CSVLogger

from tests.claims.lessons import Weight, numbers

pytestmark = pytest.mark.filterwarnings("ignore")


class Untyped(Weight):
    """Its argument has neither a default nor an annotation."""

    def __init__(self, width) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
        super().__init__()
        self.width = width


class Typed(Weight):
    """Its argument has no default."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width


class Numbers(L.LightningDataModule):
    """Two batches."""

    def train_dataloader(self) -> Any:
        return numbers(2)


def command_line(kind: type, *arguments: str, **defaults: Any) -> LightningCLI:
    quiet = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
    args = ["fit", "--trainer.max_epochs=1", *arguments, *quiet]
    return LightningCLI(kind, Numbers, args=args, trainer_defaults=defaults)


def test_arguments_of_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument of `__init__` without a default becomes a flag that has to be given; without
    an annotation, too, it silently becomes `None`.
    """
    monkeypatch.chdir(tmp_path)
    assert command_line(Untyped).model.width is None
    with pytest.raises(SystemExit):
        command_line(Typed)
    assert command_line(Typed, "--model.width=3").model.width == 3


def test_the_configuration_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was configured in the end is written as `config.yaml` beside the log of each run …
    Lightning counts runs: `version_0`, `version_1`, … A logger with a fixed version sends
    them all to one folder, and `LightningCLI` refuses to overwrite the `config.yaml` there.
    """
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        command_line(Weight)
    found = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("config.yaml"))
    assert found == [f"lightning_logs/version_{number}/config.yaml" for number in (0, 1)]
    logger = ("--trainer.logger=CSVLogger", "--trainer.logger.save_dir=runs")
    fixed = (*logger, "--trainer.logger.version=7")
    command_line(Weight, *fixed)
    with pytest.raises(RuntimeError, match=r"SaveConfigCallback expected .* to NOT exist"):
        command_line(Weight, *fixed)


def test_defaults_of_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`trainer_defaults={…}` gives defaults, which flags overrule; callbacks among them are
    objects, and stay, while a logger has to be described.
    """
    monkeypatch.chdir(tmp_path)
    own, more = LearningRateMonitor(), "--trainer.callbacks+=RichModelSummary"
    trainer = command_line(Weight, more, callbacks=[own], max_epochs=5).trainer
    kinds = {type(callback).__name__ for callback in trainer.callbacks}  # type: ignore[attr-defined]
    assert (trainer.max_epochs, own in trainer.callbacks) == (1, True)  # type: ignore[attr-defined]
    assert "RichModelSummary" in kinds
    with pytest.raises(ValueError, match="either a dict with class_path"):
        command_line(Weight, logger=CSVLogger("runs"))
