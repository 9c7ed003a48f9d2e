"""Draw the figures of lab 3 and put them into its notebook as attachments.

    python tools/figures_lab3.py             all of them
    python tools/figures_lab3.py sampler.png  only this one

The curves of `batch.png` are real trainings on the embedded digits, the samples of `sampler.png`
the real output of torch's DistributedSampler. The pictures are the same on every call, but for
last digits of the runs on other hardware.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from figures import (  # type: ignore[import-not-found] # beside this script
    GOOD,
    OTHERS,
    YOURS,
    bare,
    draw_into,
    notebook_of,
)
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch.nn import functional as F
from torch.utils.data import DistributedSampler, TensorDataset
from torchvision.transforms.functional import pil_to_tensor

from litcourse.data import MNIST_MEAN, MNIST_STD, mnist
from litcourse.models import MLP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARDS = ("#c7dcf3", "#fbdcc4", "#d5ead0", "#e6d8ef")
"""Colours of ranks 0 to 3."""


def drawing(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of this size in inches without axes."""
    made: tuple[Figure, Axes] = bare(width, height)
    return made


def box(axes: Axes, x: float, y: float, width: float, height: float, **style: Any) -> None:
    """A rounded box around (x, y)."""
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0.02", **style
        )
    )


def words(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Centred text."""
    settings: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9.5, **style}
    axes.text(x, y, text, **settings)


def down(axes: Axes, x: float, start: float, end: float, **style: Any) -> None:
    """An arrow downwards."""
    arrow = {"arrowstyle": "->", "color": OTHERS, "lw": 1.3} | style
    axes.annotate("", (x, end), (x, start), arrowprops=arrow)


def ddp_figure() -> Figure:
    """One step of two ranks: shard, replica, gradient, all-reduce, step."""
    figure, axes = drawing(8.6, 4.6)
    axes.set(xlim=(0, 8.6), ylim=(0, 5.4))
    rows = (4.45, 3.35, 2.25, 1.35, 0.45)
    for rank, x in enumerate((3.0, 6.4)):
        words(axes, x, 5.15, f"rank {rank}", fontsize=11, weight="bold")
        box(axes, x, rows[0], 2.3, 0.5, fc=SHARDS[rank], ec="white")
        words(axes, x, rows[0], f"shard {rank} of the batch")
        box(axes, x, rows[1], 2.3, 0.62, fc="white", ec=YOURS, lw=1.5)
        words(axes, x, rows[1], "replica: weights w", color=YOURS)
        box(axes, x, rows[2], 2.3, 0.5, fc=SHARDS[rank], ec="white")
        words(axes, x, rows[2], f"gradient $g_{rank}$")
        box(axes, x, rows[4], 2.3, 0.5, fc="white", ec=YOURS, lw=1.5)
        words(axes, x, rows[4], r"step: w $-$ lr $\cdot\,g$", color=YOURS)
        for above, below in pairwise(rows):
            down(axes, x, above - 0.33, below + 0.35)
    box(axes, 4.7, rows[3], 6.3, 0.46, fc=GOOD, ec="white")
    mean = r"all_reduce:  $g = \frac{1}{2}\,(g_0 + g_1)$   on every rank"
    words(axes, 4.7, rows[3], mean, color="white", fontsize=10.5)
    for y, text in zip(rows, ("data", "forward", "backward", "", "optimizer"), strict=True):
        axes.text(0.2, y, text, fontsize=9.5, color=OTHERS, va="center", style="italic")
    axes.text(0.2, rows[3], "the ranks\ntalk", fontsize=9.5, color=GOOD, va="center")
    return figure


# --- what a larger batch does ------------------------------------------------------------


def losses(batch_size: int, lr: float, epochs: int = 12) -> tuple[list[int], list[float]]:
    """Samples seen and the loss on the whole training set, by epoch, of plain SGD."""
    digits = mnist(train=True)
    pixels = torch.stack([pil_to_tensor(image) for image, _ in digits])
    images = (pixels.float() / 255 - MNIST_MEAN[0]) / MNIST_STD[0]
    labels = torch.tensor([label for _, label in digits])
    torch.manual_seed(0)
    network, source = MLP(), torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    seen, curve = [], []
    for epoch in range(epochs + 1):
        with torch.no_grad():
            seen.append(epoch * len(labels))
            curve.append(float(F.cross_entropy(network(images), labels)))
        for part in torch.randperm(len(labels), generator=source).split(batch_size):
            optimizer.zero_grad()
            F.cross_entropy(network(images[part]), labels[part]).backward()
            optimizer.step()
    return seen, curve


def batch_figure() -> Figure:
    """The same samples in three ways."""
    figure = Figure(figsize=(8.6, 3.4), layout="constrained")
    axes = figure.subplots()
    runs = (
        ("batch 16, lr 0.004", 16, 0.004, {"color": OTHERS, "lw": 2.6}),
        ("batch 8 x 16 = 128, lr 0.004", 128, 0.004, {"color": GOOD, "lw": 1.8}),
        ("batch 8 x 16 = 128, lr 8 x 0.004 = 0.032", 128, 0.032, {"color": YOURS, "lw": 1.4}),
    )
    for label, size, lr, style in runs:
        axes.plot(*losses(size, lr), label=label, marker="o", ms=3, **style)
    axes.set(xlabel="training samples seen", ylabel="training loss", yscale="log")
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


# --- who gets what, and who waits --------------------------------------------------------


def sampler_figure() -> Figure:
    """Ten samples and four ranks, two epochs, as torch deals them out."""
    samples, world = 10, 4
    dataset = TensorDataset(torch.arange(samples))
    figure, axes = drawing(8.6, 2.8)
    axes.set(xlim=(-2.2, 12.6), ylim=(-2.2, 1.5))
    for epoch in range(2):
        shards = []
        for rank in range(world):
            sampler: DistributedSampler[Any] = DistributedSampler(
                dataset, num_replicas=world, rank=rank
            )
            sampler.set_epoch(epoch)
            shards.append(list(sampler))
        top = -1.6 * epoch
        axes.text(-2.0, top + 0.5, f"epoch {epoch}", fontsize=10.5, va="center", weight="bold")
        for place in range(world * len(shards[0])):
            rank, padded = place % world, place >= samples
            axes.add_patch(
                Rectangle(
                    (place, top + 0.05), 0.9, 0.9, fc=SHARDS[rank], lw=1,
                    ec=OTHERS if padded else "white", hatch="///" if padded else None,
                )
            )  # fmt: skip
            style = {"bbox": {"fc": SHARDS[rank], "ec": "none", "pad": 1}}
            words(axes, place + 0.45, top + 0.5, str(shards[rank][place // world]), **style)
            words(axes, place + 0.45, top + 1.15, f"rank {rank}", fontsize=7.5, color=OTHERS)
    words(axes, 10.95, -1.95, "padding: repeated", color=OTHERS)
    return figure


MEETINGS = ((1.6, "all_reduce"), (4.2, "all_reduce"), (6.6, "barrier"))


def wait_figure() -> Figure:
    """Two ranks that meet, and two that do not."""
    figure, axes = drawing(8.6, 3.9)
    axes.set(xlim=(-1.3, 9.2), ylim=(-4.2, 1.5))
    for top in (0.6, -2.2):
        for rank in range(2):
            y = top - 1.1 * rank
            axes.text(-1.2, y, f"rank {rank}", fontsize=10, va="center", weight="bold")
            arrow = {"arrowstyle": "->", "color": OTHERS, "lw": 1.2}
            axes.annotate("", (8.8, y), (-0.2, y), arrowprops=arrow)
    for x, name in MEETINGS:
        axes.plot([x, x], [0.6, -0.5], color=YOURS, lw=2, marker="o")
        words(axes, x, 1.05, name, family="monospace", color=YOURS, fontsize=9)
    axes.plot([1.6, 1.6], [-2.2, -3.3], color=YOURS, lw=2, marker="o")
    words(axes, 1.6, -1.75, "all_reduce", family="monospace", color=YOURS, fontsize=9)
    for y, x, text in (
        (-2.2, 3.4, "if is_global_zero: save_checkpoint → barrier"),
        (-3.3, 4.6, "next batch → broadcast"),
    ):
        axes.plot([x], [y], color=GOOD, marker="o")
        axes.plot([x, 8.6], [y, y], color=GOOD, lw=4, alpha=0.35)
        axes.text(x, y + 0.38, text, fontsize=9, color=GOOD, family="monospace")
        axes.text(7.2, y - 0.38, "waits for ever", fontsize=9, color=GOOD, va="center")
    return figure


COLLECTIVES = (
    ("all_reduce, sum", ("3", "5"), ("8", "8")),
    ("all_gather", ("3", "5"), ("3, 5", "3, 5")),
    ("broadcast from 0", ("3", "5"), ("3", "3")),
    ("barrier", ("waits", "late"), ("goes on", "goes on")),
)
"""A collective, and what ranks 0 and 1 have before and after it."""


def collectives_figure() -> Figure:
    """Two ranks before and after each of four collectives."""
    figure, axes = drawing(8.8, 2.3)
    axes.set(xlim=(0, 17.6), ylim=(-0.2, 4.4))
    for left, (name, before, after) in zip((0, 4.4, 8.8, 13.2), COLLECTIVES, strict=True):
        words(axes, left + 2.2, 4.05, name, family="monospace", color=YOURS, fontsize=10)
        for rank, x in enumerate((left + 1.25, left + 3.15)):
            words(axes, x, 3.4, f"rank {rank}", color=OTHERS, fontsize=9)
            for y, held in ((2.6, before[rank]), (0.5, after[rank])):
                box(axes, x, y, 1.4, 0.7, fc=SHARDS[rank] if y > 1 else "white", ec=YOURS)
                words(axes, x, y, held)
            down(axes, x, 2.15, 0.98)
        axes.plot([left + 0.6, left + 3.8], [1.6, 1.6], color=GOOD, lw=4, solid_capstyle="round")
    return figure


if __name__ == "__main__":
    torch.set_num_threads(1)
    figures: dict[str, Callable[[], Figure]] = {
        "ddp.png": ddp_figure,
        "collectives.png": collectives_figure,
        "batch.png": batch_figure,
        "sampler.png": sampler_figure,
        "wait.png": wait_figure,
    }
    draw_into(notebook_of("lab3_ddp"), figures, sys.argv[1:])
