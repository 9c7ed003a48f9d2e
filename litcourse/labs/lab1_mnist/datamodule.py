"""datamodule: `MNISTDataModule`, judged by what its loaders give.

The probe serves drawn images through torchvision's own MNIST, whose download is replaced by
one that writes them; so it also sees when the student's class fetches. Every drawn image is
unlike all others, which tells the judge which sample is where.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from litcourse.evidence import Evidence
from litcourse.idx import write_mnist
from litcourse.known_errors import RAISED, error_finding
from litcourse.labs.lab1_mnist._fetching import Fetching, data_variable
from litcourse.labs.lab1_mnist._samples import (
    TOLERANCE,
    identify,
    judge_images,
    judge_split,
    who,
)
from litcourse.lightning_tools import bases, quiet_trainer
from litcourse.networks import generator
from litcourse.question import Criterion, Draw, Finding, Question
from litcourse.stand_ins import Onlooker
from litcourse.student import Student, attempt

ALL = ("images", "split", "repeat", "order", "loaders", "prepare")
KEY_PIXELS = 28
"""Pixels per image, its first row, by which a sample is recognised in later passes."""


def draw(rng: Random) -> Draw:
    """Two small sets of images, and the class's arguments."""
    sets = {}
    for name, low, high in (("train", 90, 120), ("test", 30, 45)):
        count, source = rng.randrange(low, high), generator(rng)
        images = torch.randint(256, (count, 28, 28), generator=source, dtype=torch.uint8)
        labels = torch.randint(10, (count,), generator=source)
        sets[name] = {"images": images, "labels": labels}
    total, val_size = len(sets["train"]["labels"]), rng.choice([0.15, 0.2, 0.25, 0.3])
    val = round(val_size * total)
    # Every loader ends in a batch that is clearly smaller, so that dropping it shows.
    sizes = [n for n in range(7, 14) if min(val % n, (total - val) % n) >= 3]  # noqa: PLR2004
    given = {
        "sets": sets,
        "batch_size": rng.choice(sizes or [13]),
        "val_size": val_size,
        "seeds": rng.sample(range(1, 10**6), 2),
        "num_workers": rng.randrange(1, 3),
    }
    return Draw(given)


# --- probe ------------------------------------------------------------------------------


def probe(given: dict[str, Any], student: Student) -> dict[str, Any]:
    """Use the class as Lightning does on one rank, on another, again, and with other seeds."""
    cls = student["MNISTDataModule"]
    fetching = Fetching(given["sets"])
    with fetching.in_place():
        evidence = {"bases": bases(cls), **_probe_parts(cls, given, fetching)}
    return {**evidence, "fetched_in": fetching.phases}


def _probe_parts(cls: Any, given: dict[str, Any], fetching: Fetching) -> dict[str, Any]:
    first, second = given["seeds"]
    arguments = {"batch_size": given["batch_size"], "val_size": given["val_size"]}
    root = Path("data").absolute()
    root.mkdir()

    def make(seed: int, **more: Any) -> Any:
        return cls(data_dir=str(root), seed=seed, **arguments, **more)

    def prepare() -> dict[str, Any]:
        module = make(first)
        before = set(vars(module))
        fetching.phase = "prepare_data"
        module.prepare_data()
        return {"kept": sorted(str(name) for name in set(vars(module)) - before)}

    prepared = attempt(prepare, "prepare_data()")
    fetching.phase = "setup"
    write_mnist(root, given["sets"])  # so that the rest can be judged whatever was fetched
    return {
        "prepared": prepared,
        "first": attempt(lambda: _passes(make(first)), "setup and loaders"),
        "elsewhere": attempt(lambda: _split(make(first)), "setup in another process"),
        "validate": attempt(lambda: _validation(make(first)), 'setup("validate")'),
        "trainer": attempt(lambda: _under_trainer(make(first)), "Trainer.fit, validate and test"),
        "again": attempt(lambda: _split(make(first), again=True), "setup, once more"),
        "other_seed": attempt(lambda: _split(make(second)), "setup with another seed"),
        "after_prepare": attempt(lambda: _after_prepare(make(first)), "prepare_data and setup"),
        "workers": attempt(
            lambda: _workers(make(first, num_workers=given["num_workers"])), "num_workers"
        ),
        "defaults": attempt(lambda: _defaults(cls, root), "MNISTDataModule()"),
    }


def _passes(module: Any) -> dict[str, Any]:
    """Two epochs of training, one of validation, one of test, on a rank that prepared nothing."""
    torch.manual_seed(1)
    module.setup(stage="fit")
    train, val = module.train_dataloader(), module.val_dataloader()
    evidence = {"train": _pass(train), "train_again": _keys(train), "val": _pass(val)}
    module.setup(stage="test")
    return {**evidence, "test": _pass(module.test_dataloader())}


def _pass(loader: Any) -> dict[str, Any]:
    """Everything that one pass over a loader yields."""
    batches = [(images, labels) for images, labels in loader]
    if not batches:
        return {"sizes": [], "images": torch.zeros(0, 1, 28, 28), "labels": torch.zeros(0).long()}
    return {
        "sizes": [len(images) for images, _ in batches],
        "images": torch.cat([images for images, _ in batches]),
        "labels": torch.cat([labels for _, labels in batches]),
    }


def _keys(loader: Any) -> Tensor:
    """The first row of each image that one pass over a loader yields, (N, 28)."""
    rows = [images.flatten(1)[:, :KEY_PIXELS] for images, _ in loader]
    return torch.cat(rows) if rows else torch.zeros(0, KEY_PIXELS)


def _split(module: Any, *, again: bool = False) -> dict[str, Any]:
    torch.manual_seed(2)  # another process, another state
    for _ in range(2 if again else 1):
        module.setup(stage="fit")
    return {"val": _keys(module.val_dataloader()), "train": _keys(module.train_dataloader())}


def _validation(module: Any) -> dict[str, Any]:
    module.setup(stage="validate")
    return {"val": _keys(module.val_dataloader())}


def _under_trainer(module: Any) -> dict[str, Any]:
    """A Trainer that does all it can do with a data module, on a batch of each loader."""
    limits = {f"limit_{part}_batches": 1 for part in ("train", "val", "test")}
    trainer = quiet_trainer(max_epochs=1, **limits)
    trainer.fit(Onlooker(), datamodule=module)
    trainer.validate(Onlooker(), datamodule=module, verbose=False)
    trainer.test(Onlooker(), datamodule=module, verbose=False)
    return {"steps": trainer.fit_loop.epoch_loop.global_step}


def _after_prepare(module: Any) -> dict[str, Any]:
    module.prepare_data()
    module.setup(stage="fit")
    loaders = [module.train_dataloader(), module.val_dataloader()]
    module.setup(stage="test")
    for loader in (*loaders, module.test_dataloader()):
        next(iter(loader))
    return {}


def _workers(module: Any) -> dict[str, Any]:
    module.setup(stage="fit")
    loaders = {"train": module.train_dataloader(), "val": module.val_dataloader()}
    module.setup(stage="test")
    loaders["test"] = module.test_dataloader()
    return {name: int(loader.num_workers) for name, loader in loaders.items()}


def _defaults(cls: Any, root: Path) -> dict[str, Any]:
    with data_variable(root):
        module = cls()
        module.setup(stage="fit")
        images, _ = next(iter(module.train_dataloader()))
        return {"first_batch": len(images), "val": len(_keys(module.val_dataloader()))}


# --- judge ------------------------------------------------------------------------------


def judge(draw: Draw, evidence: Evidence) -> list[Finding]:
    """What each loader gave, against the drawn images."""
    names = evidence["bases"].texts()
    if not any(name.endswith("LightningDataModule") for name in names):
        got = (names or ["no class"])[0]
        called, expected = "class MNISTDataModule", "of lightning.LightningDataModule"
        return [Finding("LIT300", ALL, called, expected, got)]
    if "error" in evidence["first"]:
        return [_broken(evidence)]
    first = evidence["first"]
    images = judge_images(draw, first)
    rest = [*_judge_loaders(draw, evidence), *_judge_prepare(evidence)]
    if any("split" in finding.criteria for finding in images):
        return [*images, *rest]  # samples that can't be recognised can't be compared either
    split = judge_split(draw, first) or _judge_use(draw, evidence)
    repeat = [] if split else _judge_repeat(draw, evidence)
    return [*images, *split, *repeat, *_judge_order(draw, first), *rest]


def _broken(evidence: Evidence) -> Finding:
    """Nothing came on a rank that prepared nothing, perhaps for want of prepare_data's state."""
    error = evidence["first"]["error"]
    if "error" in evidence["after_prepare"]:
        return error_finding(error, ALL)
    called, expected = "setup where prepare_data never ran", "data sets made in setup"
    got = f"{error['type'].text()}: {error['message'].text()}"
    return Finding("LIT301", ALL, called, expected, got, error["line"].text())


def _judge_use(draw: Draw, evidence: Evidence) -> list[Finding]:
    """What only shows where Lightning itself calls the module."""
    for key, code in (("validate", "LIT303"), ("trainer", "LIT304")):
        if "error" not in evidence[key]:
            continue
        finding = error_finding(evidence[key]["error"], ("split",))
        named = code if finding.code == RAISED else finding.code
        return [Finding(named, ("split",), finding.called, "it works", finding.got, finding.where)]
    if "error" in evidence["elsewhere"]:
        return []  # that is a matter of what repeats
    val = set(identify(draw, "train", evidence["first"]["val"]["images"].tensor()))
    alone, elsewhere = (set(who(draw, evidence[k]["val"])) for k in ("validate", "elsewhere"))
    if val != elsewhere or val == alone:  # a split that is never the same has its own finding
        return []
    expected, got = "the samples that fit validates on", "others"
    return [Finding("LIT303", ("split",), 'setup("validate")', expected, got)]


def _judge_repeat(draw: Draw, evidence: Evidence) -> list[Finding]:
    cost, called = ("repeat",), "setup in two processes"
    for key in ("elsewhere", "again", "other_seed"):
        if "error" in evidence[key]:
            return [error_finding(evidence[key]["error"], cost)]
    val = set(identify(draw, "train", evidence["first"]["val"]["images"].tensor()))
    elsewhere, again, other = (
        set(who(draw, evidence[key]["val"])) for key in ("elsewhere", "again", "other_seed")
    )
    for seen, code, call in ((elsewhere, "LIT330", called), (again, "LIT332", "setup, twice")):
        if val != seen:
            got = f"{len(val - seen)} of {len(val)} validation samples differ"
            return [Finding(code, cost, call, "the same split", got)]
    if val == other:
        called = "setup with another seed"
        return [Finding("LIT331", cost, called, "another split", "the same split")]
    if set(who(draw, evidence["again"]["train"])) & again:
        return [Finding("LIT321", cost, "setup, twice", "disjoint parts", "shared samples")]
    return []


def _judge_order(draw: Draw, first: Evidence) -> list[Finding]:
    once = identify(draw, "train", first["train"]["images"].tensor())
    again = who(draw, first["train_again"])
    if once != again:
        return []
    got = "the order of the data set" if once == sorted(once) else "the same order twice"
    called, expected = "two epochs of train_dataloader()", "a new order each time"
    return [Finding("LIT340", ("order",), called, expected, got)]


def _judge_loaders(draw: Draw, evidence: Evidence) -> list[Finding]:
    cost = ("loaders",)
    size = draw.given["batch_size"]
    for name in ("train", "val", "test"):
        sizes = evidence["first"][name]["sizes"].integers()
        if any(n != size for n in sizes[:-1]) or not all(0 < n <= size for n in sizes[-1:]):
            called, got = f"{name}_dataloader(), batch_size={size}", f"batches of {sizes}"
            return [Finding("LIT350", cost, called, f"batches of {size}", got)]
    if "error" in evidence["workers"]:
        return [error_finding(evidence["workers"]["error"], cost)]
    wanted = draw.given["num_workers"]
    for name in ("train", "val", "test"):
        workers = evidence["workers"][name].integer()
        if workers != wanted:
            called = f"{name}_dataloader() with num_workers={wanted}"
            return [Finding("LIT351", cost, called, f"{wanted} workers", f"{workers} workers")]
    return _judge_defaults(draw, evidence["defaults"])


def _judge_defaults(draw: Draw, seen: Evidence) -> list[Finding]:
    if "error" in seen:
        return [error_finding(seen["error"], ("loaders",))]
    total = len(draw.given["sets"]["train"]["labels"])
    batch, val = seen["first_batch"].integer(), seen["val"].integer()
    right = min(64, total - val)
    if batch == right and abs(val - 0.2 * total) <= 1 + TOLERANCE:
        return []
    expected = f"batches of {right}, about {0.2 * total:.0f} samples to validate"
    got = f"a first batch of {batch}, {val} samples to validate"
    return [Finding("LIT352", ("loaders",), "MNISTDataModule()", expected, got)]


def _judge_prepare(evidence: Evidence) -> list[Finding]:
    cost, called = ("prepare",), "prepare_data() on an empty folder"
    if "error" in evidence["prepared"]:
        return [error_finding(evidence["prepared"]["error"], cost)]
    if "error" in evidence["after_prepare"]:
        return [error_finding(evidence["after_prepare"]["error"], cost)]
    kept = evidence["prepared"]["kept"].texts()
    if kept:
        got = "self." + ", self.".join(kept[:4])
        return [Finding("LIT305", cost, "prepare_data()", "no new attribute", got)]
    phases = evidence["fetched_in"].texts()
    if phases and set(phases) == {"prepare_data"}:
        return []
    got = "fetched in " + ", ".join(phases) if phases else "nothing was fetched"
    return [Finding("LIT302", cost, called, "fetched in prepare_data", got)]


QUESTION = Question(
    title="Bring the data",
    defines=("MNISTDataModule",),
    criteria=(
        Criterion("images", "normalised float images with their labels", 0.2),
        Criterion("split", "train, val and test: right sizes, every sample once", 0.3),
        Criterion("repeat", "one split in every process, another for another seed", 0.2),
        Criterion("order", "a new order in each training epoch", 0.1),
        Criterion("loaders", "honours batch_size, num_workers and the defaults", 0.1),
        Criterion("prepare", "prepare_data fetches and keeps no state", 0.1),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
