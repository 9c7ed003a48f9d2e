"""`autograder watch`: from a hand-in to its page, whatever happens in between."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.utils import notebook_hash

from autograder.cli import app
from autograder.course import AuthorError
from autograder.grading import run as grading
from autograder.grading.records import RECORD
from autograder.nbgrader_plugins.submissions.private_copy import copy_hand_in
from autograder.term.watching import watch_command, watcher
from autograder.term.watching.released_pages import ReleasedPages
from autograder.term.watching.watcher import Watcher
from litcourse.core.exit_codes import ExitCode
from tests.autograder.grading.conftest import (
    LAB,
    QUESTION,
    RIGHT,
    WRONG,
    Apart,
    Class,
    _imported,
    apart,
    group,
)
from tests.autograder.term.conftest import Exchange, Said, call, exchange

__all__ = ["_imported", "apart", "call", "exchange", "group"]

Call = Callable[..., Said]
OTHER = f"def {QUESTION}(number):\n    return 1 + number"


@pytest.fixture(autouse=True)
def _soon(group: Class, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_hand_in_has_its_points_and_its_page(
    group: Class, exchange: Exchange, call: Call
) -> None:
    exchange.submit("ada", RIGHT)
    exchange.submit("ben", WRONG, digits="2")
    said = call("watch", "--once")
    assert said.code == ExitCode.DONE, said.text
    assert f"{LAB}: ada, ben in" in said.text
    assert "return" not in said.text, "no answer in the log"
    assert group.students() == {"ada": 5, "ben": 0}
    assert "5" in released(exchange)
    assert "LIT900" in released(exchange, "2")
    state = call("watch", "--status")
    assert state.code == ExitCode.INCOMPLETE
    assert "no watcher is at work" in state.text
    assert "waiting hand-ins: 0" in state.text
    assert "watching" in call("watch", "--once").text
    assert len(tries(group, "ada")) == 1, "not twice"


def test_a_file_that_cannot_be_read_has_its_page(exchange: Exchange, call: Call) -> None:
    folder = exchange.submit("ada", RIGHT)
    (folder / f"{LAB}.ipynb").write_text("{", encoding="utf-8")
    assert call("watch", "--once").code == ExitCode.DONE
    assert "LIT908" in released(exchange)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the watcher's clock so many minutes ahead of ours."""

    def ahead(minutes: float) -> None:
        monkeypatch.setattr(
            watcher, "time_of_now", lambda: datetime.now(UTC) + timedelta(minutes=minutes)
        )

    return ahead


def test_the_next_try_waits_and_the_newest_comes_first(
    group: Class, exchange: Exchange, call: Call, clock: Callable[[float], None]
) -> None:
    exchange.submit("ada", WRONG, "2026-11-09 10:00:00.000000", "1")
    call("watch", "--once")
    exchange.submit("ada", RIGHT, "2026-11-09 10:01:00.000000", "2")
    exchange.submit("ada", OTHER, "2026-11-09 10:02:00.000000", "3")
    exchange.submit("ben", RIGHT, "2026-11-09 10:03:00.000000", "4")
    call("watch", "--once")
    assert group.students() == {"ada": 0, "ben": 5}
    state = call("watch", "--status").text
    assert "waiting hand-ins: 2" in state
    assert f"{LAB} ada, handed in 2026-11-09 10:02:00, not before" in state
    watching = Watcher(group.course, [LAB], lambda _: None)
    watching.round()  # what an earlier watcher did
    clock(6)
    assert watching.round() == [(LAB, "ada")]
    assert [name[11:16] for name in graded(group, "ada")] == ["10-00", "10-02"]
    assert group.students() == {"ada": 5, "ben": 5}
    for digits in ("1", "3"):
        assert "Number 2 counts: the last one" in released(exchange, digits)
    clock(12)
    assert watching.round() == [(LAB, "ada")]
    assert [name[11:16] for name in graded(group, "ada")] == ["10-00", "10-01", "10-02"]
    assert group.students()["ada"] == 5


def test_the_same_bytes_have_the_kept_result_at_once(
    group: Class, exchange: Exchange, call: Call
) -> None:
    exchange.submit("ada", RIGHT, "2026-11-09 10:00:00.000000", "1")
    call("watch", "--once")
    at = group.record("ada").graded_at
    exchange.submit("ada", RIGHT, "2026-11-09 10:01:00.000000", "2")  # within five minutes
    call("watch", "--once")
    assert len(graded(group, "ada")) == 2
    assert group.record("ada").graded_at == at
    assert group.record("ada").timestamp.startswith("2026-11-09 10:01")
    assert released(exchange, "2")


def test_what_is_being_copied_waits(exchange: Exchange, group: Class) -> None:
    folder = exchange.submit("ada", RIGHT)
    (folder / "submission_secret.txt").rename(folder / "later")  # nbgrader writes it last
    watching = Watcher(group.course, [LAB], lambda _: None)
    assert [watching.round() for _ in range(3)] == [[], [], []]
    (folder / "later").rename(folder / "submission_secret.txt")
    assert watching.round() == [], "it has changed since the last look"
    assert watching.round() == [(LAB, "ada")]
    assert watching.round() == []


def test_what_waits_for_its_turn_is_read_once(
    exchange: Exchange, group: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a student with many large hand-ins keeps each look, and everybody, busy."""
    exchange.submit("ada", RIGHT, digits="1")
    watching, read = Watcher(group.course, [LAB], lambda _: None), list[str]()
    for _ in range(3):
        watching.round()

    def counted(*arguments: Any) -> Any:
        read.append(arguments[1].name)
        return copy_hand_in(*arguments)

    monkeypatch.setattr(watcher, "copy_hand_in", counted)
    waits = exchange.submit("ada", WRONG, digits="2")
    for _ in range(5):
        watching.round()
    assert read == [waits.name]
    assert [turn.arrival.folder for turn in watching.queue.later] == [waits]
    (waits / f"{LAB}.ipynb").write_bytes(b"{")
    for _ in range(3):
        watching.round()
    assert read == [waits.name] * 2, "what has changed is read again"


def test_a_forged_hand_in_is_held_back_and_told_once(
    exchange: Exchange, group: Class, call: Call
) -> None:
    group.settings("c.ExchangeCollect.check_owner = True")
    exchange.submit("ada", RIGHT)
    said = call("watch", "--once")
    assert said.code == ExitCode.DONE
    assert said.text.count("its owner is") == 1
    assert not (group.root / "tries").exists()


@pytest.mark.usefixtures("exchange")
def test_a_second_watcher_is_refused(group: Class, call: Call) -> None:
    evidence = group.root / "evidence"
    with watch_command._hold_lock(evidence):
        said = call("watch", "--once")
        assert said.code == ExitCode.LOCKED
        assert "another watcher is at work" in said.text
        watch_command._note(Watcher(group.course, [LAB], print), evidence, 0)
        state = call("watch", "--status")
        assert (state.code, "a watcher is at work" in state.text) == (ExitCode.DONE, True)
    assert call("watch", "--once").code == ExitCode.DONE


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


def test_a_course_without_an_exchange_is_told_once(group: Class, tmp_path: Path) -> None:
    group.settings(f"c.Exchange.root = {str(tmp_path / 'none')!r}")
    told: list[str] = []
    watching = Watcher(group.course, [LAB], told.append)
    for _ in range(2):
        assert watching.round() == []
    (line,) = told
    assert "no hand-in is read" in line
    assert "nbgrader release_assignment" in line


def test_turns_go_round(group: Class, exchange: Exchange, call: Call) -> None:
    """Who was served last comes last, however early she handed in."""
    group.settings("c.WatchHandIns.at_once = 1\nc.WatchHandIns.minutes_between = 0")
    exchange.submit("ada", RIGHT, "2026-11-09 10:00:00.000000", "1")
    call("watch", "--once")
    exchange.submit("ada", WRONG, "2026-11-09 10:01:00.000000", "2")
    exchange.submit("ben", RIGHT, "2026-11-09 10:09:00.000000", "3")
    lines: list[str] = []
    watching = Watcher(group.course, [LAB], lines.append)
    done = [watching.round() for _ in range(4)]
    # The first is what an earlier watcher did.
    assert [who for who in done if who] == [[(LAB, "ada")], [(LAB, "ben")], [(LAB, "ada")]]


@pytest.mark.release
def test_two_hundred_at_once(group: Class, exchange: Exchange, call: Call) -> None:
    for number in range(200):
        exchange.submit(f"s{number:03}", RIGHT if number % 3 else WRONG, digits=f"{number % 10}")
    group.settings("c.WatchHandIns.at_once = 40")
    assert call("watch", "--once").code == ExitCode.DONE
    assert group.students() == {f"s{n:03}": 5 if n % 3 else 0 for n in range(200)}
    assert {len(tries(group, f"s{n:03}")) for n in range(200)} == {1}
    assert nbformat.read(group.graded("s199") / f"{LAB}.ipynb", as_version=4)
