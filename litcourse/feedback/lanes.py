"""Draws where each rank of a job stands when they wait for each other: a lane for each rank."""

from __future__ import annotations

from litcourse.core.evidence import Evidence
from litcourse.feedback.chart import BLUE, GREY, ORANGE, svg, text

_WIDTH, _LANE, _LEFT, _STOP = 620, 44, 60, 150
_LONGEST = 80
_MOST = 8


def draw_lanes(run: Evidence) -> str:
    """An SVG with a lane for each rank of `run`, the evidence of `run_ranks`; "" if none is stuck.

    A lane ends where its rank waits, or goes through to the right if the rank is done.
    """
    entries = list(run["ranks"])[:_MOST]
    if not any("stuck" in entry for entry in entries):
        return ""
    parts, told = [], []
    for number, entry in enumerate(entries):
        state, line = _state(entry)
        told.append(f"rank {number} {state}{line and ', '}{line}")
        y = 20 + _LANE * number
        done = "value" in entry
        color, end = (BLUE, _WIDTH - 20) if done else (ORANGE, _STOP)
        parts.append(text(_LEFT - 10, y + 4, f"rank {number}", "end", GREY))
        parts.append(_stroke((_LEFT, y), (end, y), color))
        if done:
            parts.append(text(_LEFT, y + 16, state, "start", color))
            continue
        parts.append(_stroke((end, y - 9), (end, y + 9), color))
        parts.append(text(end + 10, y + 4, state, "start", color))
        parts.append(text(end + 10, y + 18, line[:_LONGEST], "start", GREY))
    return svg(_WIDTH, _LANE * len(entries) + 8, parts, "; ".join(told))


def _stroke(start: tuple[int, int], end: tuple[int, int], color: str) -> str:
    ends = f'x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}"'
    return f'<line {ends} stroke="{color}" stroke-width="3"/>'


def _state(entry: Evidence) -> tuple[str, str]:
    """What a rank does, and the student's line at which it does it."""
    if "value" in entry:
        return "is done", ""
    if "stuck" not in entry:
        return "has ended", ""
    stuck = entry["stuck"]
    waits = stuck["waits_for"].text()
    doing = f"waits in {waits}" if waits else "goes on and on" if stuck["busy"].flag() else "sleeps"
    return doing, stuck["line"].text()
