"""`autograder watch`: what a kill, a full disk or a fault leaves is done in the next round."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.cli import app
from autograder.course import AuthorError
from autograder.grading import run as grading
from autograder.term.watching import watch_command, watcher
from autograder.term.watching.released_pages import ReleasedPages
from autograder.term.watching.watcher import Watcher
from litcourse.core.exit_codes import ExitCode
from tests.autograder.grading.conftest import (
    LAB,
    RIGHT,
    Apart,
    Class,
    _imported,
    apart,
    group,
)
from tests.autograder.term.conftest import Exchange, Said, call, exchange
from tests.autograder.term.watching.conftest import graded, released, tries

__all__ = ["_imported", "apart", "call", "exchange", "group"]

Call = Callable[..., Said]
pytestmark = pytest.mark.usefixtures("soon")


STATES: dict[str, tuple[type, str, bool]] = {
    "seen": (Watcher, "_take", False),
    "copied": (Watcher, "_take", True),
    "before grading": (Watcher, "_grade", False),
    "graded": (Watcher, "_grade", True),
    "page written": (ReleasedPages, "release", False),
    "released": (ReleasedPages, "release", True),
}
"""By state, the call at which the watcher is killed, and whether that call is done then."""


@pytest.mark.parametrize("state", STATES)
def test_killed_in_any_state_nothing_is_lost_and_nothing_twice(
    group: Class, exchange: Exchange, call: Call, apart: Apart, tmp_path: Path, state: str,
) -> None:  # fmt: skip
    exchange.submit("ada", RIGHT)
    owner, name, after = STATES[state]

    def watch_and_die() -> int:
        real = getattr(owner, name)

        def die(*args: Any, **options: Any) -> Any:
            if after:
                real(*args, **options)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(owner, name, die)
        os.chdir(group.root)
        app(["watch", "--once"], standalone_mode=False)
        return 0

    process = apart(tmp_path / "log", watch_and_die)
    process.join(120)
    assert process.exitcode == -signal.SIGKILL, (tmp_path / "log").read_text()
    said = call("watch", "--once")
    assert said.code == ExitCode.DONE, said.text
    assert group.students() == {"ada": 5}
    assert released(exchange)
    assert len(tries(group, "ada")) == len(graded(group, "ada")) == 1
    assert not list(group.root.rglob("*.part"))


def test_a_full_disk_stops_a_round_and_nothing_is_lost(
    group: Class, exchange: Exchange, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.submit("ada", RIGHT)
    with monkeypatch.context() as full:

        def no_room(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        full.setattr(watcher, "take", no_room)
        said = call("watch", "--once")
        assert (said.code, "make room" in said.text) == (ExitCode.MISTAKE, True)
    call("watch", "--once")
    assert group.students() == {"ada": 5}


def test_a_watcher_waits_while_the_disk_is_full(
    group: Class, exchange: Exchange, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Also where hand-ins are due: else its log fills what room there is."""
    exchange.submit("ada", RIGHT)
    slept: list[float] = []

    def no_room(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if slept.count(watch_command._AFTER_A_FAULT) > 1:
            raise StopIteration

    monkeypatch.setattr(watcher, "take", no_room)
    monkeypatch.setattr(time, "sleep", sleep)
    watching = Watcher(group.course, [LAB], print)
    with pytest.raises(StopIteration):
        watch_command._run(watching, group.root / "evidence", 0, once=False)
    assert slept == [0, *[watch_command._AFTER_A_FAULT] * 2]
    assert capsys.readouterr().out.count("make room") == 2


def test_what_a_fault_left_is_graded_in_the_next_round(
    group: Class, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.submit("ada", RIGHT)
    watching = Watcher(group.course, [LAB], lambda _: None)
    watching.round()
    with monkeypatch.context() as locked:

        def refuse(*_: Any) -> int:
            raise AuthorError("the gradebook", "", "it is locked", "wait")

        locked.setattr(grading, "grade", refuse)
        with pytest.raises(AuthorError):
            watching.round()
    assert watching.round() == [(LAB, "ada")]
    assert group.students() == {"ada": 5}


def test_a_page_that_its_student_cannot_read_is_opened(exchange: Exchange, call: Call) -> None:
    """One that was killed between writing it and opening it leaves such a page."""
    exchange.submit("ada", RIGHT)
    call("watch", "--once")
    (page,) = (exchange.inbound.parent / "feedback").glob("*.html")
    page.chmod(0o600)
    call("watch", "--once")
    assert page.stat().st_mode & 0o777 == 0o644


def test_a_round_that_fails_is_told_and_tried_again(
    group: Class, exchange: Exchange, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(watch_command, "_AFTER_A_FAULT", 0)
    exchange.submit("ada", RIGHT)
    watching = Watcher(group.course, [LAB], print)
    config = group.root / "nbgrader_config.py"
    text = config.read_text(encoding="utf-8")
    faults: Iterator[str] = iter([f"{text}\nc.WatchHandIns.at_once = -1\n", text])

    def sleep(_: float) -> None:
        config.write_text(next(faults), encoding="utf-8")

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(StopIteration):
        watch_command._run(watching, group.root / "evidence", 0, once=False)
    assert "this round could not be done" in capsys.readouterr().out
