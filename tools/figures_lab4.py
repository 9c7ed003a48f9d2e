"""Draw the figures of lab 4 and put them into its notebook as attachments.

    python tools/figures_lab4.py            all of them
    python tools/figures_lab4.py peaks.png  only this one

The bars of `peaks.png` are counted by torch's memory tracker on rank 0 of 64 ranks that do not
exist, see `litcourse.sharding.measure_step` (torch 2.15); that takes about half a minute. The
pictures are the same on every call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
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
from matplotlib.patches import Rectangle
from torch import nn
from torch.distributed.fsdp import fully_shard

from litcourse.models import TransformerClassifier
from litcourse.ranks import run_ranks
from litcourse.sharding import measure_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch.distributed.device_mesh import DeviceMesh

LIGHT = "#c7dcf3"
STAGES = (
    ("DDP", (2, 2, 12)),
    ("ZeRO 1", (2, 2, 12 / 64)),
    ("ZeRO 2", (2, 2 / 64, 12 / 64)),
    ("ZeRO 3, FSDP", (2 / 64, 2 / 64, 12 / 64)),
)
"""Bytes for each parameter on one of 64 GPUs: weight, gradient, optimizer's state."""
BILLIONS, GPU = 7.5, 80
"""Parameters of the example, in billions, and the memory of a large GPU, in GB."""


def stages_figure() -> Figure:
    """What one GPU holds under DDP and the stages of ZeRO, in GB."""
    figure = Figure(figsize=(8.6, 3.2), layout="constrained")
    axes = figure.subplots()
    parts = (("weights", YOURS), ("gradients", LIGHT), ("optimizer's state", GOOD))
    starts = [0.0] * len(STAGES)
    names = [name for name, _ in STAGES]
    for number, (part, colour) in enumerate(parts):
        widths = [BILLIONS * sizes[number] for _, sizes in STAGES]
        axes.barh(names, widths, left=starts, label=part, color=colour, height=0.6)
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
    for row, total in enumerate(starts):
        axes.text(total + 1, row, f"{total:.1f} GB", va="center", fontsize=9.5)
    axes.axvline(GPU, color=OTHERS, ls="--", lw=1)
    axes.text(GPU + 1, 0.5, "a large GPU", fontsize=9, color=OTHERS, va="center")
    axes.set(xlabel="GB on each GPU", xlim=(0, 135))
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    return figure


# --- a step of three units ---------------------------------------------------------------

BLOCKS = 3
LEAD = 0.45
"""How long before its turn a unit is gathered, in widths of a block."""


def unit_figure() -> Figure:
    """When each unit of three blocks is whole, in one step."""
    made: tuple[Figure, Axes] = bare(8.6, 3.8)
    figure, axes = made
    end = 2.0 * BLOCKS
    axes.set(xlim=(-1.3, end + 1.4), ylim=(-5.1, 1.5))
    for turn in range(2 * BLOCKS):
        block = turn if turn < BLOCKS else 2 * BLOCKS - 1 - turn
        axes.add_patch(Rectangle((turn + 0.03, 0.3), 0.94, 0.6, fc=LIGHT, ec="white"))
        words(axes, turn + 0.5, 0.6, f"block {block}", fontsize=9)
    words(axes, BLOCKS / 2, 1.2, "forward", style="italic", color=OTHERS)
    words(axes, 1.5 * BLOCKS, 1.2, "backward", style="italic", color=OTHERS)
    axes.add_patch(Rectangle((end + 0.1, 0.3), 1.15, 0.6, fc=GOOD, ec="white"))
    words(axes, end + 0.68, 0.6, "optimizer", color="white", fontsize=9)
    for row, name in enumerate(("root", *(f"block {n}" for n in range(BLOCKS)))):
        y = -0.6 - 1.1 * row
        axes.text(-1.2, y, name, fontsize=10, va="center", weight="bold")
        axes.plot([-0.45, end + 1.3], [y, y], color=YOURS, lw=1.2)
        turns = [(0, 2 * BLOCKS)] if row == 0 else _turns(row - 1)
        for start, stop in turns:
            lead = {0: 0.0, BLOCKS: -0.03}.get(start, LEAD)
            width = stop - start + lead - (0.03 if stop == BLOCKS else 0)
            axes.add_patch(Rectangle((start - lead, y - 0.24), width, 0.48, fc=YOURS, ec="none"))
        _scatter(axes, turns[-1][1], y)
    words(axes, end / 2, -4.75, "time →", color=OTHERS)
    return figure


def _turns(block: int) -> list[tuple[int, int]]:
    """When a block is whole: in its forward and in its backward."""
    back = 2 * BLOCKS - 1 - block
    return [(block, block + 1), (back, back + 1)]


def _scatter(axes: Axes, x: float, y: float) -> None:
    arrow = {"arrowstyle": "->", "color": GOOD, "lw": 1.8}
    axes.annotate("", (x, y - 0.62), (x, y - 0.1), arrowprops=arrow)


def words(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Centred text."""
    settings: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9.5, **style}
    axes.text(x, y, text, **settings)


# --- the peak of policies ----------------------------------------------------------------

SIZE = {"vocab": 32_000, "dim": 2048, "heads": 16, "depth": 20, "classes": 10}
WAYS: dict[str, dict[str, Any]] = {
    "the root alone": {"units": False},
    "a unit per block": {},
    "blocks kept\nfor backward": {"reshard": False},
    "8 replicas\nof 8 shards": {"mesh": (8, 8)},
}
BATCHES = {"1 x 16 tokens on each GPU": (1, 16), "8 x 512 tokens on each GPU": (8, 512)}
PARTS = (
    ("shards", "shards", OTHERS), ("gathered", "gathered weights", YOURS),
    ("gradients", "gradients", LIGHT), ("activations", "activations", GOOD),
)  # fmt: skip


def weigh(
    tokens: tuple[int, int],
    *,
    units: bool = True,
    reshard: bool = True,
    mesh: tuple[int, ...] = (64,),
) -> dict[str, float]:
    """GiB at the peak of one step, by what they are."""

    def build(device_mesh: DeviceMesh) -> nn.Module:
        network = TransformerClassifier(**SIZE)  # type: ignore[arg-type]  # numbers
        for block in network.blocks if units else ():
            fully_shard(block, mesh=device_mesh, reshard_after_forward=reshard)
        fully_shard(network, mesh=device_mesh)
        return network

    def work(_: int) -> dict[str, Any]:
        step = measure_step(build, lambda: torch.randint(SIZE["vocab"], tokens), mesh)
        return {part: size / 2**30 for part, size in step.parts.items()}

    (entry,) = run_ranks(work, world_size=1)["ranks"]
    found: dict[str, float] = entry["value"]
    return found


def peaks_figure() -> Figure:
    """What one of 64 ranks holds at the peak, for four ways to cut and two batches."""
    figure = Figure(figsize=(9.4, 3.6), layout="constrained")
    for axes, (title, tokens) in zip(figure.subplots(1, 2), BATCHES.items(), strict=True):
        seen = {name: weigh(tokens, **way) for name, way in WAYS.items()}
        bottoms = [0.0] * len(seen)
        for part, label, colour in PARTS:
            heights = [parts[part] for parts in seen.values()]
            axes.bar(list(seen), heights, bottom=bottoms, label=label, color=colour, width=0.62)
            bottoms = [b + h for b, h in zip(bottoms, heights, strict=True)]
        for place, total in enumerate(bottoms):
            words(axes, place, total + 0.03 * max(bottoms), f"{total:.1f}", fontsize=9)
        axes.set_title(title, fontsize=10)
        axes.set_ylim(0, 1.1 * max(bottoms))
        axes.tick_params(axis="x", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("GiB at the peak")
    figure.axes[0].legend(frameon=False, fontsize=9)
    return figure


if __name__ == "__main__":
    figures: dict[str, Callable[[], Figure]] = {
        "stages.png": stages_figure,
        "unit.png": unit_figure,
        "peaks.png": peaks_figure,
    }
    draw_into(notebook_of("lab4_fsdp"), figures, sys.argv[1:])
