"""Imports what student code and probes import, so that a warm process has it before it forks."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import logging
import pkgutil
from functools import cache
from pathlib import Path
from random import Random

from litcourse import labs

_log = logging.getLogger(__name__)
_MODULES = (
    "IPython.core.completerlib",
    "IPython.extensions.storemagic",
    "cloudpickle",
    "ipykernel.debugger",  # a third of the time of a kernel's start
    "ipykernel.kernelapp",
    "lightning",
    "lightning.pytorch.cli",  # scripts of lab 2
    "litcourse.frontends.kernel_entry",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "safetensors.torch",
    "torch",
    "torchmetrics.classification",
    "torchvision.transforms.v2",
)
_HUGE_PAGE = 2 * 2**20
_MADV_COLLAPSE = 25
_OPTIONAL_MODULE = "torch.utils.tensorboard"  # Lightning's logger, unless a script names another


def import_all() -> None:
    """Import torch, Lightning and litcourse, and do what they do once in each process."""
    gc.disable()  # it would scan again and again what stays for good: a fifth of the time
    for name in _MODULES:
        importlib.import_module(name)
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(_OPTIONAL_MODULE)
    _import_labs()
    _rehearse_training()
    gc.freeze()  # a child's collector would write to, and so copy, every page of ours
    _collapse_memory()
    gc.enable()


def _collapse_memory() -> None:
    """Collapse this process's own memory into huge pages, where Linux can (6.1 and newer).

    A fork copies one entry for each page, and there are more than 100,000 small ones; so this
    halves what the kernel spends on a fork and on its end. A child that writes to a huge page gets
    a copy of 4 KiB, as before.
    """
    call = getattr(ctypes.CDLL(None), "madvise", None)
    if call is None:
        return
    with contextlib.suppress(OSError):  # no /proc
        for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
            area, rights, _, _, _, *name = line.split()
            if rights != "rw-p" or name not in ([], ["[heap]"]):
                continue
            first, end = (int(address, 16) for address in area.split("-"))
            first += -first % _HUGE_PAGE
            for address in range(first, end - _HUGE_PAGE + 1, _HUGE_PAGE):
                # Refused where nothing is mapped, or by an older Linux: small pages do as well.
                call(ctypes.c_void_p(address), ctypes.c_size_t(_HUGE_PAGE), _MADV_COLLAPSE)


def _import_labs() -> None:
    """Import all labs, so that no file of a student's can take the place of a module."""
    for found in pkgutil.walk_packages(labs.__path__, f"{labs.__name__}.", onerror=lambda _: None):
        try:
            importlib.import_module(found.name)
        except Exception:  # noqa: BLE001 (who grades that lab gets the error; other labs go on)
            _log.warning("%s can't be imported", found.name, exc_info=True)


@cache
def rehearse_draws(lab: str) -> None:
    """Draw each question of `lab` once: the first draw in a process may read or make files."""
    from litcourse.core.registry import find_question, lab_ids, question_ids
    from litcourse.core.torch_state import keep_torch_state

    for question_id in question_ids(lab) if lab in lab_ids() else ():
        with keep_torch_state(), contextlib.suppress(Exception):  # a later draw reports it
            find_question(lab, question_id).draw(Random(0))


def _rehearse_training() -> None:
    """Train shortly, so that forks need not do what torch and Lightning do once in a process."""
    import inspect

    import lightning as L
    import torch
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import CSVLogger

    from litcourse.probing.fake_gpu import DEVICE, run_on_fake_gpu
    from litcourse.probing.fakes import NumberedDataModule, ScriptedMetricModule
    from litcourse.probing.silenced import scratch_folder

    inspect.stack()  # Lightning calls it when it loads a checkpoint
    with scratch_folder() as folder:
        checkpoint = ModelCheckpoint(monitor="val_acc", mode="max")
        trainer = L.Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=CSVLogger(folder),
            callbacks=[checkpoint],
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(ScriptedMetricModule([0.5]), datamodule=NumberedDataModule())
        torch.load(checkpoint.best_model_path, weights_only=True)
        parameter = torch.nn.Parameter(torch.zeros(1))
        parameter.sum().backward()
        torch.optim.Adam([parameter]).step()
        run_on_fake_gpu(lambda _: torch.zeros(1, device=DEVICE) + 1)
