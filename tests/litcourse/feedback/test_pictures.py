"""Pictures and cards: legible in a light and in a dark theme, with their numbers in words."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from litcourse.core.evidence import Evidence
from litcourse.feedback.chart import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAPER,
    Curve,
    draw_curve,
    draw_curves,
)
from litcourse.feedback.lanes import draw_lanes
from litcourse.feedback.rendering import tell_picture

LEAST = 4.5
"""Contrast of text by WCAG 2.1, level AA."""
BADGE = re.compile(r"background:([^;]*);color:#fff")
HEX = re.compile(r"#[0-9a-f]{3,6}\b")


def lightness(color: str) -> float:
    """Relative luminance of an sRGB colour, 0 to 1."""
    digits = color.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(2 * d for d in digits)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21."""
    dark, light = sorted(map(lightness, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("color", [GREY, BLUE, GREEN, ORANGE])
def test_colours_are_legible_on_the_pictures_own_paper(color: str) -> None:
    assert contrast(color, PAPER) >= LEAST
    assert f'fill="{PAPER}"' in draw_curve([0.1, 0.5], 0.9)


@pytest.mark.parametrize("template", ["card.html.jinja", "overview.html.jinja"])
def test_signs_are_legible_in_any_theme(template: str) -> None:
    text = files("litcourse.feedback").joinpath(template).read_text(encoding="utf-8")
    assert not re.search(r"(?<!-)color:(\{\{|#(?!fff))", text), "a text colour of no theme"
    colors = [color for badge in BADGE.findall(text) for color in HEX.findall(badge)]
    assert len(colors) >= 2
    assert min(contrast(color, "#fff") for color in colors) >= LEAST


def test_two_curves_say_their_numbers() -> None:
    curves = [Curve("the cycle", [(0, 0.004), (1, 0.1)], dashed=True), Curve("yours", [(0, 0.2)])]
    told = tell_picture(draw_curves(curves, "optimizer step", "rate"))
    assert told == "rate by optimizer step. the cycle: 0.004, 0.1; yours: 0.2"
    assert draw_curves([Curve("none", [])], "x", "y") == ""


def test_lanes_say_where_each_rank_waits() -> None:
    stuck = {"waits_for": "barrier", "line": "line 3 of the cell, in f: a < b", "busy": False}
    run = {"ranks": [{"stuck": stuck}, {"value": {}}, {"died": "signal 9"}]}
    picture = draw_lanes(Evidence(run))
    assert picture.count("rank 1") == 2
    assert tell_picture(picture) == (
        "rank 0 waits in barrier, line 3 of the cell, in f: a < b; rank 1 is done; rank 2 has ended"
    )
    assert draw_lanes(Evidence({"ranks": [{"value": {}}]})) == ""
