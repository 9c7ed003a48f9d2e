"""The command line of both programs, and what every run writes.

`fit` trains, then tests the best checkpoint. It leaves in `--run_dir`

    checkpoints/best.ckpt, last.ckpt      folders where the strategy shards
    csv/version_N/                        metrics.csv, and config.yaml: all that was configured
    tensorboard/version_N/
    summaries/fit-N.json                  what `callbacks.Report` prints at the end

`--weights FILE` starts from the weights of a file, with a new optimizer.
A run that goes on, by `--ckpt_path` or because Slurm has started its job anew, gets the next N:
logs survive. A job that was started anew goes on from the newest whole checkpoint of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import lightning as L
import torch
from jsonargparse.typing import Path_fr
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, instantiate_class
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_info
from torch import nn

from litcourse.requeue import Requeue
from reference.callbacks import EpochLines, Monitored, Report, Throughput, quiet
from reference.classifier import Classifier
from reference.refusals import (
    Parser,
    RefusalError,
    check_checkpoint,
    check_strategy,
    fail,
)
from reference.resuming.epoch_order import Draws
from reference.resuming.trainer import ReferenceTrainer
from reference.resuming.whole_checkpoints import hyperparameters, newest_whole, restarts

SUBCOMMANDS = ("fit", "validate", "test")
WORDS = ("best", "last")
"""What `--ckpt_path` may say besides a path."""
ROOT = Path(__file__).parents[1]
"""Where `python -m reference...` runs."""


class ReferenceCLI(LightningCLI):
    """Adds a folder for the run, its checkpoints, its logs and its report.

    Args:
        model: class of the model that is trained unless `--model` names another.
        data: class of its data, likewise.
        options: those of LightningCLI.
    """

    def __init__(
        self, model: type[Classifier], data: type[L.LightningDataModule], **options: Any
    ) -> None:
        self._defaults = {"model": model, "data": data}
        super().__init__(
            Classifier,
            L.LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            **options,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Those that the models and data here are made for; `predict` is not among them."""
        known = LightningCLI.subcommands()
        return {name: known[name] for name in SUBCOMMANDS}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Declare what the programs have beyond Lightning's own arguments."""
        for name, cls in self._defaults.items():
            path = {"class_path": f"{cls.__module__}.{cls.__qualname__}"}
            parser.set_defaults({name: path})
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
        parser.add_argument(
            "--compile", type=bool, default=False, help="have torch.compile make one program of it"
        )
        parser.add_argument(
            "--channels_last", type=bool, default=False, help="lay images out channels last"
        )
        parser.add_argument(
            "--test_after_fit", type=bool, default=True, help="test the best checkpoint after fit"
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
        for name in ("best", "last"):
            kept = self._get(self.config, name)
            if kept.save_top_k != 1 and kept.filename == name:
                self._get(self.config, name).filename = f"{name}-{{epoch}}"
        super().instantiate_classes()
        weights = self._get(self.config_init, "weights")
        self.model.weights = None if weights is None else Path(weights)
        if not callable(self.model.network):
            raise RefusalError(
                "--model.network.… is an argument of a network, and none is named",
                "--model.network=CLASS in front of it",
            )
        self.model.recomputed = self._get(self.config_init, "activation_checkpointing")
        self.model.compiled = self._get(self.config_init, "compile")
        self.model.channels_last = self._get(self.config_init, "channels_last")
        # For loggers, for `load_from_checkpoint`, and for `test`, which builds what was trained.
        arguments = self._plain()[str(self.subcommand)]["model"].get("init_args", {})
        self.model.save_hyperparameters(
            {**arguments, "_instantiator": "lightning.pytorch.cli.instantiate_module"}
        )

    def _parse_ckpt_path(self) -> None:
        """Build the network that a checkpoint's run had built, be it a file or a folder.

        Of `--ckpt_path` all arguments of the model count, of `--weights` those of the network.
        """
        self.subcommand = self.config.get("subcommand")
        named = self._get(self.config, "ckpt_path")
        if named in WORDS:
            self.config[str(self.subcommand)]["ckpt_path"] = self._path_of(named)
        found: dict[str, Any] = {}
        for flag in ("weights", "ckpt_path"):
            path = self._get(self.config, flag)
            if path is not None and Path(path).exists():
                held = hyperparameters(Path(path))
                found |= {k: v for k, v in held.items() if flag == "ckpt_path" or k == "network"}
        if found:
            model = {"class_path": self._get(self.config, "model").class_path, "init_args": found}
            given = {str(self.subcommand): {"model": model}}
            self.config = self.parser.parse_object(given, self.config)

    def _path_of(self, word: str) -> str | None:
        """The checkpoint of this run that `--ckpt_path` means by a word of Lightning's."""
        path = Path(_checkpoints(self._get(self.config, "run_dir"))) / f"{word}.ckpt"
        first = self.subcommand == "fit" and word == "last" and not path.exists()
        return None if first else str(path)  # so it may be given from the first start on

    def before_fit(self) -> None:
        """Decide what to go on from.

        Raises:
            RefusalError: it holds weights only, or there are two to start from.
        """
        named = self._get(self.config, "ckpt_path")
        if named is not None and self.model.weights is not None:
            raise RefusalError("--ckpt_path goes on, --weights starts anew", "give one of them")
        own = self._own_checkpoint(named)
        if own is not None:
            self.config_init["fit"]["ckpt_path"] = str(own)
            self.model.weights = None
        elif named is not None:
            ranks = self.trainer.num_nodes * self.trainer.num_devices
            check_checkpoint(named, self.trainer.strategy, go_on=ranks)

    def before_validate(self) -> None:
        """See that there are weights to measure.

        Raises:
            RefusalError: there are none, or they can't be read.
        """
        named = self._get(self.config, "ckpt_path")
        if named is not None:
            check_checkpoint(named, self.trainer.strategy)
        elif self.model.weights is None:
            path = Path(self._get(self.config, "run_dir")) / "checkpoints/best.ckpt"
            raise RefusalError(
                f"{self.subcommand} without a checkpoint would measure random weights",
                f"--ckpt_path {path}, or --weights FILE.ckpt",
            )

    before_test = before_validate

    def _own_checkpoint(self, named: str | None) -> Path | None:
        """The checkpoint of a job that Slurm has started anew, by a signal or after a node's loss.

        `hpc_ckpt_N.ckpt` is what a warned job has left. Without `--ckpt_path` Lightning would begin
        with it on the first start too, and after each, though others were newer.
        """
        folder = Path(self._get(self.config, "run_dir"))
        left = named is None and any(folder.glob("hpc_ckpt_*.ckpt"))
        if not SLURMEnvironment.detect() or not (restarts() or left):
            return None
        found = newest_whole(folder)
        if found is not None:
            rank_zero_info(f"Start {restarts() + 1} of this job: going on from {found}")
        return found

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """Make the Trainer, with the loggers and callbacks that depend on the folder."""
        folder, given = self._get(self.config, "run_dir"), self._get(self.config, "trainer")
        check_strategy(given.strategy, given.accelerator)
        torch.set_float32_matmul_precision("high")  # TF32, where there are such GPUs
        self.report = Report(Path(folder), str(self.subcommand), self._plain())
        # Requeue comes first: what is saved before a batch must not hold anything of it.
        own: list[L.Callback] = [Requeue(), Draws(), Throughput(), Monitored(), self.report]
        if not sys.stdout.isatty():
            # A bar redraws itself, which in a log file is line after line.
            own.append(EpochLines())
            kwargs["enable_progress_bar"] = bool(given.enable_progress_bar)
        if given.logger is None and not given.barebones:
            kwargs["logger"] = [CSVLogger(folder, "csv"), TensorBoardLogger(folder, "tensorboard")]
        if given.logger is not False and not given.barebones:
            own.append(LearningRateMonitor())
        if given.enable_checkpointing is False or given.barebones:
            self._parser(self.subcommand).callback_keys.clear()  # those of `best` and `last`
        self.trainer_defaults["callbacks"] = own
        try:
            return super().instantiate_trainer(**kwargs)
        except (TypeError, ValueError) as error:  # Lightning's, of an unknown strategy for instance
            raise MisconfigurationException(str(error)) from error

    def _add_configure_optimizers_method_to_model(self, subcommand: str | None) -> None:
        """Take `--optimizer` and `--lr_scheduler` when there are parameters: not before `fit`.

        Raises:
            RefusalError: a schedule alone, which Lightning ignores without a word.
        """
        optimizer, schedule = (
            self._get(self.config_init, name) for name in ("optimizer", "lr_scheduler")
        )
        if schedule and not optimizer:
            fault = "--lr_scheduler goes with an optimizer of the command line, and there is none"
            raise RefusalError(fault, "--optimizer=SGD --optimizer.lr=0.1 beside it, or drop it")
        if optimizer:

            def configure() -> Any:
                made = instantiate_class(self.model.parameters(), optimizer)
                falls = instantiate_class(made, schedule) if schedule else None
                return self.configure_optimizers(self.model, made, falls)

            self.model.configure_optimizers = configure

    def _plain(self) -> dict[str, Any]:
        """All that was configured, as plain data."""
        found: dict[str, Any] = json.loads(self.parser.dump(self.config, format="json"))
        return found

    def after_fit(self) -> None:
        """Test the best checkpoint, in a new network; if none is the best, the last one."""
        kept = [getattr(c, "best_model_path", "") for c in self.trainer.checkpoint_callbacks]
        path = next((path for path in kept if path), None)
        if path is None or not self._get(self.config, "test_after_fit"):
            if path is None:
                rank_zero_info("No checkpoint was kept, so nothing is tested.")
            self.report.show(self.trainer)
            return
        self.model.discard()
        self.trainer.strategy.optimizers = []  # they hold the old one's parameters
        self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path=path)


def run(
    model: type[Classifier],
    data: type[L.LightningDataModule],
    recipe: Path,
    args: list[str] | None = None,
    **options: Any,
) -> ReferenceCLI:
    """Do what the command line says.

    Args:
        model: the model; `--model` names another.
        data: its data; `--data` names others.
        recipe: YAML file with what is not given otherwise.
        args: in place of the command line.
        options: further ones of LightningCLI.
    """
    quiet()
    program = f"python {recipe.with_suffix('.py').name}"
    if recipe.is_relative_to(ROOT / "reference"):
        program = f"python -m {'.'.join(recipe.parent.relative_to(ROOT).parts)}"
    Parser.program = program
    settings = {"default_config_files": [str(recipe)], "allow_abbrev": False}
    try:
        return ReferenceCLI(
            model,
            data,
            trainer_class=ReferenceTrainer,
            parser_class=Parser,
            parser_kwargs={
                "prog": program,
                "allow_abbrev": False,
                **dict.fromkeys(SUBCOMMANDS, settings),
            },
            save_config_kwargs={"overwrite": True},  # without loggers all runs share a folder
            args=args,
            **options,
        )
    except (RefusalError, MisconfigurationException) as error:
        fail(program, str(error))
    except RuntimeError as error:
        if "loading state_dict" not in str(error):
            raise
        fail(program, f"the checkpoint is that of another network: {str(error)[:300]}")


def _checkpoints(run_dir: str) -> str:
    return str(Path(run_dir) / "checkpoints")
