"""What the programs refuse, each in one line that says what to type next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import torch
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.strategies import (
    DeepSpeedStrategy,
    FSDPStrategy,
    ModelParallelStrategy,
    Strategy,
)

from litcourse.core.exit_codes import ExitCode
from reference.convert import zero_ranks
from reference.resuming.whole_checkpoints import fault_of, kind_of


class RefusalError(ValueError):
    """A run can't be what was asked for: what is wrong, and what to type next.

    Args:
        fault: what is wrong.
        next_step: what to type.
    """

    def __init__(self, fault: str, next_step: str) -> None:
        super().__init__(f"{fault}. Next: {next_step}")


class Parser(LightningArgumentParser):
    """A parser whose error is one line; a page of usage above it hides what is wrong."""

    program = "python -m reference"
    """What was typed; the parsers of classes within know nothing of it."""

    def parse_args(self, *arguments: Any, **options: Any) -> Any:
        """As jsonargparse's, which lets through what importing a class in a list raises."""
        try:
            return super().parse_args(*arguments, **options)
        except (AttributeError, ImportError) as error:
            self.error(str(error))

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End the program with the message."""
        del ex
        if "not accepted" in message or "unrecognized arguments" in message:
            message += f". Next: {self.program} fit --print_config shows all that there are"
        elif "Dict must include a class_path" in message:
            message += ". Next: what a function is called with stands in a file, as arguments of "
            message += "reference.classifier.Function (docs/make-it-yours.md)"
        fail(self.program, message)


def fail(program: str, message: str) -> NoReturn:
    """End the program with one line on standard error."""
    sys.stderr.write(f"{program}: error: {' '.join(message.split())}\n")
    sys.stderr.flush()
    raise SystemExit(int(ExitCode.MISTAKE))


def check_strategy(strategy: object, accelerator: object) -> None:
    """Refuse a class where Lightning reads a name, and names of what trains on GPUs alone.

    Raises:
        RefusalError: it is one of them, and there is no GPU.
    """
    if isinstance(strategy, str) and "." in strategy:
        raise RefusalError(
            f"Lightning takes {strategy} for a name of its own",
            f"--trainer.strategy.class_path={strategy}",
        )
    sharded = isinstance(strategy, str) and strategy.startswith(("fsdp", "deepspeed"))
    if sharded and (accelerator == "cpu" or not torch.cuda.is_available()):
        config = "zero2.yaml" if str(strategy).startswith("deepspeed") else "fsdp_blocks.yaml"
        raise RefusalError(
            f"Lightning's strategy {strategy} needs GPUs, and there are none",
            f"--config reference/mnist/configs/{config}, which trains on a CPU too",
        )


def check_checkpoint(path: str, strategy: Strategy, go_on: int = 0) -> None:
    """Refuse a checkpoint that can't be read, or not under this strategy.

    Args:
        path: of the checkpoint.
        strategy: that reads it.
        go_on: on how many ranks training goes on from it, for which weights are not enough; 0 if
            it is only read.

    Raises:
        RefusalError: it can't.
    """
    place = Path(path)
    if not place.exists():
        near = ", ".join(str(p) for p in sorted(place.parent.glob("*.ckpt")))
        raise RefusalError(f"{path}: there is no such checkpoint", f"take one of {near or '...'}")
    fault = fault_of(place)
    if fault == "it holds weights and no optimizer":
        if go_on:
            raise RefusalError(f"{path} holds weights and no optimizer", _start_from(place))
    elif fault:
        raise RefusalError(f"{path}: {fault}", "take another checkpoint")
    if go_on and kind_of(place) == "zero" and zero_ranks(place) != go_on:
        raise RefusalError(
            f"{path} was written by {zero_ranks(place)} ranks, and ZeRO goes on with as many only",
            _start_from(place),
        )
    readers = {"shards": (FSDPStrategy, ModelParallelStrategy), "zero": (DeepSpeedStrategy,)}
    kind = kind_of(place)
    if kind == "file" and isinstance(strategy, DeepSpeedStrategy):
        raise RefusalError(f"{path} is one file, and ZeRO reads folders", f"--weights {path}")
    if kind != "file" and not isinstance(strategy, readers[kind]):
        wrote = "ZeRO" if kind == "zero" else "FSDP"
        raise RefusalError(
            f"{path} is a folder that {wrote}'s ranks wrote, which {type(strategy).__name__} "
            "does not read",
            _start_from(place),
        )


def _start_from(path: Path) -> str:
    """What to type to begin with the weights of a checkpoint."""
    if path.is_file():
        return f"--weights {path}"
    return f"python -m reference.convert {path} --out FILE.ckpt, then --weights FILE.ckpt"
