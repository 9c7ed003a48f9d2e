"""Whether many crops look as if each was drawn anew: corners uniform, half of them mirrored.

How often a right answer fails a test is bounded below, for n draws of about 1,400. All bounds
together stay under 2e-5 per check; `tests/litcourse/labs/test_lab2_judges.py` draws for real.
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
"""A share this many standard deviations off 1/2: 4e-8, two-sided, by the normal law."""
AXIS_LIMIT = 50.0
"""Chi-square with 8 degrees of freedom: above 50 with probability 4e-8."""
PLACE_LIMIT = 180.0
"""With 80 degrees of freedom: 1e-9. Cells of 17 draws each make the tail slightly heavier."""
MOST = 0.4
"""A share of equal draws that leaves no doubt why the other tests fail."""
SAME_SHARE = 0.06
"""Of two draws one in 162 is equal by chance; of a hundred pairs at least seven: 1e-6, less of
more pairs."""

Pass = tuple[Crops, list[int]]
"""The crops of one pass over the loader, in order, and how many a batch had."""


def judge_draws(passes: list[Pass]) -> list[Finding]:
    """The first test that fails, named by what would explain it."""
    if not passes or not all(len(crops.image) for crops, _ in passes):
        return [Finding("LIT2236", COST, CALLED, EXPECTED, "no images")]
    every = _joined([crops for crops, _ in passes])
    unknown = int((every.image == UNKNOWN).sum())
    if unknown:
        got = f"{unknown} of {len(every.image)} images that are no crop or mirror image"
        return [Finding("LIT2235", COST, CALLED, EXPECTED, got)]
    tests: list[Callable[[], tuple[str, str] | None]] = [
        lambda: _no_crop(every),
        lambda: _repeated(passes, MOST),
        lambda: _per_batch(passes, every, MOST),
        lambda: _mirroring(every),
        lambda: _corners(every),
        lambda: _repeated(passes, SAME_SHARE),
        lambda: _per_batch(passes, every, SAME_SHARE),
    ]
    found = next(filter(None, (test() for test in tests)), None)
    return [Finding(found[0], COST, CALLED, EXPECTED, found[1])] if found else []


def _joined(crops: list[Crops]) -> Crops:
    names = ("image", "down", "across", "mirrored")
    return Crops(*(torch.cat([getattr(c, name) for c in crops]) for name in names))


def _draw(crops: Crops) -> Tensor:
    """Each draw as one number of 162."""
    return (crops.mirrored * PLACES + crops.down) * PLACES + crops.across


def _no_crop(every: Crops) -> tuple[str, str] | None:
    corners = _draw(every) % PLACES**2
    if len(corners.unique()) > 1:
        return None
    if len(every.mirrored.unique()) > 1:
        return "LIT2231", "every crop from the same corner"
    return "LIT2230", "every image the same way"


def _mirroring(every: Crops) -> tuple[str, str] | None:
    count, mirrored = len(every.mirrored), int(every.mirrored.sum())
    if abs(mirrored - count / 2) <= SIGMAS * math.sqrt(count) / 2:
        return None
    return "LIT2232", f"{mirrored} of {count} images mirrored"


def _repeated(passes: list[Pass], share: float) -> tuple[str, str] | None:
    """One image in two passes: drawn once and kept, if too many are the same."""
    once, again = (_by_image(crops) for crops, _ in passes[:2])
    shared = [image for image in once if image in again]
    same = sum(once[image] == again[image] for image in shared)
    if same <= max(6, share * len(shared)):
        return None
    return "LIT2233", f"{same} of {len(shared)} images just as in the pass before"


def _by_image(crops: Crops) -> dict[int, int]:
    return dict(zip(crops.image.tolist(), _draw(crops).tolist(), strict=True))


def _per_batch(passes: list[Pass], every: Crops, share: float) -> tuple[str, str] | None:
    """Neighbours within a batch: one draw for all of them, if too many are the same."""
    same = pairs = corners = sides = 0
    for crops, sizes in passes:
        for batch in _draw(crops).split(sizes):
            corner, side = batch % PLACES**2, batch.div(PLACES**2, rounding_mode="floor")
            pairs += len(batch) - 1
            same += int((batch[1:] == batch[:-1]).sum())
            corners += int((corner[1:] == corner[:-1]).sum())
            sides += int((side[1:] == side[:-1]).sum())
    # Of corners alone one pair in 81 is the same by chance.
    if max(same, corners / 2) > max(20, share * pairs):
        return "LIT2234", f"{max(same, corners)} of {pairs} neighbours in a batch cropped alike"
    uneven = abs(sides - pairs / 2)
    least = pairs * 0.45 if share == MOST else SIGMAS * math.sqrt(pairs) / 2
    if len(every.mirrored.unique()) > 1 and uneven > least:
        return "LIT2234", f"{sides} of {pairs} neighbours in a batch mirrored alike"
    return None


def _corners(every: Crops) -> tuple[str, str] | None:
    for name, axis in (("rows", every.down), ("columns", every.across)):
        counts = torch.bincount(axis, minlength=PLACES)
        if _chi_square(counts) > AXIS_LIMIT:
            shown = ", ".join(str(int(count)) for count in counts)
            return "LIT2231", f"{name} of the corner, 0 to 8: {shown} times"
    corners = torch.bincount(_draw(every) % PLACES**2, minlength=PLACES**2)
    if _chi_square(corners) > PLACE_LIMIT:
        got = f"{int((corners > 0).sum())} corners, the most frequent {int(corners.max())} times"
        return "LIT2231", got
    return None


def _chi_square(counts: Tensor) -> float:
    expected = counts.sum().double() / len(counts)
    return float(((counts - expected) ** 2 / expected).sum())
