"""Draws the tree of a network as an indented list, some of its modules coloured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litcourse.feedback.chart import BLUE, GREY, ORANGE, Panel, text

WIDTH = 560
"""Of the panel, in units."""
_ROW, _INDENT, _MOST = 16, 16, 60
_FREE, _LETTER = 420, 7
"""Where a note begins at the latest, and the width of a wide letter."""
_COLOURS = {"unit": BLUE, "extra": ORANGE, "missing": ORANGE}
_NOTES = {"unit": "unit", "extra": "unit, not asked for", "missing": "no unit, should be one"}


@dataclass(frozen=True)
class Line:
    """A module of the tree.

    Args:
        depth: how deep it lies, from 0.
        label: name and class.
        state: "unit", "extra" (a unit that should be none), "missing" (the opposite) or "".
    """

    depth: int
    label: str
    state: str = ""


def draw_outline(lines: Sequence[Line]) -> Panel:
    """A panel of `lines`, at most the first 60."""
    parts = []
    for number, line in enumerate(lines[:_MOST]):
        x, y = 4 + _INDENT * line.depth, 12 + _ROW * number
        color = _COLOURS.get(line.state, GREY)
        if line.state:
            frame = f'x="{x - 4}" y="{y - 11}" width="{WIDTH - x}" height="{_ROW - 2}" rx="3"'
            dash = ' stroke-dasharray="3 2"' if line.state == "missing" else ""
            fill = "none" if line.state == "missing" else color
            parts.append(
                f'<rect {frame} fill="{fill}" fill-opacity="0.18" stroke="{color}"{dash}/>'
            )
            parts.append(text(WIDTH - 8, y, _NOTES[line.state], "end", color))
        room = (_FREE if line.state else WIDTH) - x
        parts.append(text(x, y, _shorten(line.label, room // _LETTER), "start", color))
    shown = min(len(lines), _MOST)
    if len(lines) > shown:
        parts.append(text(4, 12 + _ROW * shown, f"and {len(lines) - shown} more", "start"))
        shown += 1
    return Panel(_ROW * shown + 6, parts)


def _shorten(label: str, letters: int) -> str:
    return label if len(label) <= letters else f"{label[: letters - 1]}…"
