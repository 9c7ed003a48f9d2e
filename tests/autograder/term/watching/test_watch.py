"""`autograder watch`: from a hand-in to its page, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.nbgrader_plugins.submissions.private_copy import copy_hand_in
from autograder.term.watching import watch_command, watcher
from autograder.term.watching.watcher import Watcher
from litcourse.core.exit_codes import ExitCode
from tests.autograder.grading.conftest import (
    LAB,
    QUESTION,
    RIGHT,
    WRONG,
    Class,
    _imported,
    group,
)
from tests.autograder.term.conftest import Exchange, Said, call, exchange
from tests.autograder.term.watching.conftest import graded, released, tries

__all__ = ["_imported", "call", "exchange", "group"]

Call = Callable[..., Said]
pytestmark = pytest.mark.usefixtures("soon")
OTHER = f"def {QUESTION}(number):\n    return 1 + number"


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
    for digits, time in (("2", "10:01"), ("3", "10:02")):
        page = released(exchange, digits)
        assert "this hand-in waits" in page
        assert f"on 2026-11-09 {time} UTC has arrived" in page
        assert "5 minutes apart, and at most 20 of them in 24 hours" in page
    watching = Watcher(group.course, [LAB], lambda _: None)
    watching.round()  # what an earlier watcher did
    clock(6)
    assert watching.round() == [(LAB, "ada")]
    assert [name[11:16] for name in graded(group, "ada")] == ["10-00", "10-02"]
    assert group.students() == {"ada": 5, "ben": 5}
    for digits in ("1", "3"):
        assert "Number 2 counts: the last one" in released(exchange, digits)
    assert "this hand-in waits" in released(exchange, "2")
    clock(12)
    assert watching.round() == [(LAB, "ada")]
    assert [name[11:16] for name in graded(group, "ada")] == ["10-00", "10-01", "10-02"]
    assert group.students()["ada"] == 5
    assert "Number 3 counts: the last one" in released(exchange, "2")


def test_a_page_with_points_stays_where_a_copied_secret_leads(
    exchange: Exchange, call: Call
) -> None:
    """Two hand-ins with one secret lead to one page: the points on it are not taken away."""
    exchange.submit("ada", RIGHT, "2026-11-09 10:00:00.000000", "1")
    call("watch", "--once")
    with_points = released(exchange)
    exchange.submit("ada", WRONG, "2026-11-09 10:01:00.000000", "1")
    call("watch", "--once")
    assert "waiting hand-ins: 1" in call("watch", "--status").text
    assert released(exchange) == with_points


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
