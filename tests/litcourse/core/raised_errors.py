"""Exceptions that torch, Lightning and the system really raise, each with the code it must get."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from litcourse.models import MLP
from litcourse.probing.fakes import NumberedDataModule
from litcourse.probing.trainers import quiet_trainer, refuse_training


class Module(L.LightningModule):
    """A module that trains without a fault; each one below bends it in one place."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def training_step(self, batch: Tensor, _: int) -> Any:
        return self.layer(batch).sum()

    def validation_step(self, batch: Tensor, _: int) -> None:
        self.log("val_acc", batch.sum())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def a_cycle(**length: Any) -> Any:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, **length)


def one_batch() -> DataLoader[Any]:
    return DataLoader([torch.ones(2)])  # type: ignore[arg-type]


def fit(module: Any, *callbacks: L.Callback, data: Any = None, **arguments: Any) -> None:
    trainer = quiet_trainer(
        max_epochs=1,
        callbacks=list(callbacks),
        **({"enable_checkpointing": True} if callbacks else {}),
        **arguments,
    )
    loader = one_batch()
    trainer.fit(module, datamodule=data) if data else trainer.fit(module, loader, loader)


def as_any(value: Any) -> Any:
    """What a type checker would not let a learner log."""
    return value


def step(returned: Callable[[Module, Tensor], Any]) -> Callable[[], None]:
    """A fit whose training_step gives `returned(module, loss)`."""

    class Bent(Module):
        def training_step(self, batch: Tensor, index: int) -> Any:
            return returned(self, super().training_step(batch, index))

    return lambda: fit(Bent())


def validation(body: Callable[[Module], Any]) -> Callable[[], None]:
    class Bent(Module):
        def validation_step(self, *_: Any) -> None:
            body(self)

    return lambda: fit(Bent())


class Kept(Module):
    """Keeps what its validation computes, as for a metric or a mean of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.made = torch.zeros(1)
        self.kept = self.seen = torch.zeros(1)

    def validation_step(self, batch: Tensor, _: int) -> None:
        self.made += 1
        self.kept, self.seen = self.layer(batch), self.layer.weight.view(-1)


def validate_first(use: Callable[[Kept], Any], **arguments: Any) -> Callable[[], None]:
    """A fit behind `validate()`, whose training_step adds `use(module)` to the loss."""

    class Bent(Kept):
        def training_step(self, batch: Tensor, index: int) -> Any:
            return super().training_step(batch, index) + use(self).sum()

    def action() -> None:
        module, trainer = Bent(), quiet_trainer(max_epochs=1, **arguments)
        trainer.validate(module, one_batch(), verbose=False)
        trainer.fit(module, one_batch())

    return action


def log_nowhere(module: Module) -> None:
    module.log("a", 1.0, on_step=False, on_epoch=False)


def method(name: str) -> Callable[[], None]:
    return lambda: fit(type("Bent", (Module,), {name: lambda *_: None})())


def an_old_hook_of_test() -> None:
    class Bent(Module):
        test_step = Module.validation_step

        def test_epoch_end(self, outputs: Any) -> None: ...

    quiet_trainer().test(Bent(), one_batch(), verbose=False)


def assigned_too_early() -> None:
    class Early(L.LightningModule):
        def __init__(self) -> None:
            self.layer = nn.Linear(2, 1)
            super().__init__()

    Early()


def without_optimizer() -> None:
    class Bent(Module):
        configure_optimizers = L.LightningModule.configure_optimizers

    fit(Bent())


def steps_in_between() -> None:
    class Bent(Module):
        def training_step(self, batch: Tensor, _: int) -> Any:
            loss = (self.layer(batch) * self.layer.weight).square().sum()
            loss.backward(retain_graph=True)
            self.optimizers().step()  # type: ignore[union-attr]
            return loss

    fit(Bent())


def in_place(change: Callable[[Any, Tensor], Any]) -> Callable[[], None]:
    """A fit that changes what backward needs: the weights, or a value on the way."""

    class Bent(Module):
        def training_step(self, batch: Tensor, _: int) -> Any:
            middle = (self.layer(batch) * self.layer.weight).exp()
            loss = middle.square().sum()
            with torch.no_grad():
                change(self, middle)
            return loss

    return lambda: fit(Bent())


def hangs_on_the_step_before() -> None:
    class Bent(Module):
        total: Any = 0

        def training_step(self, batch: Tensor, _: int) -> Any:
            self.total += self.layer(batch).square().sum()
            return self.total

    quiet_trainer(max_epochs=2).fit(Bent(), one_batch())


def all_frozen() -> None:
    module = Module()
    module.requires_grad_(requires_grad=False)
    fit(module)


def of_the_other_package() -> Any:
    other = pytest.importorskip("pytorch_lightning", reason="to enable: install pytorch_lightning")
    return type("LitClassifier", (other.LightningModule,), {})()


def a_lock_that_is_held() -> None:
    with Path("lock").open("w") as first, Path("lock").open("w") as second:
        fcntl.flock(first, fcntl.LOCK_EX)
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)


def setup(self: Any) -> None: ...


def misspelt(self: Any, phase: str) -> None: ...


misspelt.__qualname__ = "setup"


def data(own_setup: Any) -> Callable[[], None]:
    loaders = {"train_dataloader": lambda _: one_batch()}
    kind = type("Data", (L.LightningDataModule,), {"setup": own_setup, **loaders})
    return lambda: fit(Module(), data=kind())


class Unprepared(L.LightningDataModule):
    def __init__(self) -> None:
        pass

    def train_dataloader(self) -> DataLoader[Any]:
        return one_batch()


def pickled(network: nn.Module) -> Callable[[], None]:
    def action() -> None:
        torch.save({"model": network}, "whole.ckpt")  # in the scratch folder
        torch.load("whole.ckpt", weights_only=True)

    return action


def name_of_nothing() -> None:
    lr  # type: ignore[name-defined]  # noqa: B018, F821


@contextlib.contextmanager
def limited(kind: int, value: int) -> Iterator[None]:
    """A limit of the operating system, as the grading sandbox sets it."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def a_thread_that_cannot_start() -> None:
    before = threading.stack_size(2**46)
    try:
        threading.Thread(target=print).start()
    finally:
        threading.stack_size(before)


def files_left_open() -> None:
    with contextlib.ExitStack() as stack, limited(resource.RLIMIT_NOFILE, 64):
        for _ in range(64):
            stack.enter_context(Path(os.devnull).open(encoding="utf-8"))


def a_large_file() -> None:
    with limited(resource.RLIMIT_FSIZE, 100):
        Path("large").write_bytes(bytes(101))


def train_too_early() -> None:
    with refuse_training():
        fit(Module())


REAL: list[tuple[str, str, Callable[[], Any]]] = [
    ("LIT001", "a number", step(lambda _, loss: loss.item())),
    ("LIT002", "detached", step(lambda _, loss: loss.detach())),
    ("LIT002", "all frozen", all_frozen),
    ("LIT003", "a dict without loss", step(lambda _, loss: {"train_loss": loss})),
    ("LIT004", "backward by hand", step(lambda _, loss: (loss.square().backward(), loss)[1])),
    ("LIT004", "backward twice", step(lambda _, loss: ((s := loss**2).backward(), s)[1])),
    ("LIT004", "hangs on the step before", hangs_on_the_step_before),
    ("LIT005", "manual_backward", step(lambda m, loss: m.manual_backward(loss))),
    ("LIT006", "layers before super", assigned_too_early),
    ("LIT007", "cuda()", lambda: torch.zeros(1).cuda()),
    ("LIT007", 'to("cuda")', lambda: nn.Linear(1, 1).to("cuda")),
    ("LIT007", 'device="cuda"', lambda: torch.zeros(1, device="cuda")),
    ("LIT008", "logs a list", validation(lambda m: m.log("a", as_any([1.0])))),
    ("LIT008", "logs a vector", validation(lambda m: m.log("a", torch.ones(2)))),
    ("LIT008", "logs a text", validation(lambda m: m.log("a", as_any("1")))),
    (
        "LIT206",
        "logs nothing",
        validation(log_nowhere),
    ),
    ("LIT009", "training_epoch_end", method("training_epoch_end")),
    ("LIT009", "validation_epoch_end", method("validation_epoch_end")),
    ("LIT009", "test_epoch_end", an_old_hook_of_test),
    ("LIT010", "checkpoint", lambda: fit(Module(), ModelCheckpoint(monitor="val_accuracy"))),
    ("LIT011", "stopping", lambda: fit(Module(), EarlyStopping(monitor="val_accuracy"))),
    ("LIT012", "setup without stage", data(setup)),
    ("LIT012", "stage misspelt", data(misspelt)),
    ("LIT013", "gpu", lambda: L.Trainer(accelerator="gpu", logger=False)),
    ("LIT013", "cuda", lambda: L.Trainer(accelerator="cuda", logger=False)),
    ("LIT015", "a mean of booleans", lambda: torch.ones(2).bool().mean()),
    ("LIT015", "a mean of integers", lambda: torch.arange(2).mean()),
    ("LIT016", "a data module without super", lambda: fit(Module(), data=Unprepared())),
    ("LIT017", "no attribute", lambda: Module().lr),
    ("LIT017", "no name", name_of_nothing),
    ("LIT018", "no hyperparameters", lambda: as_any(Module().hparams).max_lr),
    ("LIT019", "changed in place", validate_first(lambda m: m.kept.mul_(0.9))),
    ("LIT019", "in the loss", validate_first(lambda m: m.layer.weight * m.kept)),
    ("LIT019", "to be trained", validate_first(lambda m: m.kept.requires_grad_())),
    ("LIT019", "a view of the weights", validate_first(lambda m: m.seen.mul_(0.9))),
    ("LIT2107", "a module alone", lambda: Module().trainer),
    ("LIT2107", "a call by hand", lambda: Module().optimizers()),
    ("LIT403", "loaders before setup", lambda: NumberedDataModule().train_dataloader()),
    ("LIT507", "a pickled network of torch", pickled(nn.Linear(1, 1))),
    ("LIT507", "a pickled network of the course", pickled(MLP())),
    ("LIT2112", "a cycle of inf steps", lambda: a_cycle(steps_per_epoch=float("inf"), epochs=2)),
    ("LIT2112", "a cycle of no steps", lambda: a_cycle(total_steps=-1)),
    ("LIT130", "no configure_optimizers", without_optimizer),
    (
        "LIT022",
        "labels first",
        lambda: nn.functional.cross_entropy(torch.tensor([1, 0]), torch.ones(2)),
    ),
    ("LIT020", "a step in between", steps_in_between),
    ("LIT020", "weights changed", in_place(lambda m, _: m.layer.weight.add_(1))),
    ("LIT020", "a value changed", in_place(lambda _, value: value.add_(1))),
    ("LIT021", "no module", lambda: fit(nn.Linear(2, 1))),
    ("LIT021", "a network of the course", lambda: fit(MLP())),
    ("LIT021", "a data module", lambda: fit(L.LightningDataModule())),
    ("LIT014", "the other package", lambda: fit(of_the_other_package())),
    ("LIT921", "a huge tensor", lambda: torch.empty(2**58)),
    ("LIT921", "a huge list", lambda: [None] * 2**58),
    ("LIT922", "a thread too many", a_thread_that_cannot_start),
    ("LIT922", "a lock that is held", a_lock_that_is_held),
    ("LIT923", "files left open", files_left_open),
    ("LIT924", "a large file", a_large_file),
    ("LIT925", "a full disk", lambda: Path("/dev/full").write_text("a", encoding="utf-8")),
    ("LIT927", "no such host", lambda: socket.create_connection(("host.invalid", 80), 5)),
    ("LIT945", "fit inside make_trainer", train_too_early),
]
