"""Calls a student's data module as Lightning does, on drawn images."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.seed import seed_everything
from torch import Tensor
from torch.utils.data import IterableDataset

from litcourse.probing.attempts import attempt
from litcourse.probing.class_bases import bases
from litcourse.probing.datamodules.downloads import FakeDownloads, set_data_variable
from litcourse.probing.datamodules.kind import Kind
from litcourse.probing.fakes import NoOpModule
from litcourse.probing.trainers import quiet_trainer

WIDE = 1000
"""A batch size of more samples than there are, so that one batch of a loader has all of them."""
_READ = 64
"""Number of samples of each loader that are read where there are thousands."""
SEED = 42
"""The default of every data module's seed."""
More = Callable[[Any], dict[str, Any]]
"""Measures further evidence on a data module after `setup("fit")`."""


def probe_class(cls: Any, shown: dict[str, Any], kind: Kind, more: More | None = None) -> Any:
    """Use the class as Lightning does on one rank, on a second rank, again and with another seed.

    Args:
        cls: the student's class.
        shown: `sets`, `batch_size`, `val_size`, two `seeds`, `many`, `num_workers`.
        kind: the kind of images that the class serves.
        more: measures further evidence in the first pass.

    Returns:
        evidence for `litcourse.probing.datamodules.samples` and `.uses`.
    """
    downloads = FakeDownloads(kind, shown["sets"])
    with downloads.replace_downloads():
        evidence = {"bases": bases(cls), **_Probe(cls, shown, kind).measure(downloads, more)}
    return {**evidence, "fetched_in": downloads.phases}


def limit_batches(loader: Any, shown: dict[str, Any]) -> Iterator[Tensor]:
    """The images of each batch of one pass, up to three times the number of drawn images.

    A class that serves other images than the drawn ones, such as all of CIFAR10, would have more.
    """
    for images, _ in _limit_pairs(loader, shown):
        yield images


def _limit_pairs(loader: Any, shown: dict[str, Any]) -> Iterator[tuple[Tensor, Tensor]]:
    most = 3 * sum(len(part["labels"]) for part in shown["sets"].values())
    seen = 0
    for images, labels in loader:
        yield images, labels
        seen += len(images)
        if seen > most:
            return


@dataclass(frozen=True)
class _Probe:
    """Calls a student's class in many ways."""

    cls: Any
    shown: dict[str, Any]
    kind: Kind

    def make(self, root: Path, seed: int, **more: Any) -> Any:
        arguments = {"batch_size": self.shown["batch_size"], "val_size": self.shown["val_size"]}
        return self.cls(data_dir=str(root), seed=seed, **arguments, **more)

    def measure(self, downloads: FakeDownloads, more: More | None) -> dict[str, Any]:
        first, second = self.shown["seeds"]
        root = Path("data").absolute()
        root.mkdir()

        def make(seed: int, **arguments: Any) -> Any:
            return self.make(root, seed, **arguments)

        prepared = attempt(lambda: _prepare(make(first), downloads), "prepare_data()")
        downloads.phase = "setup"
        self.kind.write(root, self.shown["sets"])  # so that the rest can be judged in any case
        workers = self.shown["num_workers"]
        name = self.kind.class_name
        return {
            "prepared": prepared,
            "first": attempt(lambda: self.measure_passes(make(first), more), "setup and loaders"),
            "elsewhere": attempt(
                lambda: self.read_split(make(first), rank=1), "setup in another process"
            ),
            "validate": attempt(lambda: self.read_validation(make(first)), 'setup("validate")'),
            "trainer": attempt(
                lambda: _run_trainer(make(first), prepares="error" not in prepared),
                "Trainer.fit, validate and test",
            ),
            "again": attempt(lambda: self.read_split(make(first), again=True), "setup, once more"),
            "other_seed": attempt(lambda: self.read_split(make(second)), "setup with another seed"),
            "after_prepare": attempt(
                lambda: _prepare_and_load(make(first)), "prepare_data and setup"
            ),
            "workers": attempt(
                lambda: _count_workers(make(first, num_workers=workers)), "num_workers"
            ),
            "wide": attempt(lambda: self.read_wide(root), "batch_size"),
            "defaults": attempt(lambda: self.read_defaults(root), f"{name}()"),
            "many": attempt(self.count_many, "setup and loaders of many samples"),
        }

    def measure_passes(self, module: Any, more: More | None) -> dict[str, Any]:
        """Two training epochs, one of validation, one of test, all without `prepare_data`."""
        torch.manual_seed(1)
        module.setup(stage="fit")
        train, val = module.train_dataloader(), module.val_dataloader()
        evidence = {
            "reseeded": torch.initial_seed() != 1,
            "train": self.read_pass(train),
            "train_again": self.read_keys(train),
            "val": self.read_pass(val),
            "val_again": self.read_keys(val),
            **({} if more is None else more(module)),
        }
        module.setup(stage="test")
        test = module.test_dataloader()
        return {**evidence, "test": self.read_pass(test), "test_again": self.read_keys(test)}

    def read_pass(self, loader: Any) -> dict[str, Any]:
        """All images and labels of one pass over a loader; of images of another shape one a batch.

        The judge names their shape, and needs no more: images of 224 pixels a side would exceed
        what evidence may hold.
        """
        batches, sizes = [], []
        for images, labels in _limit_pairs(loader, self.shown):
            sizes.append(len(images))
            right = images.shape[1:] == self.kind.shape
            batches.append((images if right else images[:1].clone(), labels))
        if not batches:
            none = torch.zeros(0, *self.kind.shape)
            return {"sizes": [], "images": none, "labels": torch.zeros(0).long()}
        return {
            "sizes": sizes,
            "images": torch.cat([images for images, _ in batches]),
            "labels": torch.cat([labels for _, labels in batches]),
        }

    def read_keys(self, loader: Any) -> Tensor:
        """The keys of one pass's images, by which the judge recognises them: (N, key_pixels)."""
        rows = [self.kind.key(images) for images in limit_batches(loader, self.shown)]
        return torch.cat(rows) if rows else torch.zeros(0, self.kind.key_pixels)

    def read_split(self, module: Any, *, again: bool = False, rank: int = 0) -> dict[str, Any]:
        """The keys of the validation samples; of the training samples too after two setups."""
        torch.manual_seed(2)  # another process has another random state
        with on_rank(module, rank):
            for _ in range(2 if again else 1):
                module.setup(stage="fit")
        loaders = {"val": module.val_dataloader(), "train": module.train_dataloader()}
        read = ("val", "train") if again else ("val",)
        return {name: self.read_keys(loaders[name]) for name in read}

    def read_wide(self, root: Path) -> dict[str, Any]:
        """Sizes of the first batches of a module whose batches are larger than its data."""
        first, val_size = self.shown["seeds"][0], self.shown["val_size"]
        module = self.cls(data_dir=str(root), batch_size=WIDE, val_size=val_size, seed=first)
        module.setup(stage="fit")
        loaders = {"train": module.train_dataloader(), "val": module.val_dataloader()}
        return {name: len(next(iter(loader), [()])[0]) for name, loader in loaders.items()}

    def read_validation(self, module: Any) -> dict[str, Any]:
        module.setup(stage="validate")
        return {"val": self.read_keys(module.val_dataloader())}

    def read_defaults(self, root: Path) -> dict[str, Any]:
        """Batches, workers and split of a module without arguments, and the split with `SEED`."""
        with set_data_variable(root):
            module = _set_up(self.cls())
            train, val = module.train_dataloader(), module.val_dataloader()
            seeded = self.read_keys(_set_up(self.cls(seed=SEED)).val_dataloader())
            return {
                "workers": max(int(train.num_workers), int(val.num_workers)),
                "first_batch": len(next(iter(train))[0]),
                "val": self.read_keys(val),
                "seeded": seeded,
            }

    def count_many(self) -> dict[str, Any]:
        """How many samples each loader asks for in a set of thousands in another folder.

        The images are empty and few are read: asked is each loader's batch sampler.
        """
        root, many = Path("many").absolute(), self.shown["many"]
        blank = {name: _blank(many[name], self.kind.image_shape) for name in ("train", "test")}
        self.kind.write(root, blank)
        module = self.cls(data_dir=str(root), batch_size=WIDE, val_size=many["val_size"], seed=1)
        module.setup(stage="fit")
        loaders = {"train": module.train_dataloader(), "val": module.val_dataloader()}
        module.setup(stage="test")
        loaders["test"] = module.test_dataloader()
        most = 2 * (many["train"] + many["test"])
        return {name: _count_asked(loader, most) for name, loader in loaders.items()}


def _prepare(module: Any, downloads: FakeDownloads) -> dict[str, Any]:
    """Call `prepare_data`, and tell what it keeps in the module."""
    before = set(vars(module))
    downloads.phase = "prepare_data"
    module.prepare_data()
    return {"kept": sorted(str(name) for name in set(vars(module)) - before)}


def _blank(count: int, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """Empty images with labels of 0."""
    images = torch.zeros(count, *shape, dtype=torch.uint8)
    return {"images": images, "labels": torch.zeros(count, dtype=torch.int64)}


def _count_asked(loader: Any, most: int) -> int:
    """Different samples that a loader asks for; -1 if it has no batch sampler to tell.

    Some of them are read, so that those that are not there show.
    """
    batches = getattr(loader, "batch_sampler", None)
    if batches is None or isinstance(loader.dataset, IterableDataset):
        return -1
    asked = list(islice((int(index) for batch in batches for index in batch), most))
    for index in asked[:: max(1, len(asked) // _READ)]:
        loader.dataset[index]
    return len(set(asked))


class _OtherRank(L.Trainer):
    """A Trainer that takes itself for the one of rank 1 of 2, in a later epoch."""

    global_rank = local_rank = property(lambda _: 1)
    world_size = property(lambda _: 2)
    current_epoch = property(lambda _: 3)
    is_global_zero = property(lambda _: False)


@contextlib.contextmanager
def on_rank(module: Any, rank: int) -> Iterator[None]:
    """Let a data module be set up as on another rank: by variables, and by the Trainer's word."""
    if not rank:
        yield
        return
    module.trainer = quiet_trainer(_OtherRank)
    names = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "SLURM_LOCALID")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(rank)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        module.trainer = None


def _set_up(module: Any) -> Any:
    """A module after setup from a fixed seed, so that a split from a global state is the same."""
    seed_everything(1, verbose=False)
    module.setup(stage="fit")
    return module


def _run_trainer(module: Any, *, prepares: bool) -> dict[str, Any]:
    """Have a Trainer fit, validate and test with a data module, on one batch of each loader.

    Args:
        module: the data module.
        prepares: whether its `prepare_data` works; one that raises is judged by itself.
    """
    if not prepares:
        module.prepare_data = lambda: None
    limits: dict[str, Any] = {f"limit_{part}_batches": 1 for part in ("train", "val", "test")}
    trainer = quiet_trainer(max_epochs=1, **limits)
    trainer.fit(NoOpModule(), datamodule=module)
    trainer.validate(NoOpModule(), datamodule=module, verbose=False)
    trainer.test(NoOpModule(), datamodule=module, verbose=False)
    return {"steps": trainer.fit_loop.epoch_loop.global_step}


def _prepare_and_load(module: Any) -> dict[str, Any]:
    module.prepare_data()
    module.setup(stage="fit")
    loaders = [module.train_dataloader(), module.val_dataloader()]
    module.setup(stage="test")
    loaders.append(module.test_dataloader())
    return {"batches": [len(next(iter(loader), [()])[0]) for loader in loaders]}


def _count_workers(module: Any) -> dict[str, Any]:
    module.setup(stage="fit")
    loaders = {"train": module.train_dataloader(), "val": module.val_dataloader()}
    module.setup(stage="test")
    loaders["test"] = module.test_dataloader()
    return {name: int(loader.num_workers) for name, loader in loaders.items()}
