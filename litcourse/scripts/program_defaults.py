"""Reads the defaults of a LightningCLI program that end its runs early, or leave data out.

A run whose command line gives these arguments does not show what a run without them would do.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

_WHOLE: dict[str, tuple[object, ...]] = {
    "limit_train_batches": (None, 1.0),
    "limit_val_batches": (None, 1.0),
    "limit_test_batches": (None, 1.0),
    "overfit_batches": (0, 0.0),
    "fast_dev_run": (False,),
    "max_steps": (-1,),
}
"""Arguments of the Trainer, with the defaults by which a run is as long as its command says."""


def read_shortening_defaults() -> list[str]:
    """Arguments and defaults, as "max_steps 200"; [] unless a LightningCLI makes the Trainer.

    Looks for the LightningCLI among the callers; its parser has the defaults of `trainer_defaults`,
    of `set_defaults`, of a Trainer class of its own and of a configuration file. A program may make
    a Trainer before its parser is whole; then there is nothing to read.
    """
    parser = _find_parser()
    found = {} if parser is None else {name: _default_of(parser, name) for name in _WHOLE}
    return [f"{name} {value}" for name, value in found.items() if not _is_whole(name, value)]


def _find_parser() -> Any:
    cli = sys.modules.get("lightning.pytorch.cli")
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 (no public way)
    while frame is not None and cli is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, cli.LightningCLI):
            known = vars(caller)  # of which some may not be there yet
            parsers = known.get("_subcommand_parsers", {})
            return parsers.get(known.get("subcommand"), known.get("parser"))
        frame = frame.f_back
    return None


def _default_of(parser: Any, name: str) -> object:
    try:
        return parser.get_default(f"trainer.{name}")
    except KeyError:  # a Trainer class without this argument
        return _WHOLE[name][0]


def _is_whole(name: str, value: object) -> bool:
    """Whether it is the same default: 1 is one batch, and 1.0 all of them."""
    return any(value == whole and isinstance(value, type(whole)) for whole in _WHOLE[name])
