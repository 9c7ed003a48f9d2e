"""The page of a hand-in that waits for its turn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jinja2 import Environment, PackageLoader, StrictUndefined

from autograder.grading.reporting.progress import format_points
from autograder.term.watching.queue import Turn
from autograder.term.watching.try_limits import TryLimit

HEAD = b"<!doctype html>\n<!-- litcourse: a hand-in that waits -->\n"
"""The beginning of each of these pages, which tells them from a page with points."""


def render(turn: Turn, limit: TryLimit) -> str:
    """The page: when the turn comes, and why not now.

    Args:
        turn: the hand-in and its time.
        limit: that of its lab.
    """
    environment = Environment(
        loader=PackageLoader("autograder.term.watching"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["points"] = format_points
    environment.filters["minute"] = lambda at: f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return environment.get_template("waiting.html.jinja").render(
        lab=turn.arrival.lab,
        handed_in=turn.arrival.at,
        turn=_next_minute(turn.at),
        minutes=limit.between / timedelta(minutes=1),
        a_day=limit.a_day,
    )


def _next_minute(at: datetime) -> datetime:
    return (at + timedelta(seconds=59)).replace(second=0, microsecond=0)
