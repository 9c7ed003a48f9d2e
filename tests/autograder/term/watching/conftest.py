"""Fixtures and looks of the tests of `autograder watch`."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from nbgrader.utils import notebook_hash

from autograder.grading.records import RECORD
from autograder.term.watching import watcher
from tests.autograder.grading.conftest import LAB, Class
from tests.autograder.term.conftest import Exchange


@pytest.fixture
def soon(group: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow each other at once, and the tests stay at their own priority."""
    group.settings("c.WatchHandIns.seconds = 0.1")
    monkeypatch.setattr(os, "nice", lambda _: 0)


def released(exchange: Exchange, digits: str = "1") -> str:
    """The page that the digits of a hand-in lead to; "" without one."""
    name = notebook_hash(secret=digits * 64, notebook_id=LAB)
    path = exchange.inbound.parent / "feedback" / f"{name}.html"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def tries(group: Class, student: str) -> list[str]:
    return sorted(p.name for p in (group.root / "tries" / student / LAB).glob("*Z"))


def graded(group: Class, student: str) -> list[str]:
    found = (group.root / "tries" / student / LAB).glob(f"*.evidence/{RECORD}")
    return sorted(p.parent.name.removesuffix(".evidence") for p in found)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the watcher's clock so many minutes ahead of ours."""

    def ahead(minutes: float) -> None:
        monkeypatch.setattr(
            watcher, "time_of_now", lambda: datetime.now(UTC) + timedelta(minutes=minutes)
        )

    return ahead
