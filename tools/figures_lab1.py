"""Draw the figures of lab 1 and put them into its notebook as attachments.

    python tools/figures_lab1.py            all of them
    python tools/figures_lab1.py hooks.png  only this one

The training run in the second figure is that of the notebook's own solution cells, on the embedded
digits. The pictures are the same on every call, but for last digits of the run on other hardware.
"""

from __future__ import annotations

import csv
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import nbformat
from figures import (  # type: ignore[import-not-found] # beside this script
    GOOD,
    OTHERS,
    YOURS,
    bare,
    draw_into,
    notebook_of,
)
from matplotlib.figure import Figure
from nbformat import NotebookNode

NOTEBOOK = notebook_of("lab1_mnist")
SOLUTION = ("setup", "wrap", "evaluate", "datamodule", "fit")
SEED = 7
MOST_EPOCHS = 30

# Line of the plain loop, and the method into which it goes (none: the Trainer does it).
LOOP = (
    ("network = MLP()", "__init__"),
    ("optimizer = Adam(network.parameters())", "configure_optimizers"),
    ("for epoch in range(epochs):", ""),
    ("    network.train()", ""),
    ("    for images, labels in loader:", ""),
    ("        images, labels = to_device(images, labels)", ""),
    ("        loss = cross_entropy(network(images), labels)", "training_step"),
    ("        optimizer.zero_grad()", ""),
    ("        loss.backward()", ""),
    ("        optimizer.step()", ""),
    ("    network.eval()", ""),
    ("    with torch.no_grad():", ""),
    ("        for images, labels in val_loader:", ""),
    ("            images, labels = to_device(images, labels)", ""),
    ("            right += count_right(network(images), labels)", "validation_step"),
)

# Start and length of each stretch of the time line, in no unit, and the hooks at their places.
STRETCHES = (
    (0.6, 1.0, "sanity\ncheck", "#e5e5e5"),
    (2.2, 2.6, "training batches", "#c7dcf3"),
    (4.8, 1.2, "validation", "#fbdcc4"),
    (6.4, 2.6, "training batches", "#c7dcf3"),
    (9.0, 1.2, "validation", "#fbdcc4"),
)
HOOKS = (
    (0.3, "on_fit_start"),
    (1.85, "on_train_start"),
    (2.2, "on_train_epoch_start"),
    (6.0, "on_train_epoch_end"),
    (6.4, "on_train_epoch_start"),
    (10.2, "on_train_epoch_end"),
    (10.8, "on_train_end"),
    (11.4, "on_fit_end"),
)
EPOCHS = ((2.2, 6.0), (6.4, 10.2))


def loop_figure() -> Figure:
    """The plain loop on the left, the methods that take over its lines on the right."""
    figure: Figure
    figure, axes = bare(9.4, 4.8)
    axes.set(xlim=(0, 1), ylim=(len(LOOP) + 1.6, -1.6))
    axes.text(0.02, -0.9, "the plain torch loop", fontsize=11, weight="bold")
    axes.text(0.72, -0.9, "your LightningModule", fontsize=11, weight="bold", color=YOURS)
    for row, (line, method) in enumerate(LOOP):
        color, weight = (YOURS, "bold") if method else (OTHERS, "normal")
        style: dict[str, Any] = {
            "color": color,
            "weight": weight,
            "va": "center",
            "family": "monospace",
        }
        axes.text(0.02, row, line, fontsize=9, **style)
        if method:
            axes.text(0.72, row, f"def {method}", fontsize=9.5, **style)
            start = 0.03 + 0.00795 * len(line)
            arrow = {"arrowstyle": "->", "color": YOURS, "lw": 1.3}
            axes.annotate("", (0.71, row), (start, row), arrowprops=arrow)
    last = "all grey lines: the Trainer, the same for every project"
    modes = "(in place of train(), it gives back the modes of before the validation)"
    for row, text in enumerate((last, modes)):
        place = len(LOOP) + 0.2 + 0.9 * row
        axes.text(0.02, place, text, fontsize=10, color=OTHERS, style="italic", va="center")
    return figure


def hooks_figure() -> Figure:
    """The order of the main hooks during `fit`, two epochs."""
    figure: Figure
    figure, axes = bare(9.4, 3.4)
    axes.set(xlim=(0, 12.9), ylim=(-1.15, 2.55))
    for start, length, label, color in STRETCHES:
        axes.barh(0, length, left=start, height=0.7, color=color, edgecolor="white")
        axes.text(start + length / 2, 0, label, ha="center", va="center", fontsize=8.5)
    for place, hook in HOOKS:
        color = YOURS if "epoch" in hook else OTHERS
        axes.plot([place, place], [-0.35, 0.75], color=color, lw=1.4)
        axes.text(
            place, 0.82, hook, rotation=38, fontsize=9, color=color, family="monospace",
            rotation_mode="anchor",
        )  # fmt: skip
    for number, (start, end) in enumerate(EPOCHS):
        arrow = {"arrowstyle": "<->", "color": YOURS, "lw": 1.2}
        axes.annotate("", (end, -0.6), (start, -0.6), arrowprops=arrow)
        label = f"training epoch {number}"
        axes.text((start + end) / 2, -0.95, label, ha="center", fontsize=9, color=YOURS)
    axes.annotate("", (12.3, 0), (11.7, 0), arrowprops={"arrowstyle": "->", "color": OTHERS})
    axes.text(12.0, -0.35, "time", ha="center", fontsize=8.5, color=OTHERS)
    return figure


def solved(notebook: NotebookNode) -> dict[str, Any]:
    """The names that the notebook's solution cells define.

    Raises:
        KeyError: a cell that the figure needs is not in the notebook.
    """
    sources = {cell.id: cell.source for cell in notebook.cells}
    names: dict[str, Any] = {"__name__": "figures_lab1"}
    for cell in SOLUTION:
        exec(compile(sources[cell], cell, "exec"), names)  # noqa: S102 (the course's own notebook)
    return names


def train_once(notebook: NotebookNode) -> list[dict[str, str]]:
    """Rows of the CSV log of one run of the solution on the embedded digits."""
    names = solved(notebook)
    logging.getLogger("lightning").setLevel(logging.ERROR)
    L.seed_everything(SEED, verbose=False)
    with tempfile.TemporaryDirectory() as folder:
        module = names["EvaluatedClassifier"](names["MLP"]())
        names["train"](module, names["MNISTDataModule"](), MOST_EPOCHS, folder)
        with next(Path(folder).rglob("metrics.csv")).open(encoding="utf-8") as table:
            return list(csv.DictReader(table))


def column(rows: list[dict[str, str]], x: str, y: str) -> tuple[list[float], list[float]]:
    """Two columns of a log as numbers, of the rows that have a value in `y`."""
    filled = [row for row in rows if row[y]]
    return [float(row[x]) for row in filled], [float(row[y]) for row in filled]


def run_figure(rows: list[dict[str, str]]) -> Figure:
    """Training loss per step and validation accuracy per epoch, the best epoch marked."""
    figure = Figure(figsize=(9.4, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(*column(rows, "step", "train_loss"), color=OTHERS, lw=1.4)
    left.set(xlabel="step", ylabel="train_loss", yscale="log")
    epochs, accuracy = column(rows, "epoch", "val_acc")
    right.plot(epochs, accuracy, color=YOURS, marker="o", ms=3.5, lw=1.4)
    best = max(range(len(accuracy)), key=accuracy.__getitem__)
    right.plot(epochs[best], accuracy[best], marker="o", ms=10, mfc="none", mec=GOOD, mew=2)
    right.annotate(
        f"best: epoch {epochs[best]:.0f}, {accuracy[best]:.1%}",
        (epochs[best], accuracy[best]), (0.96, 0.3), textcoords="axes fraction", ha="right",
        color=GOOD, arrowprops={"arrowstyle": "-", "color": GOOD, "shrinkB": 6},
    )  # fmt: skip
    right.set(xlabel="epoch", ylabel="val_acc")
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    figures: dict[str, Callable[[], Figure]] = {
        "loop.png": loop_figure,
        "hooks.png": hooks_figure,
        "run.png": lambda: run_figure(train_once(nbformat.read(NOTEBOOK, as_version=4))),
    }
    draw_into(NOTEBOOK, figures, sys.argv[1:])
