"""The settings of `autograder watch`, and when the next try of a student may be graded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from autograder.term.watching.try_limits import TryLimit
from litcourse.core.exit_codes import ExitCode
from tests.autograder.grading.conftest import LAB, Class, _imported, group
from tests.autograder.term.conftest import Said, call

__all__ = ["_imported", "call", "group"]

Call = Callable[..., Said]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("c.WatchHandIns.minutes_betwen = 1", "Nearest first: minutes_between"),
        ("c.WatchHandins.seconds = 1", "Nearest first: WatchHandIns"),
        ("c.WatchHandIns.tries_a_day_in = {'lab9': 1}", f"Nearest first: {LAB}"),
        ("c.WatchHandIns.seconds = 'two'", "expected a float"),
    ],
)
def test_a_mistyped_setting_is_said(group: Class, call: Call, line: str, text: str) -> None:
    """Else it watches all term long by the defaults."""
    group.settings(line)
    said = call("watch", "--once")
    assert (said.code, text in said.text) == (ExitCode.MISTAKE, True), said.text


@pytest.mark.parametrize(
    ("minutes_ago", "wait"),
    [([], 0), ([1], 4), ([5], 0), ([-90], 5), ([1, 2, 3], 1440 - 3), ([60, 120, 1441], 0)],
)
def test_limits(minutes_ago: list[float], wait: float) -> None:
    """A clock that was set back, so that a result lies in the future, locks nobody out."""
    now = datetime(2026, 11, 9, 12, tzinfo=UTC)
    graded = [now - timedelta(minutes=minutes) for minutes in minutes_ago]
    at = TryLimit(timedelta(minutes=5), 3).next_turn(graded, now)
    assert max(at - now, timedelta()) == timedelta(minutes=wait)
