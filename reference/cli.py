"""The command line of both programs, and what every run writes.

`fit` trains, then tests the best checkpoint. It leaves in `--run_dir`

    checkpoints/best.ckpt, last.ckpt      folders where the strategy shards
    csv/version_N/                        metrics.csv, and config.yaml: all that was configured
    tensorboard/version_N/
    summary.json                          what `callbacks.Report` prints at the end

`--weights FILE` starts from the weights of a file, with a new optimizer.
A run that goes on, by `--ckpt_path` or after Slurm has requeued it, gets the next N: logs survive.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse.typing import Path_fr
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import nn

from litcourse.requeue import Requeue
from reference.callbacks import EpochLines, Report, Throughput
from reference.convert import holds_optimizer

if TYPE_CHECKING:
    import lightning as L

SUBCOMMANDS = ("fit", "validate", "test")


class ReferenceCLI(LightningCLI):
    """Adds a folder for the run, its checkpoints, its logs and its report."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Declare what the programs have beyond Lightning's own arguments."""
        parser.add_argument("--run_dir", type=str, help="folder for all that the run writes")
        parser.add_argument(
            "--weights",
            type=Path_fr | None,
            default=None,
            help="file of weights to start from, with a new optimizer; see reference.convert",
        )
        parser.add_argument(
            "--activation_checkpointing",
            type=list[type[nn.Module]],
            default=[],
            help="classes of the modules to compute again in backward: '[litcourse.models.Block]'",
        )
        parser.link_arguments("run_dir", "trainer.default_root_dir")
        for name in ("best", "last"):
            parser.add_lightning_class_args(ModelCheckpoint, name)
            # The same name again is the same file: a run that goes on replaces it.
            defaults = {"filename": name, "enable_version_counter": False}
            parser.set_defaults({f"{name}.{key}": value for key, value in defaults.items()})
            parser.link_arguments("run_dir", f"{name}.dirpath", _checkpoints)

    def instantiate_classes(self) -> None:
        """Make all objects, and tell the model what it does when it builds its network."""
        super().instantiate_classes()
        weights = self._get(self.config_init, "weights")
        self.model.weights = None if weights is None else Path(weights)
        self.model.recomputed = self._get(self.config_init, "activation_checkpointing")

    def before_fit(self) -> None:
        """Refuse a checkpoint that no training can go on from; prefer that of a requeued job.

        Raises:
            SystemExit: it holds weights only, or there are two to start from.
        """
        path = self._get(self.config, "ckpt_path")
        if path is None:
            return
        if self.model.weights is not None:
            self.parser.error("--ckpt_path goes on, --weights starts anew. Next: give one of them")
        folder = Path(self._get(self.config, "run_dir"))
        if SLURMEnvironment.detect() and any(folder.glob("hpc_ckpt_*.ckpt")):
            # Lightning looks for it only where no path is given: with one, the job would start
            # from that same file again after every requeue.
            self.config_init["fit"]["ckpt_path"] = None
        elif Path(path).exists() and not holds_optimizer(Path(path)):
            self.parser.error(f"{path} holds weights and no optimizer. Next: {_start_from(path)}")

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """Make the Trainer, with the loggers and callbacks that depend on the folder."""
        folder, given = self._get(self.config, "run_dir"), self._get(self.config, "trainer")
        own = [Throughput(), LearningRateMonitor(), Report(Path(folder), self._plain()), Requeue()]
        if not sys.stdout.isatty():
            # A bar redraws itself, which in a log file is line after line.
            own.append(EpochLines())
            kwargs["enable_progress_bar"] = bool(given.enable_progress_bar)
        if given.logger is None:
            kwargs["logger"] = [CSVLogger(folder, "csv"), TensorBoardLogger(folder, "tensorboard")]
        self.trainer_defaults["callbacks"] = own
        return super().instantiate_trainer(**kwargs)

    def _plain(self) -> dict[str, Any]:
        """All that was configured, as plain data."""
        found: dict[str, Any] = json.loads(self.parser.dump(self.config, format="json"))
        return found

    def after_fit(self) -> None:
        """Test the best checkpoint, in a new network."""
        self.model.discard()
        self.trainer.strategy.optimizers = []  # they hold the old one's parameters
        self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path="best")


def run(
    model: type[L.LightningModule],
    data: type[L.LightningDataModule],
    recipe: Path,
    args: list[str] | None = None,
    **options: Any,
) -> ReferenceCLI:
    """Do what the command line says.

    Args:
        model: the model, or the base class of those to choose from.
        data: the data, likewise.
        recipe: YAML file with what is not given otherwise.
        args: in place of the command line.
        options: further ones of LightningCLI.
    """
    settings = {"default_config_files": [str(recipe)]}
    return ReferenceCLI(
        model,
        data,
        parser_kwargs=dict.fromkeys(SUBCOMMANDS, settings),
        args=args,
        **options,
    )


def _start_from(path: str) -> str:
    """What to type to begin with the weights of a checkpoint."""
    if Path(path).is_file():
        return f"--weights {path}"
    return f"python -m reference.convert {path} --out FILE.ckpt, then --weights FILE.ckpt"


def _checkpoints(run_dir: str) -> str:
    return str(Path(run_dir) / "checkpoints")
