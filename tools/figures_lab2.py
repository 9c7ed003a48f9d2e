"""Draw the figures of lab 2 and put them into its notebook as attachments.

    python tools/figures_lab2.py            all of them
    python tools/figures_lab2.py cycle.png  only this one

The pictures are the same on every call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from figures import (  # type: ignore[import-not-found] # beside this script
    GOOD,
    OTHERS,
    YOURS,
    bare,
    draw_into,
    notebook_of,
)
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from litcourse.data import cifar10
from litcourse.labs.lab2_cifar10.schedule._one_cycle import one_cycle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

STEPS, EPOCHS, MAX_LR = 100, 5, 0.1
SIDE, PAD, PADDED = 32, 4, 150
"""Pixels of an image, of its padding, and the grey level of the padding."""
SHAPE = "half disc"
"""Class of the image that is shown: it should have a left and a right."""
CROPS = ((1, 6, YOURS), (7, 2, GOOD))
"""Top, left and colour of the two crops."""


def cycle_figure() -> Figure:
    """OneCycleLR's rate and momentum by step, and the rate if it is stepped once per epoch."""
    figure = Figure(figsize=(9.4, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    rates, momenta = one_cycle(MAX_LR, STEPS)
    left.plot(rates, color=YOURS, lw=1.8, label="every step")
    staircase = np.repeat(rates[:EPOCHS], STEPS // EPOCHS)
    left.plot(staircase, color=OTHERS, lw=1.8, label="every epoch")
    left.set(xlabel="optimizer step", ylabel="learning rate")
    left.legend(frameon=False)
    right.plot(momenta, color=GOOD, lw=1.8)
    right.set(xlabel="optimizer step", ylabel="momentum")
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def crops_figure() -> Figure:
    """A padded image with two windows, and what they show, mirrored as well."""
    figure: Figure = bare(9.4, 3.6)[0]
    images = cifar10(train=True)
    image = np.asarray(images.data[images.targets.index(images.classes.index(SHAPE))])
    padded = np.full((SIDE + 2 * PAD, SIDE + 2 * PAD, 3), PADDED, dtype=np.uint8)
    padded[PAD:-PAD, PAD:-PAD] = image
    whole = _shown(figure, (0.03, 0.06, 0.36, 0.82), padded, "image and padding")
    for row, (top, left, color) in enumerate(CROPS):
        window = padded[top : top + SIDE, left : left + SIDE]
        corner = (left - 0.5, top - 0.5)
        whole.add_patch(_frame(corner, color))
        height = 0.5 - 0.46 * row
        for column, (what, pixels) in enumerate((("crop", window), ("mirrored", window[:, ::-1]))):
            place = (0.47 + 0.25 * column, height, 0.2, 0.38)
            axes = _shown(figure, place, pixels, what)
            axes.add_patch(_frame((-0.5, -0.5), color))
    return figure


def _frame(corner: tuple[float, float], color: str) -> Rectangle:
    return Rectangle(corner, SIDE, SIDE, fill=False, edgecolor=color, lw=2.5)


def _shown(
    figure: Figure, place: tuple[float, float, float, float], pixels: NDArray[np.uint8], title: str
) -> Axes:
    axes = figure.add_axes(place)
    axes.imshow(pixels, interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()
    return axes


if __name__ == "__main__":
    figures: dict[str, Callable[[], Figure]] = {
        "cycle.png": cycle_figure,
        "crops.png": crops_figure,
    }
    draw_into(notebook_of("lab2_cifar10"), figures, sys.argv[1:])
