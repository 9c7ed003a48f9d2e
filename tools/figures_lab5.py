"""Draw the figures of lab 5 and put them into its notebook as attachments.

    python tools/figures_lab5.py           both of them
    python tools/figures_lab5.py job.png   only this one

`runs.png` is drawn from a job that the pocket Slurm runs: its events are the marks. The pictures
are the same on every call.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

from litcourse.pocket import Setting, Training, run_script

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LIGHT, PALE = "#c7dcf3", "#f2f2f2"
GPUS = 3
"""GPUs of the job on each node, and ranks there."""


def words(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Centred text."""
    settings: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9.5, **style}
    axes.text(x, y, text, **settings)


def box(axes: Axes, corner: tuple[float, float], size: tuple[float, float], **style: Any) -> None:
    """A rounded box; `corner` is its lower left one."""
    axes.add_patch(FancyBboxPatch(corner, *size, boxstyle="round,pad=0.03", **style))


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], **style: Any) -> None:
    """An arrow from one place to another."""
    drawn = {"arrowstyle": "->", "color": OTHERS, "lw": 1.4} | style
    axes.annotate("", end, start, arrowprops=drawn)


# --- a job and its parts -------------------------------------------------------------------------


def job_figure() -> Figure:
    """Login node, queue, and a job of two nodes: batch script, step, tasks, GPUs, shared disk."""
    made: tuple[Figure, Axes] = bare(9.2, 4.7)
    figure, axes = made
    axes.set(xlim=(0, 9.2), ylim=(0, 4.7))
    box(axes, (0.15, 2.35), (1.75, 1.8), fc=PALE, ec=OTHERS)
    words(axes, 1.02, 3.95, "login node", weight="bold")
    words(axes, 1.02, 3.45, "you edit, and type", color=OTHERS, fontsize=8.5)
    words(axes, 1.02, 3.1, "sbatch job.sbatch", color=YOURS, family="monospace", fontsize=8)
    words(axes, 1.02, 2.65, "job id 4711", color=OTHERS, fontsize=8.5)
    arrow(axes, (1.98, 3.1), (2.45, 3.1))
    words(axes, 2.86, 3.36, "queue", weight="bold")
    for place in range(3):
        axes.add_patch(Rectangle((2.52 + 0.24 * place, 2.98), 0.19, 0.22, fc=LIGHT, ec="white"))
    arrow(axes, (3.3, 3.1), (3.72, 3.1))
    box(axes, (3.85, 1.15), (5.2, 3.35), fc="white", ec=GOOD, lw=1.6, ls="--")
    words(axes, 8.05, 4.32, "the job: 2 nodes", color=GOOD, weight="bold")
    for node in range(2):
        _node(axes, node)
    axes.plot([5.09, 5.09, 7.75], [3.38, 3.2, 3.2], color=YOURS, lw=1.4)
    words(axes, 7.75, 3.33, "one step: srun starts the tasks", color=YOURS, fontsize=8.5)
    box(axes, (0.15, 0.2), (8.9, 0.5), fc=PALE, ec=OTHERS)
    words(
        axes, 4.6, 0.45, "shared disk: script, train.py, data, logs, run folders; all nodes see it"
    )
    for x in (1.02, 5.09, 7.75):
        arrow(axes, (x, 2.28 if x < 2 else 1.38), (x, 0.78), arrowstyle="<->")  # noqa: PLR2004
    return figure


def _node(axes: Axes, node: int) -> None:
    left = 3.98 + 2.6 * node
    box(axes, (left, 1.42), (2.35, 2.6), fc=PALE, ec=OTHERS)
    words(axes, left + 0.25, 3.86, f"n{5 + node}", weight="bold")
    if node == 0:
        box(axes, (left + 0.5, 3.42), (1.28, 0.3), fc=YOURS, ec="none")
        words(axes, left + 1.14, 3.57, "batch script", color="white", fontsize=8.5)
    for local in range(GPUS):
        x = left + 0.05 + 0.77 * local
        axes.add_patch(Rectangle((x, 2.42), 0.7, 0.62, fc=LIGHT, ec=YOURS))
        words(axes, x + 0.35, 2.84, f"task {GPUS * node + local}", fontsize=8)
        words(axes, x + 0.35, 2.58, f"local {local}", fontsize=7.5, color=OTHERS)
        axes.add_patch(Rectangle((x, 1.9), 0.7, 0.34, fc=GOOD, ec="white"))
        words(axes, x + 0.35, 2.07, f"GPU {local}", fontsize=8, color="white")
        words(axes, x + 0.35, 1.68, "cores", fontsize=7.5, color=OTHERS)
        axes.plot([x + 0.35] * 2, [2.24, 2.42], color=OTHERS, lw=1)


# --- three runs of a job -------------------------------------------------------------------------

SCRIPT = """#!/bin/bash
#SBATCH --nodes=1 --ntasks-per-node=4 --gpus-per-node=4 --time=60
#SBATCH --requeue --open-mode=append --signal=USR1@300
srun python train.py --devices 4 --run_dir "runs/$SLURM_JOB_ID"
"""
MARKS = {"warned": ("v", GOOD), "saved": ("D", YOURS), "finished": ("*", GOOD)}


def runs_figure() -> Figure:
    """A training of two and a half limits in three runs, at the times of the pocket's clock."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "train.py").touch()
        setting = Setting(first_nodes=("n2", "n7", "n4"), program=Training(2.5))
        clock = run_script(SCRIPT, folder, setting=setting).clock
    figure = Figure(figsize=(9.2, 2.3), layout="constrained")
    axes = figure.subplots()
    for run in range(3):
        here = [event for event in clock if event.restart == run]
        begin, end = here[0].seconds / 60, here[-1].seconds / 60
        axes.barh(0, end - begin, left=begin, height=0.5, color=LIGHT, edgecolor="white")
        words(axes, (begin + end) / 2, 0, f"run {run} on {here[0].details['nodes'][0]}")
        if run < 2:  # noqa: PLR2004  (the last one is done before its limit)
            axes.plot([begin + 60] * 2, [-0.42, 0.42], color=OTHERS, ls=":")
            words(axes, begin + 60, 0.62, "limit", color=OTHERS, fontsize=8.5)
        for event in here:
            if event.what in MARKS:
                marker, colour = MARKS[event.what]
                axes.plot(event.seconds / 60, -0.34, marker, color=colour, ms=8, clip_on=False)
    for label, (marker, colour) in MARKS.items():
        axes.plot([], [], marker, color=colour, ms=8, label=label)
    axes.set(xlabel="minutes since the job began, on the pocket's clock", ylim=(-0.6, 0.8))
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 0.98), fontsize=9)
    return figure


if __name__ == "__main__":
    figures: dict[str, Callable[[], Figure]] = {"job.png": job_figure, "runs.png": runs_figure}
    draw_into(notebook_of("lab5_slurm"), figures, sys.argv[1:])
