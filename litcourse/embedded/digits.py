"""Real handwritten digits, small enough to ship.

They are the 1797 images that scikit-learn's ``load_digits`` returns: the test part of "Optical
Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (UCI Machine Learning
Repository, 1998, https://doi.org/10.24432/C50P49), licensed CC BY 4.0. The 8x8 originals lie
beside this file in ``digits.npz``; ``enlarge`` is the only change made to them.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["digits", "enlarge", "held_out"]

SIDE = 8  # pixels of an original
LEVELS = 16  # an original's brightest value
INNER = 20  # MNIST, too, keeps its digits in the middle 20x20 of 28x28
OUTER = 28


def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return all images (1797, 28, 28) uint8, 0 to 255, and their digits (1797,) int64.

    The order is the original one, which runs from writer to writer.
    """
    with (files("litcourse.embedded") / "digits.npz").open("rb") as file, np.load(file) as stored:
        return enlarge(stored["images"]), stored["labels"].astype(np.int64)


def enlarge(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Enlarge images (N, 8, 8) uint8, 0 to 16, to (N, 28, 28) uint8, 0 to 255.

    Interpolates bilinearly to 20x20, then pads with black. All arithmetic is in integers, since
    the weights are multiples of a tenth, so every machine computes the same pixels.
    """
    weights = _tenths()
    inner = weights @ images.astype(np.int64) @ weights.T  # 0 to 100 * LEVELS
    full = 100 * LEVELS
    framed = np.zeros((len(images), OUTER, OUTER), dtype=np.uint8)
    edge = (OUTER - INNER) // 2
    framed[:, edge:-edge, edge:-edge] = (inner * 255 + full // 2) // full
    return framed


def held_out(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a mask of the test set, (N,) bool: every fifth sample of each digit.

    Each digit has the same share in both parts. The originals do not name the writers, so a
    writer's digits may be in both.
    """
    chosen = np.zeros(len(labels), dtype=bool)
    for digit in range(10):
        chosen[np.flatnonzero(labels == digit)[2::5]] = True
    return chosen


def _tenths() -> NDArray[np.int64]:
    """Return the bilinear weights (20, 8) from 8 pixels to 20, in tenths; each row sums to 10."""
    weights = np.zeros((INNER, SIDE), dtype=np.int64)
    for row in range(INNER):
        position = 4 * row - 3  # of pixel centres, in tenths: 10 * ((row + 0.5) * 8 / 20 - 0.5)
        below, share = divmod(position, 10)
        weights[row, max(below, 0)] += 10 - share
        weights[row, min(below + 1, SIDE - 1)] += share
    return weights
