"""Tests whether crops are drawn anew for each sample: uniform corners, half of them mirrored.

Each limit comes with a bound on the probability that a right answer fails, for about 1,400 draws.
All bounds together are below 2e-5 per check; `tests/litcourse/labs/test_lab2_judges.py` tests that
with real draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from litcourse.core.question import Finding
from litcourse.labs.lab2_cifar10.augment._crops import PLACES, Crops
from litcourse.probing.datamodules.kind import UNKNOWN

COST, CALLED = ("augment",), "many passes over train_dataloader()"
EXPECTED = "81 corners, each as often; half of the images mirrored; drawn for each sample"
SIGMAS = 5.5
"""A share is this many standard deviations from 1/2 with probability 4e-8 (normal, two-sided)."""
AXIS_LIMIT = 50.0
"""Chi-square with 8 degrees of freedom exceeds 50 with probability 4e-8."""
PLACE_LIMIT = 180.0
"""Chi-square with 80 degrees of freedom exceeds 180 with probability 1e-9; cells of only 17 draws
make the tail slightly heavier."""
MOST = 0.4
"""If so large a share of draws is equal, that alone explains why other tests fail."""
SAME_SHARE = 0.06
"""Two draws are equal with probability 1/162; of 100 pairs at least 7 are with probability 1e-6,
and of more pairs that share is rarer."""

Pass = tuple[Crops, list[int]]
"""The crops of one pass over the loader, in order, and the sizes of its batches."""


def judge_draws(passes: list[Pass]) -> list[Finding]:
    """The finding of the first test that fails; earlier tests explain the failure of later ones."""
    if not passes or not all(len(crops.image) for crops, _ in passes):
        return [Finding("LIT2236", COST, CALLED, EXPECTED, "no images")]
    every = _join([crops for crops, _ in passes])
    unknown = int((every.image == UNKNOWN).sum())
    if unknown:
        got = f"{unknown} of {len(every.image)} images that are no crop or mirror image"
        return [Finding("LIT2235", COST, CALLED, EXPECTED, got)]
    tests: list[Callable[[], tuple[str, str] | None]] = [
        lambda: _test_constant(every),
        lambda: _test_passes(passes, MOST),
        lambda: _test_batches(passes, every, MOST),
        lambda: _test_mirroring(every),
        lambda: _test_corners(every),
        lambda: _test_passes(passes, SAME_SHARE),
        lambda: _test_batches(passes, every, SAME_SHARE),
    ]
    found = next(filter(None, (test() for test in tests)), None)
    return [Finding(found[0], COST, CALLED, EXPECTED, found[1])] if found else []


def _join(crops: list[Crops]) -> Crops:
    names = ("image", "down", "across", "mirrored")
    return Crops(*(torch.cat([getattr(c, name) for c in crops]) for name in names))


def _encode(crops: Crops) -> Tensor:
    """Each draw as one number from 0 to 161."""
    return (crops.mirrored * PLACES + crops.down) * PLACES + crops.across


def _test_constant(every: Crops) -> tuple[str, str] | None:
    corners = _encode(every) % PLACES**2
    if len(corners.unique()) > 1:
        return None
    if len(every.mirrored.unique()) > 1:
        return "LIT2231", "every crop from the same corner"
    return "LIT2230", "every image the same way"


def _test_mirroring(every: Crops) -> tuple[str, str] | None:
    count, mirrored = len(every.mirrored), int(every.mirrored.sum())
    if abs(mirrored - count / 2) <= SIGMAS * math.sqrt(count) / 2:
        return None
    return "LIT2232", f"{mirrored} of {count} images mirrored"


def _test_passes(passes: list[Pass], share: float) -> tuple[str, str] | None:
    """Compare each image's draws in two passes: too many equal ones mean one draw for both."""
    once, again = (_map_images(crops) for crops, _ in passes[:2])
    shared = [image for image in once if image in again]
    same = sum(once[image] == again[image] for image in shared)
    if same <= max(6, share * len(shared)):
        return None
    return "LIT2233", f"{same} of {len(shared)} images just as in the pass before"


def _map_images(crops: Crops) -> dict[int, int]:
    return dict(zip(crops.image.tolist(), _encode(crops).tolist(), strict=True))


def _test_batches(passes: list[Pass], every: Crops, share: float) -> tuple[str, str] | None:
    """Compare neighbours in each batch: too many equal ones mean one draw for the batch."""
    same = pairs = corners = sides = 0
    for crops, sizes in passes:
        for batch in _encode(crops).split(sizes):
            corner, side = batch % PLACES**2, batch.div(PLACES**2, rounding_mode="floor")
            pairs += len(batch) - 1
            same += int((batch[1:] == batch[:-1]).sum())
            corners += int((corner[1:] == corner[:-1]).sum())
            sides += int((side[1:] == side[:-1]).sum())
    # Two corners alone are equal with probability 1/81, twice that of a whole draw.
    if max(same, corners / 2) > max(20, share * pairs):
        return "LIT2234", f"{max(same, corners)} of {pairs} neighbours in a batch cropped alike"
    uneven = abs(sides - pairs / 2)
    least = pairs * 0.45 if share == MOST else SIGMAS * math.sqrt(pairs) / 2
    if len(every.mirrored.unique()) > 1 and uneven > least:
        return "LIT2234", f"{sides} of {pairs} neighbours in a batch mirrored alike"
    return None


def _test_corners(every: Crops) -> tuple[str, str] | None:
    for name, axis in (("rows", every.down), ("columns", every.across)):
        counts = torch.bincount(axis, minlength=PLACES)
        if _chi_square(counts) > AXIS_LIMIT:
            shown = ", ".join(str(int(count)) for count in counts)
            return "LIT2231", f"{name} of the corner, 0 to 8: {shown} times"
    corners = torch.bincount(_encode(every) % PLACES**2, minlength=PLACES**2)
    if _chi_square(corners) > PLACE_LIMIT:
        got = f"{int((corners > 0).sum())} corners, the most frequent {int(corners.max())} times"
        return "LIT2231", got
    return None


def _chi_square(counts: Tensor) -> float:
    expected = counts.sum().double() / len(counts)
    return float(((counts - expected) ** 2 / expected).sum())
