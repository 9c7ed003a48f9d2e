"""augment: `CIFAR10DataModule` serves CIFAR10, and augments the training images alone.

The probe replaces the download of torchvision's CIFAR10 by one that writes drawn images. All
images are noise and differ, so the judge finds out which image a crop shows, from which place, and
whether it is mirrored. It judges the split as lab 1 does.

Read in this order:

1. `litcourse.probing.datamodules`: judges any data module.
2. `_crops`: finds the image, the place and the mirroring of a crop.
3. `_statistics`: tests whether crops are drawn anew for each sample.
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
from litcourse.core.marks import find_findings, merge
from litcourse.core.namespace import Student
from litcourse.core.question import (
    Criterion,
    Earned,
    Finding,
    Inputs,
    Mark,
    NotLookedAt,
    Question,
)
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
"""Number of further passes over the training loader; 150 samples in each give 1,500 draws."""
UNSEEN = ("images", "split", "repeat", "order")
"""Criteria that need samples which the judge recognises."""
LEAST_SHARE = 0.4
"""Share of the drawn images that a pass must have: of a few draws, wrong ones look right too."""
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
        # No worker starts: the probe only reads num_workers. Nobody uses these numbers by default.
        "num_workers": rng.randrange(65, 100),
        "seed": rng.randrange(2**31),
    }
    return Inputs(shown)


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Use the class as Lightning does, with many more passes over the training loader."""

    def measure_draws(module: Any) -> dict[str, Any]:
        # Seeded, so that a student's own check has the same verdict each time.
        random.seed(shown["seed"])
        np.random.seed(shown["seed"])  # noqa: NPY002 (whatever source the student's code uses)
        torch.manual_seed(shown["seed"])
        loader = module.train_dataloader()
        passes = [
            [KIND.key(images) for images in limit_batches(loader, shown)] for _ in range(PASSES)
        ]
        sizes = [[len(keys) for keys in batches] for batches in passes]
        keys = [torch.cat(batches) for batches in passes]
        sets = _describe_sets(loader, module.val_dataloader())
        return {"draws": keys, "draw_sizes": sizes, "later": _changes_batches(module), **sets}

    evidence: dict[str, Any] = probe_class(student[KIND.class_name], shown, KIND, measure_draws)
    return evidence


def _changes_batches(module: Any) -> bool:
    """Whether the class has a hook that changes batches behind the loader."""
    names = ("on_before_batch_transfer", "on_after_batch_transfer", "transfer_batch_to_device")
    return any(name in vars(kind) for kind in type(module).__mro__[:1] for name in names)


def _describe_sets(train: Any, val: Any) -> dict[str, Any]:
    """Whether two loaders serve one data set, and whether a Subset has an attribute `transform`."""
    (train_set, *train_parts), (val_set, *val_parts) = _unwrap_subsets(train), _unwrap_subsets(val)
    parts = [*train_parts, *val_parts]
    return {
        "one_set": train_set is val_set,
        "on_subset": any("transform" in vars(part) for part in parts),
    }


def _unwrap_subsets(loader: Any) -> list[Any]:
    """The data set of a loader, then the plain Subsets around it."""
    found = [getattr(loader, "dataset", None)]
    while type(found[0]) is Subset:
        found.insert(0, found[0].dataset)
    return found


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge that validation and test are unchanged, training by its draws, then the split."""
    fatal = judge_class(KIND, evidence, ALL)
    if fatal:
        return [_name_fixed_split(finding) for finding in fatal]
    first = evidence["first"]
    unchanged = _judge_unchanged(inputs, first)
    changed = find_findings(unchanged) or _judge_crops(inputs, first)
    marks = judge_module(KIND, inputs, evidence, changed)
    if not any("repeat" in finding.criteria for finding in find_findings(marks)):
        marks += _judge_reseeded(first)
    found = find_findings(marks)
    if any("augment" in finding.criteria for finding in found):
        return marks
    # `judge_split` judges test images in the training loader; here they are left out.
    mixed = any(f.called == "train_dataloader()" and "split" in f.criteria for f in found)
    drawn = _judge_augmented(inputs, first, among_others=mixed)
    return [*merge([unchanged, drawn]), *marks]


def _name_fixed_split(finding: Finding) -> Finding:
    """LIT2263 for torch's error on a split by fixed numbers, whose text omits the cause."""
    fixed = "Sum of input lengths" in finding.got
    return replace(finding, code="LIT2263") if fixed else finding


def _judge_reseeded(first: Evidence) -> list[Finding]:
    """Judge that the split uses its own generator and does not seed torch."""
    if not first["reseeded"].flag():
        return []
    expected, got = "torch's random state as it was", "another seed"
    return [Finding("LIT2260", ("repeat",), "setup and loaders", expected, got)]


def _judge_unchanged(inputs: Inputs, first: Evidence) -> list[Mark]:
    """Judge that validation and test show whole images of either set, not mirrored."""
    drawn = torch.cat([right_images(KIND, inputs, part) for part in ("train", "test")])
    seen = []
    for name in ("val", "test"):
        images = first[name]["images"].tensor()
        if images.shape[1:] != KIND.shape or images.dtype != torch.float32 or not len(images):
            return []  # `judge_images` judges that
        crops = locate_crops(drawn, grid(images))
        known = crops.image != UNKNOWN
        seen.append(bool(known.all()))
        moved = (crops.down != PAD) | (crops.across != PAD) | (crops.mirrored != 0)
        changed = int((known & moved).sum())
        if changed:
            expected, got = "images as they are", f"{changed} of {len(images)} changed"
            code = "LIT2221" if name == "test" else "LIT2220"
            return [Finding(code, ("augment",), f"{name}_dataloader()", expected, got)]
    return [Earned(("augment",))] if all(seen) else []


def _judge_crops(inputs: Inputs, first: Evidence) -> list[Mark]:
    """Judge that training shows crops or mirror images; other images can't be recognised."""
    images = first["train"]["images"].tensor()
    if images.shape[1:] != KIND.shape or images.dtype != torch.float32:
        return []
    none = [n for n, i in enumerate(identify(KIND, inputs, "train", images)) if i == UNKNOWN]
    if not none or UNKNOWN not in identify(KIND, inputs, "test", images[none]):
        return []
    if UNKNOWN in identify(KIND, inputs, "train", first["val"]["images"].tensor()):
        return []  # validation has unknown images too, so augmentation is not the cause
    expected = "crops out of 4 pixels of padding, mirrored or not"
    got = f"{len(none)} of {len(images)} images are none"
    reason = "what shows no image that the check knows can't be told apart"
    return [
        Finding("LIT2235", ("augment",), "train_dataloader()", expected, got),
        NotLookedAt(UNSEEN, reason),
    ]


def _judge_augmented(inputs: Inputs, first: Evidence, *, among_others: bool) -> list[Mark]:
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
    kept = [drop_unknown(*one) if among_others else one for one in both]
    found = judge_draws(kept)
    if found:
        return [_explain_unchanged(finding, first) for finding in found]
    least, fewest = LEAST_SHARE * len(known), min(len(crops.image) for crops, _ in kept)
    if fewest < least:
        reason = f"{fewest} training images in an epoch are too few to tell"
        return [NotLookedAt(("augment",), reason)]
    return [Earned(("augment",))]


def _explain_unchanged(finding: Finding, first: Evidence) -> Finding:
    """The finding with a code for the cause of missing augmentation, if the data sets show it."""
    if finding.code != "LIT2230":
        return finding
    if first["later"].flag():
        return replace(finding, code="LIT2264")
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
