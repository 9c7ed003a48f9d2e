"""Draws a small line chart as SVG, without a plotting library, which students may not have."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 440, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 424, 14, 132
_MOST_POINTS, _MOST_MARKS, _X_LABELS, _MOST_TOLD = 1000, 60, 8, 20
GREY, BLUE, GREEN, ORANGE = "#5f5f5f", "#1565c0", "#2e7d32", "#b34700"
_TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")
PAPER = "#ffffff"
"""Each picture has its own paper: no colour has a contrast of 4.5 to 1 on black and on white."""


def draw_curve(values: list[float], least: float, x: str = "epoch", y: str = "val_acc") -> str:
    """An SVG of `values` by position, with a ring at the maximum and a dashed line at `least`.

    Args:
        values: values to draw, at most the first 1,000; non-finite values are left out.
        least: a limit, in the unit of `values`.
        x: label of the positions, which start at 0.
        y: label of the values.

    Returns:
        the SVG, 440x170 units; "" if there is nothing to draw.
    """
    points = [(i, v) for i, v in enumerate(values[:_MOST_POINTS]) if math.isfinite(v)]
    if not points:
        return ""
    low, high = min(0.0, *(v for _, v in points)), max(1.0, *(v for _, v in points))
    last = max(points[-1][0], 1)

    def to_point(position: float, value: float) -> tuple[float, float]:
        along = _LEFT + (_RIGHT - _LEFT) * position / last
        # Divided before the subtraction: the span of two huge values would overflow.
        up = (value / 2 - low / 2) / (high / 2 - low / 2)
        return round(along, 1), round(_BOTTOM - (_BOTTOM - _TOP) * up, 1)

    best = max(points, key=lambda point: point[1])
    parts = [*_axes(last, low, high, x, y), *_limit(to_point(0, least)[1], least)]
    parts += _curve([to_point(*point) for point in points])
    parts += _ring(*to_point(*best), f"best {best[1]:.3g}")
    told = ", ".join(f"{value:.3g}" for _, value in points[:_MOST_TOLD])
    return svg(_WIDTH, _HEIGHT, parts, f"{y} by {x}: {told}; best {best[1]:.3g} at {best[0]}")


@dataclass(frozen=True)
class Curve:
    """A curve of a chart.

    Args:
        label: what it is.
        points: pairs of position and value.
        color: its colour.
        dashed: whether it is a line to compare with.
    """

    label: str
    points: Sequence[tuple[float, float]]
    color: str = BLUE
    dashed: bool = False


def draw_curves(curves: Sequence[Curve], x: str, y: str) -> str:
    """An SVG of several curves over the same positions, from 0 on both axes.

    Returns:
        the SVG, 440x190 units; "" if there is nothing to draw.
    """
    shown = [
        (c, [p for p in c.points[:_MOST_POINTS] if all(map(math.isfinite, p))]) for c in curves
    ]
    every = [point for _, points in shown for point in points]
    if not every:
        return ""
    last = max(1, math.ceil(max(position for position, _ in every)))
    high = max(value for _, value in every) or 1.0
    parts = _axes(last, 0.0, high, x, y)
    for number, (curve, points) in enumerate(shown):
        places = [
            (
                round(_LEFT + (_RIGHT - _LEFT) * position / last, 1),
                round(_BOTTOM - (_BOTTOM - _TOP) * max(0.0, value) / high, 1),
            )
            for position, value in points
        ]
        path = " ".join(f"{a},{b}" for a, b in places)
        more = ' stroke-dasharray="5 3"' if curve.dashed else ""
        line = f'points="{path}" fill="none" stroke="{curve.color}" stroke-width="1.6"{more}'
        parts += [f"<polyline {line}/>"]
        parts += [text(_LEFT + 190 * number, _HEIGHT + 8, curve.label, "start", curve.color)]
    told = "; ".join(
        f"{curve.label}: {', '.join(f'{value:.3g}' for _, value in points[:_MOST_TOLD])}"
        for curve, points in shown
    )
    return svg(_WIDTH, _HEIGHT + 20, parts, f"{y} by {x}. {told}")


@dataclass(frozen=True)
class Panel:
    """A part of a picture, which `stack` puts below others.

    Args:
        height: in units.
        parts: elements of an SVG, with the panel's upper left corner as origin.
    """

    height: int
    parts: Sequence[str]


def draw_title(words: str) -> Panel:
    """A panel that says what the ones below it are about."""
    return Panel(22, [text(0, 12, words, "start")])


def stack(*panels: Panel, width: int = _WIDTH) -> str:
    """An SVG of panels, one below the other, `width` units wide."""
    parts, y = [], 0
    for panel in panels:
        parts.append(f'<g transform="translate(0 {y})">{"".join(panel.parts)}</g>')
        y += panel.height
    return svg(width, y, parts)


def svg(width: int, height: int, parts: Sequence[str], told: str = "") -> str:
    """An SVG of `parts`, in the type of all pictures on cards.

    Args:
        width: in units.
        height: in units.
        parts: its elements.
        told: the same in words, with its numbers; by default all texts of the picture.
    """
    words = "; ".join(_TEXT.findall("".join(parts)))  # escaped already
    head = [f"<title>{escape(told) if told else words}</title>"]
    head += [f'<rect width="{width}" height="{height}" fill="{PAPER}"/>']
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    style = 'font-family="system-ui,sans-serif" font-size="11"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join([*head, *parts])}</svg>'
    )


def text(x: float, y: float, words: str, anchor: str = "middle", color: str = GREY) -> str:
    """A line of text in an SVG; `words` is escaped."""
    place = f'x="{x}" y="{y}" text-anchor="{anchor}" fill="{color}"'
    return f"<text {place}>{escape(words)}</text>"


def _line(start: tuple[float, float], end: tuple[float, float], color: str, more: str = "") -> str:
    ends = f'x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}"'
    return f'<line {ends} stroke="{color}" {more}/>'


def _axes(last: int, low: float, high: float, x: str, y: str) -> list[str]:
    step = -(-last // _X_LABELS)
    ticks = range(0, last + 1, step)
    along = [_LEFT + (_RIGHT - _LEFT) * tick / last for tick in ticks]
    return [
        _line((_LEFT, _TOP), (_LEFT, _BOTTOM), GREY),
        _line((_LEFT, _BOTTOM), (_RIGHT, _BOTTOM), GREY),
        *(text(round(a, 1), _BOTTOM + 14, str(t)) for a, t in zip(along, ticks, strict=True)),
        text(_LEFT - 6, _BOTTOM + 4, f"{low:.3g}", "end"),
        text(_LEFT - 6, _TOP + 4, f"{high:.3g}", "end"),
        text((_LEFT + _RIGHT) / 2, _HEIGHT - 8, x),
        f'<g transform="translate(14 {(_TOP + _BOTTOM) / 2}) rotate(-90)">{text(0, 0, y)}</g>',
    ]


def _limit(height: float, least: float) -> list[str]:
    return [
        _line((_LEFT, height), (_RIGHT, height), GREY, 'stroke-dasharray="4 3"'),
        text(_LEFT - 6, height + 4, f"{least:.3g}", "end"),
    ]


def _curve(points_drawn: list[tuple[float, float]]) -> list[str]:
    path = " ".join(f"{a},{b}" for a, b in points_drawn)
    line = f'<polyline points="{path}" fill="none" stroke="{BLUE}" stroke-width="1.6"/>'
    marks = points_drawn if len(points_drawn) <= _MOST_MARKS else []
    return [line, *(f'<circle cx="{a}" cy="{b}" r="3" fill="{BLUE}"/>' for a, b in marks)]


def _ring(x: float, y: float, label: str) -> list[str]:
    anchor, aside = ("end", -4) if x > (_LEFT + _RIGHT) / 2 else ("start", 10)
    circle = f'<circle cx="{x}" cy="{y}" r="6" fill="none" stroke="{GREEN}" stroke-width="1.6"/>'
    return [circle, text(x + aside, min(y + 20, _BOTTOM - 4), label, anchor, GREEN)]
