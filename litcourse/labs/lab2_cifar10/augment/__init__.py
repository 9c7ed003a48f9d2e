"""augment: `CIFAR10DataModule`, judged by what its loaders give, and by many draws of training.

The probe serves drawn images through torchvision's own CIFAR10, whose download is replaced by
one that writes them. Every image is noise and unlike all others, so each crop tells which image
it shows, from where, and whether it is mirrored. The split is judged as in lab 1.

Read in this order:

1. `litcourse.probing.datamodules`: what is asked of every data module.
2. `_crops`: where in a drawn image a crop of it lies.
3. `_statistics`: whether many crops look as if each was drawn anew.
"""

from __future__ import annotations

import random
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import torch
from torch.utils.data import Subset

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Finding, Inputs, Question
from litcourse.data import CIFAR10_MEAN, CIFAR10_STD
from litcourse.labs.lab2_cifar10.augment._crops import (
    GRID,
    PAD,
    CroppedKind,
    drop_unknown,
    grid,
    locate_crops,
    split_crops,
)
from litcourse.labs.lab2_cifar10.augment._statistics import judge_draws
from litcourse.probing.datamodules.calls import limit_batches, probe_class
from litcourse.probing.datamodules.drawn_sets import draw_sets
from litcourse.probing.datamodules.kind import UNKNOWN
from litcourse.probing.datamodules.samples import identify, right_images
from litcourse.probing.datamodules.uses import judge_class, judge_module

ALL = ("augment", "images", "split", "repeat", "order", "loaders", "prepare")
PASSES = 10
"""Further passes over the training loader: with some 150 samples each about 1,500 draws."""
KIND = CroppedKind(
    "CIFAR10DataModule",
    (3, 32, 32),
    CIFAR10_MEAN,
    CIFAR10_STD,
    batch_size=128,
    val_size=0.1,
    codes={
        "LIT300": "LIT2200",
        "LIT302": "LIT2201",
        "LIT304": "LIT2202",
        "LIT305": "LIT2203",
        "LIT310": "LIT2210",
        "LIT311": "LIT2211",
        "LIT312": "LIT2212",
        "LIT313": "LIT2213",
        "LIT315": "LIT2215",
        "LIT322": "LIT2222",
        "LIT352": "LIT2252",
    },
    key_pixels=3 * GRID * GRID,
    costs_of_strangers=("augment", "split", "repeat", "order", "loaders"),
)


def draw(rng: Random) -> Inputs:
    """Two small sets of images, and the class's arguments."""
    counts = {"train": (165, 190), "test": (25, 40)}
    shown = {
        **draw_sets(rng, KIND.shape, counts, (0.12, 0.15, 0.2)),
        # Read off the loaders, none is started; numbers that nobody writes down by chance.
        "num_workers": rng.choice([3, 5, 6, 7]),
        "seed": rng.randrange(2**31),
    }
    return Inputs(shown)


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Use the class as Lightning does; in between, many passes over the training loader."""

    def more(module: Any) -> dict[str, Any]:
        # Seeded, so that a student's own check says the same each time it is asked.
        random.seed(shown["seed"])
        np.random.seed(shown["seed"])  # noqa: NPY002 (whatever source the student's code uses)
        torch.manual_seed(shown["seed"])
        loader = module.train_dataloader()
        passes = [
            [KIND.key(images) for images in limit_batches(loader, shown)] for _ in range(PASSES)
        ]
        sizes = [[len(keys) for keys in batches] for batches in passes]
        keys = [torch.cat(batches) for batches in passes]
        return {"draws": keys, "draw_sizes": sizes, **_sets(loader, module.val_dataloader())}

    evidence: dict[str, Any] = probe_class(student[KIND.class_name], shown, KIND, more)
    return evidence


def _sets(train: Any, val: Any) -> dict[str, Any]:
    """Whether two loaders serve one data set, and whether a Subset was given a transform."""
    (train_set, *train_parts), (val_set, *val_parts) = _layers(train), _layers(val)
    parts = [*train_parts, *val_parts]
    return {
        "one_set": train_set is val_set,
        "on_subset": any("transform" in vars(part) for part in parts),
    }


def _layers(loader: Any) -> list[Any]:
    """The data set of a loader, then the plain Subsets around it."""
    found = [getattr(loader, "dataset", None)]
    while type(found[0]) is Subset:
        found.insert(0, found[0].dataset)
    return found


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Finding]:
    """Validation and test as they are, training by the statistics of its draws; then the split."""
    fatal = judge_class(KIND, evidence, ALL)
    if fatal:
        return [_named(finding) for finding in fatal]
    changed = _judge_unchanged(inputs, evidence["first"]) or _judge_crops(inputs, evidence["first"])
    found = judge_module(KIND, inputs, evidence, changed)
    if not any("repeat" in finding.criteria for finding in found):
        found += _judge_reseeded(evidence["first"])
    if any("augment" in finding.criteria for finding in found):
        return found
    # Images of the test set among those of training are a matter of the split.
    mixed = any(f.called == "train_dataloader()" and "split" in f.criteria for f in found)
    return [*_judge_augmented(inputs, evidence["first"], among_others=mixed), *found]


def _named(finding: Finding) -> Finding:
    """Torch's word on a split by fixed numbers does not say that the data may be others."""
    fixed = "Sum of input lengths" in finding.got
    return replace(finding, code="LIT2263") if fixed else finding


def _judge_reseeded(first: Evidence) -> list[Finding]:
    """The split has a generator of its own."""
    if not first["reseeded"].flag():
        return []
    expected, got = "torch's random state as it was", "another seed"
    return [Finding("LIT2260", ("repeat",), "setup and loaders", expected, got)]


def _judge_unchanged(inputs: Inputs, first: Evidence) -> list[Finding]:
    """Validation and test show the whole image, upright."""
    for name, part in (("val", "train"), ("test", "test")):
        images = first[name]["images"].tensor()
        if images.shape[1:] != KIND.shape or images.dtype != torch.float32 or not len(images):
            return []  # that is judged elsewhere
        crops = locate_crops(right_images(KIND, inputs, part), grid(images))
        known = crops.image != UNKNOWN
        moved = (crops.down != PAD) | (crops.across != PAD) | (crops.mirrored != 0)
        changed = int((known & moved).sum())
        if changed:
            expected, got = "images as they are", f"{changed} of {len(images)} changed"
            return [Finding("LIT2220", ("augment",), f"{name}_dataloader()", expected, got)]
    return []


def _judge_crops(inputs: Inputs, first: Evidence) -> list[Finding]:
    """Training shows crops and mirror images of what is there; others can't be told apart."""
    images = first["train"]["images"].tensor()
    if images.shape[1:] != KIND.shape or images.dtype != torch.float32:
        return []
    none = [n for n, i in enumerate(identify(KIND, inputs, "train", images)) if i == UNKNOWN]
    if not none or UNKNOWN not in identify(KIND, inputs, "test", images[none]):
        return []
    if UNKNOWN in identify(KIND, inputs, "train", first["val"]["images"].tensor()):
        return []  # then it is not the augmentation
    cost = ("augment", "images", "split", "repeat", "order")
    expected = "crops out of 4 pixels of padding, mirrored or not"
    got = f"{len(none)} of {len(images)} images are none"
    return [Finding("LIT2235", cost, "train_dataloader()", expected, got)]


def _judge_augmented(inputs: Inputs, first: Evidence, *, among_others: bool) -> list[Finding]:
    known = right_images(KIND, inputs, "train")
    keys = [node.tensor() for node in first["draws"]]
    sizes = [node.integers() for node in first["draw_sizes"]]
    every = len(keys) == len(sizes) == PASSES
    for rows, counts in zip(keys, sizes, strict=False):
        every = every and rows.dim() == 2 and rows.shape[1] == KIND.key_pixels  # noqa: PLR2004
        every = every and rows.dtype == torch.float32 and sum(counts) == len(rows)
        every = every and all(count > 0 for count in counts)
    if not every:
        raise MalformedError(first.path, f"{PASSES} passes of grids of images")
    crops = locate_crops(known, torch.cat(keys))
    passes = split_crops(crops, [len(rows) for rows in keys])
    both = zip(passes, sizes, strict=True)
    found = judge_draws([drop_unknown(*one) if among_others else one for one in both])
    return [_caused(finding, first) for finding in found]


def _caused(finding: Finding, first: Evidence) -> Finding:
    """Why images are not augmented, where the data sets tell."""
    if finding.code != "LIT2230":
        return finding
    if first["on_subset"].flag():
        return replace(finding, code="LIT2262")
    return replace(finding, code="LIT2261") if first["one_set"].flag() else finding


QUESTION = Question(
    title="Augment the training data",
    defines=("CIFAR10DataModule",),
    criteria=(
        Criterion(
            "augment", "training crops and flips anew for each sample; nothing else does", 0.4
        ),
        Criterion("images", "normalised float images with their labels", 0.1),
        Criterion("split", "train, val and test: right sizes, every sample once", 0.2),
        Criterion("repeat", "one split in every process, another for another seed", 0.1),
        Criterion("order", "a new order in each training epoch", 0.05),
        Criterion("loaders", "honours batch_size, num_workers and the defaults", 0.05),
        Criterion("prepare", "prepare_data fetches and keeps no state", 0.1),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
