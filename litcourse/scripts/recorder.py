"""Records in files what each Trainer of a script does.

`watch(folder)` records for this process and its forks; `recording_variables(folder)` makes new
Python programs call `watch` at their start. It wraps `Trainer._fit_impl` and not `fit`, whose
signature LightningCLI reads. Works with lightning 2.6.6.
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
from litcourse.scripts.program_defaults import read_shortening_defaults

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

_FOLDER_VARIABLE = "LITCOURSE_RECORD"
_EPOCHS_VARIABLE = "LITCOURSE_MOST_EPOCHS"
_TRAINER = "lightning.pytorch.trainer.trainer"
_MOST_FILES = 20
_NUMBERS = ("max_epochs", "max_steps")
_numbers = itertools.count()


def recording_variables(folder: Path, most_epochs: int | None = None) -> dict[str, str]:
    """Environment variables that make a program record its Trainers in `folder`.

    Writes a `sitecustomize.py` below `folder`, which Python imports at its start.

    Args:
        folder: folder for the records.
        most_epochs: a fit of more epochs returns at once, and its record says "endless".
    """
    hook = folder / "hook"
    hook.mkdir(exist_ok=True)
    code = "from litcourse.scripts.recorder import watch_later\nwatch_later()\n"
    (hook / "sitecustomize.py").write_text(code, encoding="utf-8")
    paths = [str(hook), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    found = {
        _FOLDER_VARIABLE: str(folder),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
    return found if most_epochs is None else found | {_EPOCHS_VARIABLE: str(most_epochs)}


def watch_later() -> None:
    """Watch as soon as the program imports Lightning, if its environment asks for records."""
    if _FOLDER_VARIABLE in os.environ:
        sys.meta_path.insert(0, _Finder(Path(os.environ[_FOLDER_VARIABLE])))


class _Finder:
    """An import hook that wraps Lightning's Trainer when a program imports it."""

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
    """Record in `folder` what each Trainer of this process does from now on."""
    _wrap(importlib.import_module(_TRAINER), folder)


def _wrap(module: Any, folder: Path) -> None:
    """Have a Trainer write its record when it is made, starts a stage, and starts or ends a fit."""
    trainer_class, setup = module.Trainer, module.setup
    originals = setup._init_debugging_flags, trainer_class._run_stage, trainer_class._fit_impl  # noqa: SLF001 (no public hooks)
    _note_accelerator(module._AcceleratorConnector)  # noqa: SLF001 (as above)

    @functools.wraps(originals[0])
    def init_debugging_flags(trainer: Any, *arguments: Any, **keywords: Any) -> None:
        originals[0](trainer, *arguments, **keywords)
        trainer.litcourse_record = {"number": next(_numbers), "pid": os.getpid()}
        early = read_shortening_defaults()
        _write_record(trainer, folder, fitted=False, finished=False, shortening=early)

    @functools.wraps(originals[1])
    def run_stage(trainer: Any, *arguments: Any, **keywords: Any) -> Any:
        if trainer.training:
            _write_record(trainer, folder, **_read_start(trainer))
        return originals[1](trainer, *arguments, **keywords)

    @functools.wraps(originals[2])
    def fit_impl(trainer: Any, *arguments: Any, **keywords: Any) -> Any:
        trainer.litcourse_record["pid"] = os.getpid()  # the process may be a fork by now
        endless = _is_endless(trainer)
        fits = trainer.litcourse_record.get("fits", 0) + 1
        _write_record(trainer, folder, fitted=True, endless=endless, fits=fits)
        if endless:
            return None
        counter = _make_counter()
        trainer.callbacks.insert(0, counter)
        done = originals[2](trainer, *arguments, **keywords)
        _write_record(trainer, folder, **counter.counted())
        _write_record(trainer, folder, finished=True, **_read_end(trainer))
        return done

    setup._init_debugging_flags = init_debugging_flags  # noqa: SLF001 (as above)
    trainer_class._run_stage = run_stage  # noqa: SLF001 (as above)
    trainer_class._fit_impl = fit_impl  # noqa: SLF001 (as above)


def _note_accelerator(connector_class: Any) -> None:
    """Have a Trainer's connector keep the accelerator that was named; it resolves "auto"."""
    original = connector_class.__init__

    @functools.wraps(original)
    def init(connector: Any, *arguments: Any, **keywords: Any) -> None:
        connector.litcourse_named = str(keywords.get("accelerator", "auto"))
        original(connector, *arguments, **keywords)

    connector_class.__init__ = init


def _make_counter() -> Any:
    """A callback that counts the training samples of the fit's first epoch, and tells which."""
    from lightning.pytorch.callbacks import Callback

    class Counter(Callback):
        def __init__(self) -> None:
            self.samples = self.batches = 0
            self.seen: set[bytes] = set()
            self.ended = self.whole = False

        def on_train_batch_end(self, _: Any, __: Any, ___: Any, batch: Any, ____: int) -> None:
            first = None if self.ended else _first_tensor(batch)
            self.batches += not self.ended
            if first is not None:
                self.samples += len(first)
                rows = first.detach().cpu().float().reshape(len(first), -1).numpy()
                self.seen.update(hashlib.sha256(row.tobytes()).digest() for row in rows)

        def on_train_epoch_end(self, trainer: Any, _: Any) -> None:
            self.whole = self.whole or (
                not self.ended and self.batches >= trainer.num_training_batches
            )
            self.ended = True

        def counted(self) -> dict[str, Tree]:
            """How many samples, whether of a whole epoch, and a digest of them in any order.

            The digest is "" if they are all alike.
            """
            every = hashlib.sha256(b"".join(sorted(self.seen))).hexdigest()
            shard = every if len(self.seen) > 1 else ""
            return {"samples": self.samples, "whole": self.whole, "shard": shard}

    return Counter()


def _first_tensor(batch: Any) -> Any:
    """The first tensor of a batch, whose first dimension counts the samples; None without one."""
    import torch

    if isinstance(batch, torch.Tensor):
        return batch if batch.ndim else None
    parts = batch.values() if isinstance(batch, dict) else batch
    found = map(_first_tensor, parts) if isinstance(parts, list | tuple | type({}.values())) else ()
    return next((each for each in found if each is not None), None)


def _write_record(trainer: Any, folder: Path, **changes: Tree) -> None:
    record = trainer.litcourse_record
    with contextlib.suppress(AttributeError, TypeError, ValueError):
        record.update(_describe_trainer(trainer))
    record.update(changes)
    path = folder / f"trainer-{record['pid']}-{record['number']}"
    with contextlib.suppress(OSError, TypeError, ValueError):
        write_atomically(path, json.dumps(record).encode())


def _describe_trainer(trainer: Any) -> dict[str, Tree]:
    from litcourse.clusters import resolved

    strategy = trainer.strategy
    return resolved(trainer) | {
        "named_accelerator": getattr(trainer._accelerator_connector, "litcourse_named", "auto"),  # noqa: SLF001 (no public view)
        "started_by": str(getattr(strategy, "_start_method", None) or "program"),
        "current_epoch": trainer.current_epoch,
        "global_step": trainer.global_step,
        "as_text": [name for name in _NUMBERS if isinstance(getattr(trainer, name), str)],
        "ckpt_path": None if trainer.ckpt_path is None else str(trainer.ckpt_path),
    }


def _is_endless(trainer: Any) -> bool:
    """Whether the fit would take more epochs than allowed, or has no limit at all."""
    most = int(os.environ.get(_EPOCHS_VARIABLE, "0"))
    limited = trainer.max_steps != -1 or any(type(c).__name__ == "Timer" for c in trainer.callbacks)
    if not most or limited:
        return False
    epochs = trainer.max_epochs  # None stands for 1000
    return epochs is None or (isinstance(epochs, int) and not 0 <= epochs <= most)


def _read_start(trainer: Any) -> dict[str, Tree]:
    return {
        "start_epoch": trainer.current_epoch,
        "start_step": trainer.global_step,
        "start_weights": _fingerprint(trainer.lightning_module),
        "cycles": _read_cycles(trainer),
    }


def _read_cycles(trainer: Any) -> list[int]:
    """Lengths in steps of the one-cycle schedules, which refuse a further step."""
    from torch.optim.lr_scheduler import OneCycleLR

    schedules = [config.scheduler for config in trainer.lr_scheduler_configs]
    return [int(each.total_steps) for each in schedules if isinstance(each, OneCycleLR)]


def _read_end(trainer: Any) -> dict[str, Tree]:
    checkpoints = [str(getattr(callback, name, "") or "")
                   for callback in trainer.checkpoint_callbacks
                   for name in ("best_model_path", "last_model_path")]  # fmt: skip
    return {
        "module": type(trainer.lightning_module).__name__,
        "networks": _find_course_networks(trainer.lightning_module),
        "weights": _fingerprint(trainer.lightning_module),
        "train_batches": _to_int(trainer.num_training_batches),
        "all_batches": isinstance(trainer.limit_train_batches, float)
        and trainer.limit_train_batches == 1.0,
        "metrics": {k: float(v) for k, v in trainer.callback_metrics.items() if v.numel() == 1},
        "checkpoints": sorted({path for path in checkpoints if path})[:_MOST_FILES],
        "log_dir": None if trainer.logger is None else str(trainer.logger.log_dir),
    }


def _find_course_networks(module: Any) -> list[str]:
    """Names of the networks of `litcourse.models` among the module's submodules."""
    place = "litcourse.models"
    return sorted({type(m).__name__ for m in module.modules() if type(m).__module__ == place})


def _to_int(value: float) -> int | None:
    return int(value) if value == value and abs(value) != float("inf") else None  # noqa: PLR0124 (NaN)


def _fingerprint(module: Any) -> str:
    """A digest of all parameters, to compare the weights of ranks."""
    import torch

    digest = hashlib.sha256()
    for name, value in module.named_parameters():
        digest.update(name.encode())
        if not torch.nn.parameter.is_lazy(value):
            digest.update(value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def read_records(folder: Path) -> list[dict[str, Tree]]:
    """The records in `folder`, sorted by process and by Trainer within a process."""
    found: list[dict[str, Tree]] = []
    for path in folder.glob("trainer-*"):
        with contextlib.suppress(OSError, ValueError):
            if path.suffix != ".part":
                found.append(json.loads(path.read_text(encoding="utf-8")))
    return sorted(found, key=_sort_key)


def _sort_key(record: dict[str, Any]) -> tuple[int, int]:
    return int(record.get("pid", 0)), int(record.get("number", 0))
