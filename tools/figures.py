"""What the scripts that draw the labs' figures share."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from matplotlib.figure import Figure
from nbformat import NotebookNode
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

YOURS, OTHERS, GOOD = "#1f5fa8", "#6b6b6b", "#c2410c"
"""Colours of what a learner writes, of the rest, and of what matters."""
LARGEST = 60_000
"""Bytes of one picture: the notebook stays quick to open."""


def bare(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of this size in inches, and its one drawing area without axes."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return figure, axes


def notebook_of(lab: str) -> Path:
    """The instructor's notebook of a lab."""
    return Path(__file__).parents[1] / "source" / lab / f"{lab}.ipynb"


def draw_into(path: Path, figures: Mapping[str, Callable[[], Figure]], wanted: list[str]) -> None:
    """Draw the figures named in `wanted`, all if it is empty, into the notebook at `path`."""
    unknown = sorted(set(wanted) - set(figures))
    if unknown:
        sys.exit(f"no figure {unknown[0]!r}; there are: {', '.join(figures)}")
    notebook = nbformat.read(path, as_version=4)
    for name in wanted or figures:
        picture = as_png(figures[name]())
        attach(notebook, name, picture)
        print(f"{name}: {len(picture):,} bytes")
    nbformat.write(notebook, path)


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG file that names neither software nor date."""
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=120, metadata={"Software": None})
    # A palette makes line drawings a third as large, without a visible difference.
    Image.open(drawn).convert("RGB").quantize(64).save(small, format="png", optimize=True)
    return small.getvalue()


def attach(notebook: NotebookNode, name: str, picture: bytes) -> None:
    """Put the picture into the cell that shows it.

    Raises:
        SystemExit: no markdown cell shows a picture of this name, or it is too large.
    """
    if len(picture) > LARGEST:
        sys.exit(f"{name} has {len(picture):,} bytes, more than {LARGEST:,}: draw less in it")
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and f"(attachment:{name})" in cell.source:
            encoded = base64.b64encode(picture).decode("ascii")
            cell["attachments"] = {name: {"image/png": encoded}}
            return
    sys.exit(f"no markdown cell has ![…](attachment:{name}); write one")
