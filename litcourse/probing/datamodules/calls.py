"""Calls a student's data module as Lightning does, on drawn images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.utilities.seed import seed_everything
from torch import Tensor

from litcourse.probing.attempts import attempt
from litcourse.probing.class_bases import bases
from litcourse.probing.datamodules.downloads import FakeDownloads, set_data_variable
from litcourse.probing.datamodules.kind import Kind
from litcourse.probing.fakes import NoOpModule
from litcourse.probing.trainers import quiet_trainer

SEED = 42
"""The default of every data module's seed."""
More = Callable[[Any], dict[str, Any]]
"""Measures further evidence on a data module after `setup("fit")`."""


def probe_class(cls: Any, shown: dict[str, Any], kind: Kind, more: More | None = None) -> Any:
    """Use the class as Lightning does on one rank, on a second rank, again and with another seed.

    Args:
        cls: the student's class.
        shown: `sets`, `batch_size`, `val_size`, two `seeds`, `num_workers`.
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

        def prepare() -> dict[str, Any]:
            module = make(first)
            before = set(vars(module))
            downloads.phase = "prepare_data"
            module.prepare_data()
            return {"kept": sorted(str(name) for name in set(vars(module)) - before)}

        prepared = attempt(prepare, "prepare_data()")
        downloads.phase = "setup"
        self.kind.write(root, self.shown["sets"])  # so that the rest can be judged in any case
        workers = self.shown["num_workers"]
        name = self.kind.class_name
        return {
            "prepared": prepared,
            "first": attempt(lambda: self.measure_passes(make(first), more), "setup and loaders"),
            "elsewhere": attempt(lambda: self.read_split(make(first)), "setup in another process"),
            "validate": attempt(lambda: self.read_validation(make(first)), 'setup("validate")'),
            "trainer": attempt(lambda: _run_trainer(make(first)), "Trainer.fit, validate and test"),
            "again": attempt(lambda: self.read_split(make(first), again=True), "setup, once more"),
            "other_seed": attempt(lambda: self.read_split(make(second)), "setup with another seed"),
            "after_prepare": attempt(
                lambda: _prepare_and_load(make(first)), "prepare_data and setup"
            ),
            "workers": attempt(
                lambda: _count_workers(make(first, num_workers=workers)), "num_workers"
            ),
            "defaults": attempt(lambda: self.read_defaults(root), f"{name}()"),
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
            **({} if more is None else more(module)),
        }
        module.setup(stage="test")
        return {**evidence, "test": self.read_pass(module.test_dataloader())}

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

    def read_split(self, module: Any, *, again: bool = False) -> dict[str, Any]:
        """The keys of the validation samples; of the training samples too after two setups."""
        torch.manual_seed(2)  # another process has another random state
        for _ in range(2 if again else 1):
            module.setup(stage="fit")
        loaders = {"val": module.val_dataloader(), "train": module.train_dataloader()}
        read = ("val", "train") if again else ("val",)
        return {name: self.read_keys(loaders[name]) for name in read}

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


def _set_up(module: Any) -> Any:
    """A module after setup from a fixed seed, so that a split from a global state is the same."""
    seed_everything(1, verbose=False)
    module.setup(stage="fit")
    return module


def _run_trainer(module: Any) -> dict[str, Any]:
    """Have a Trainer fit, validate and test with a data module, on one batch of each loader."""
    limits = {f"limit_{part}_batches": 1 for part in ("train", "val", "test")}
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
