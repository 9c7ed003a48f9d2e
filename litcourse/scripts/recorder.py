"""What the Trainers of a program do, noted in files while a script runs.

`watch(folder)` holds for this process and those that it forks; `recording_variables(folder)`
makes fresh Python programs call it by themselves. It wraps `Trainer._fit_impl` and not `fit`, whose
signature LightningCLI reads. Seen to work with lightning 2.6.6.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import itertools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litcourse.core.atomic_write import write_atomically
from litcourse.core.tree import Tree

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

_WHERE = "LITCOURSE_RECORD"
_MOST_EPOCHS = "LITCOURSE_MOST_EPOCHS"
_TRAINER = "lightning.pytorch.trainer.trainer"
_MOST_FILES = 20
_NUMBERS = ("max_epochs", "max_steps")
_numbers = itertools.count()


def recording_variables(folder: Path, most_epochs: int | None = None) -> dict[str, str]:
    """Variables under which programs note their Trainers in `folder`, which gets a hook.

    Args:
        folder: for the notes.
        most_epochs: a fit that would go on for more is noted as "endless" and returns at once.
    """
    hook = folder / "hook"
    hook.mkdir(exist_ok=True)
    code = "from litcourse.scripts.recorder import watch_later\nwatch_later()\n"
    (hook / "sitecustomize.py").write_text(code, encoding="utf-8")
    paths = [str(hook), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    found = {_WHERE: str(folder), "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    return found if most_epochs is None else found | {_MOST_EPOCHS: str(most_epochs)}


def watch_later() -> None:
    """Watch as soon as Lightning is imported, if this program was started to be watched."""
    if _WHERE in os.environ:
        sys.meta_path.insert(0, _Finder(Path(os.environ[_WHERE])))


class _Finder:
    """Finds Lightning's Trainer as everybody does, then has it watched."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != _TRAINER:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        original = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            original(module)
            _wrap(module, self._folder)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def watch(folder: Path) -> None:
    """Note from now on in `folder` what each Trainer of this process does."""
    _wrap(importlib.import_module(_TRAINER), folder)


def _wrap(module: Any, folder: Path) -> None:
    """Note when a Trainer was made, when it starts a stage, and when its fit has ended."""
    trainer_class, setup = module.Trainer, module.setup
    originals = setup._init_debugging_flags, trainer_class._run_stage, trainer_class._fit_impl  # noqa: SLF001 (no public hooks)

    @functools.wraps(originals[0])
    def made(trainer: Any, *arguments: Any, **keywords: Any) -> None:
        originals[0](trainer, *arguments, **keywords)
        trainer.litcourse_record = {"number": next(_numbers), "pid": os.getpid()}
        _note(trainer, folder, fitted=False, finished=False)

    @functools.wraps(originals[1])
    def run_stage(trainer: Any, *arguments: Any, **keywords: Any) -> Any:
        if trainer.training:
            _note(trainer, folder, **_start_state(trainer))
        return originals[1](trainer, *arguments, **keywords)

    @functools.wraps(originals[2])
    def fit_impl(trainer: Any, *arguments: Any, **keywords: Any) -> Any:
        trainer.litcourse_record["pid"] = os.getpid()  # a fork may have come between
        endless = _endless(trainer)
        _note(trainer, folder, fitted=True, endless=endless)
        if endless:
            return None
        done = originals[2](trainer, *arguments, **keywords)
        _note(trainer, folder, finished=True, **_end_state(trainer))
        return done

    setup._init_debugging_flags = made  # noqa: SLF001 (as above)
    trainer_class._run_stage = run_stage  # noqa: SLF001 (as above)
    trainer_class._fit_impl = fit_impl  # noqa: SLF001 (as above)


def _note(trainer: Any, folder: Path, **news: Tree) -> None:
    record = trainer.litcourse_record
    with contextlib.suppress(AttributeError, TypeError, ValueError):
        record.update(_resolved(trainer))
    record.update(news)
    path = folder / f"trainer-{record['pid']}-{record['number']}"
    with contextlib.suppress(OSError, TypeError, ValueError):
        write_atomically(path, json.dumps(record).encode())


def _resolved(trainer: Any) -> dict[str, Tree]:
    from litcourse.clusters import resolved

    strategy = trainer.strategy
    return resolved(trainer) | {
        "started_by": str(getattr(strategy, "_start_method", None) or "program"),
        "current_epoch": trainer.current_epoch,
        "global_step": trainer.global_step,
        "as_text": [name for name in _NUMBERS if isinstance(getattr(trainer, name), str)],
        "ckpt_path": None if trainer.ckpt_path is None else str(trainer.ckpt_path),
    }


def _endless(trainer: Any) -> bool:
    """Whether its fit would take more epochs than it may, or is limited by nothing."""
    most = int(os.environ.get(_MOST_EPOCHS, "0"))
    limited = trainer.max_steps != -1 or any(type(c).__name__ == "Timer" for c in trainer.callbacks)
    if not most or limited:
        return False
    epochs = trainer.max_epochs  # None stands for 1000
    return epochs is None or (isinstance(epochs, int) and not 0 <= epochs <= most)


def _start_state(trainer: Any) -> dict[str, Tree]:
    return {
        "start_epoch": trainer.current_epoch,
        "start_step": trainer.global_step,
        "start_weights": _fingerprint(trainer.lightning_module),
        "cycles": _cycles(trainer),
    }


def _cycles(trainer: Any) -> list[int]:
    """Lengths of its one-cycle schedules, which no run may outlast."""
    from torch.optim.lr_scheduler import OneCycleLR

    schedules = [config.scheduler for config in trainer.lr_scheduler_configs]
    return [int(each.total_steps) for each in schedules if isinstance(each, OneCycleLR)]


def _end_state(trainer: Any) -> dict[str, Tree]:
    checkpoints = [str(getattr(callback, name, "") or "")
                   for callback in trainer.checkpoint_callbacks
                   for name in ("best_model_path", "last_model_path")]  # fmt: skip
    return {
        "module": type(trainer.lightning_module).__name__,
        "networks": _given_networks(trainer.lightning_module),
        "weights": _fingerprint(trainer.lightning_module),
        "train_batches": _count(trainer.num_training_batches),
        "all_batches": isinstance(trainer.limit_train_batches, float)
        and trainer.limit_train_batches == 1.0,
        "metrics": {k: float(v) for k, v in trainer.callback_metrics.items() if v.numel() == 1},
        "checkpoints": sorted({path for path in checkpoints if path})[:_MOST_FILES],
        "log_dir": None if trainer.logger is None else str(trainer.logger.log_dir),
    }


def _given_networks(module: Any) -> list[str]:
    """Names of the course's own networks among the module's parts."""
    shown = "litcourse.models"
    return sorted({type(m).__name__ for m in module.modules() if type(m).__module__ == shown})


def _count(value: float) -> int | None:
    return int(value) if value == value and abs(value) != float("inf") else None  # noqa: PLR0124 (NaN)


def _fingerprint(module: Any) -> str:
    """A digest of all parameters: equal on ranks that hold the same weights."""
    import torch

    digest = hashlib.sha256()
    for name, value in module.named_parameters():
        digest.update(name.encode())
        if not torch.nn.parameter.is_lazy(value):
            digest.update(value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def read_records(folder: Path) -> list[dict[str, Tree]]:
    """What was noted in `folder`, in the order of processes and of Trainers in each."""
    found: list[dict[str, Tree]] = []
    for path in folder.glob("trainer-*"):
        with contextlib.suppress(OSError, ValueError):
            if path.suffix != ".part":
                found.append(json.loads(path.read_text(encoding="utf-8")))
    return sorted(found, key=_order)


def _order(record: dict[str, Any]) -> tuple[int, int]:
    return int(record.get("pid", 0)), int(record.get("number", 0))
