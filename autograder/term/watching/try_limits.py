"""How often the tries of a student are graded, so that grading is no oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from traitlets import Dict, Float, Integer, Unicode
from traitlets.config import Configurable

from autograder.grading.settings import CourseSettings, read_section

_DAY = timedelta(days=1)


class WatchHandIns(Configurable):
    """Settings of `autograder watch`, in `nbgrader_config.py` as `c.WatchHandIns`."""

    seconds = Float(2, min=0.1, help="Seconds between two looks at the hand-ins.").tag(config=True)
    minutes_between = Float(
        5, min=0, help="Minutes from one graded try of a student to her next one, in a lab."
    ).tag(config=True)
    tries_a_day = Integer(
        20, min=1, help="Tries of a student that are graded within 24 hours, in a lab."
    ).tag(config=True)
    minutes_between_in = Dict(
        value_trait=Float(min=0), key_trait=Unicode(), help="`minutes_between`, by lab."
    ).tag(config=True)
    tries_a_day_in = Dict(
        value_trait=Integer(min=1), key_trait=Unicode(), help="`tries_a_day`, by lab."
    ).tag(config=True)
    at_once = Integer(8, min=1, help="Students whose hand-ins are graded in one round.").tag(
        config=True
    )
    nice = Integer(5, min=0, max=19, help="How far other programs go before it.").tag(config=True)

    def limit(self, lab: str) -> TryLimit:
        """The limit of a lab."""
        return TryLimit(
            timedelta(minutes=self.minutes_between_in.get(lab, self.minutes_between)),
            self.tries_a_day_in.get(lab, self.tries_a_day),
        )


def watch_settings(settings: CourseSettings) -> WatchHandIns:
    """The settings of a course.

    Raises:
        AuthorError: a name or a lab is not there, or a value is none of the valid ones.
    """
    return read_section(settings, WatchHandIns, by_lab=["minutes_between_in", "tries_a_day_in"])


@dataclass(frozen=True)
class TryLimit:
    """How often the tries of a student are graded, in a lab.

    Args:
        between: from one graded try to the next.
        a_day: graded tries within 24 hours.
    """

    between: timedelta
    a_day: int

    def next_turn(self, graded: Sequence[datetime], now: datetime) -> datetime:
        """When another try may be graded; `now` or earlier if it may be at once.

        Args:
            graded: when tries were graded, UTC.
            now: the time of now, UTC.
        """
        # A clock that was set back must lock nobody out: what lies ahead counts as now.
        times = sorted(min(at, now) for at in graded)
        if not times:
            return now
        turns = [times[-1] + self.between]
        if len(times) >= self.a_day:
            turns.append(times[-self.a_day] + _DAY)
        return max(turns)


def time_of_now() -> datetime:
    """The time of now, UTC."""
    return datetime.now(UTC)
