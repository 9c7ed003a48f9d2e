"""Exceptions that are really raised and resemble those of a pattern, each with the code it gets."""

from __future__ import annotations

import errno
import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from torch import nn

from litcourse.probing.fakes import TensorDataModule
from tests.litcourse.core.raised_errors import (
    Module,
    as_any,
    fit,
    step,
    validation,
)


def old_pickle() -> None:
    """What is no checkpoint at all, but some pickle: nothing of it was stored by a module."""
    Path("old.ckpt").write_bytes(pickle.dumps({"a": Ellipsis})[:-3])
    torch.load("old.ckpt", weights_only=True)


def stored(value: Any) -> Callable[[], Any]:
    """Reads a checkpoint with a value that is no tensor, and no network either."""

    def action() -> None:
        torch.save({"hyper_parameters": {"a": value}}, "stored.ckpt")
        torch.load("stored.ckpt", weights_only=True)

    return action


def full_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def named_in_a_message() -> None:
    raise ValueError("TrainedTooEarlyError: is what another check said")


def sgd() -> torch.optim.SGD:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)


def a_cycle_that_is_over() -> None:
    optimizer = sgd()
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=2)
    for _ in range(4):
        optimizer.step()
        schedule.step()


def two_optimizers() -> Any:
    class Bent(Module):
        def configure_optimizers(self) -> Any:
            return [torch.optim.SGD(self.parameters()) for _ in range(2)]

    return fit(Bent())


def in_place_on_a_leaf() -> None:
    nn.Parameter(torch.zeros(1)).add_(1)


def inference() -> None:
    with torch.inference_mode():
        torch.ones(1, requires_grad=True).sum().backward()


def hidden_folder() -> None:
    Path("file").touch()
    Path("file/below").touch()


def refused() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    socket.create_connection(("127.0.0.1", port), 1)


def system_error(number: int) -> Callable[[], Any]:
    def action() -> None:
        raise OSError(number, os.strerror(number))

    return action


def log_no_step(module: Module) -> None:
    module.log("a", torch.ones(2), on_step=False)


class WithoutLoader(L.LightningDataModule):
    """Has no method of its own."""


RESEMBLING: list[tuple[str, str, str, Callable[[], Any]]] = [
    ("LIT921", "LIT902", "shapes that do not fit", lambda: torch.ones(2) @ torch.ones(3)),
    ("LIT921", "LIT902", "a full GPU", full_gpu),
    ("LIT922", "LIT902", "no such process", lambda: os.kill(2**22 + 1, 0)),
    ("LIT923", "LIT902", "a file that is not there", lambda: Path("nothing").read_text()),
    ("LIT924", "LIT902", "a file for a folder", hidden_folder),
    ("LIT925", "LIT902", "no such device", system_error(errno.ENXIO)),
    ("LIT927", "LIT902", "nobody listens there", refused),
    ("LIT009", "LIT902", "an argument of Lightning 1", lambda: as_any(L.Trainer)(gpus=1)),
    ("LIT001", "LIT902", "two optimizers", two_optimizers),
    ("LIT003", "LIT902", "a dict has no such key", lambda: {"a dict": 1}["loss"]),
    ("LIT002", "LIT902", "a vector", lambda: torch.ones(2, requires_grad=True).backward()),
    ("LIT004", "LIT902", "in place on a weight", in_place_on_a_leaf),
    ("LIT005", "LIT902", "clips by hand", step(lambda m, _: as_any(m.optimizers()).clip())),
    ("LIT006", "LIT902", "a layer that is not there", lambda: Module().head),
    ("LIT013", "LIT902", "no such accelerator", lambda: L.Trainer(accelerator="gpus")),
    ("LIT007", "LIT902", "no such device", lambda: torch.zeros(1, device="gpu")),
    ("LIT008", "LIT902", "no key", validation(lambda m: as_any(m).log(1))),
    (
        "LIT206",
        "LIT008",
        "a vector on no step",
        validation(lambda m: m.log("a", torch.ones(2), on_step=False)),
    ),
    ("LIT010", "LIT902", "a monitor without logger", lambda: fit(Module(), LearningRateMonitor())),
    ("LIT011", "LIT902", "a monitor of nothing", lambda: fit(Module(), data=WithoutLoader())),
    ("LIT012", "LIT902", "a method of another name", lambda: as_any(Module()).set_up("fit")),
    ("LIT2112", "LIT902", "a cycle that is over", a_cycle_that_is_over),
    ("LIT130", "LIT902", "no training_step", lambda: fit(L.LightningModule())),
    (
        "LIT022",
        "LIT902",
        "a softmax of complex numbers",
        lambda: torch.ones(2, dtype=torch.cfloat).softmax(0),
    ),
    ("LIT020", "LIT902", "in place on a weight", in_place_on_a_leaf),
    ("LIT015", "LIT902", "a mean of text", lambda: torch.tensor(["a"])),
    ("LIT016", "LIT902", "no such loader", lambda: as_any(TensorDataModule).val_loader),
    ("LIT017", "LIT902", "of an optimizer", lambda: as_any(sgd()).lr),
    ("LIT017", "LIT902", "of a Trainer", lambda: as_any(L.Trainer(logger=False)).lr),
    ("LIT017", "LIT902", "of a network", lambda: nn.Linear(1, 1).hparams),
    ("LIT018", "LIT902", "of a dict", lambda: as_any({}).lr),
    ("LIT019", "LIT002", "backward in it", inference),
    (
        "LIT2107",
        "LIT902",
        "a data module alone",
        lambda: as_any(WithoutLoader().trainer).world_size,
    ),
    ("LIT403", "LIT902", "a loader that is none", lambda: fit(Module(), data=WithoutLoader())),
    ("LIT507", "LIT902", "half a pickle", old_pickle),
    ("LIT507", "LIT902", "a path among the arguments", stored(Path("data"))),
    ("LIT507", "LIT902", "a number of NumPy's", stored(np.float64(1e-3))),
    ("LIT507", "LIT902", "a loss among the arguments", stored(nn.CrossEntropyLoss())),
    ("LIT507", "LIT902", "an optimizer's class", stored(torch.optim.Adam)),
    ("LIT021", "LIT014", "a class of one's own", lambda: fit(type("Net", (nn.Module,), {})())),
    ("LIT945", "LIT902", "an error of that name in a message", named_in_a_message),
    ("LIT014", "LIT902", "no data", lambda: L.Trainer(logger=False).fit(Module())),
]
