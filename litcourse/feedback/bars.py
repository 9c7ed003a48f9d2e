"""Draws groups of bars, without a plotting library, which students may not have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litcourse.feedback.chart import BLUE, GREY, Panel, text

_LEFT, _WIDTH, _BAR, _GAP, _TITLE = 110, 440, 12, 5, 20
_NUMBER = 90
"""Room for a number behind the longest bar."""


@dataclass(frozen=True)
class Bars:
    """A group of bars with one scale.

    Args:
        title: what is measured, with its unit.
        values: one for each row, 0 or more.
    """

    title: str
    values: Sequence[float]


def draw_bars(rows: Sequence[str], groups: Sequence[Bars], own: int = 1) -> Panel:
    """A panel of `groups`, each with one bar for each of `rows`; the first `own` rows stand out."""
    parts, y = [], 4
    for group in groups:
        y += _TITLE - 4
        parts.append(text(0, y, group.title, "start"))
        y += 6
        most = max([*group.values, 1e-9])
        for number, (row, value) in enumerate(zip(rows, group.values, strict=True)):
            long = round(max(1.0, (_WIDTH - _LEFT - _NUMBER) * value / most), 1)
            color = BLUE if number < own else GREY
            parts.append(text(_LEFT - 6, y + _BAR - 2, row, "end", color))
            shape = f'x="{_LEFT}" y="{y}" width="{long}" height="{_BAR}"'
            parts.append(f'<rect {shape} fill="{color}"/>')
            parts.append(text(_LEFT + long + 5, y + _BAR - 2, _format(value), "start", color))
            y += _BAR + _GAP
    return Panel(y + 4, parts)


def _format(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"
