"""`autograder collect`: every try is kept and graded once, and one of them counts."""

from __future__ import annotations

import fcntl
import sys
import threading
import time
from collections.abc import Callable

import pytest
from nbgrader.utils import parse_utc

from autograder.grading import session
from autograder.grading.tries.try_store import Try, TryRecords
from tests.autograder.grading.conftest import LAB, QUESTION, RIGHT, WRONG, Class, enter, entered

from .conftest import Exchange, Said

POINTS = 5.0
EARLY, LATER, LATE = "2026-11-01 10:00:00", "2026-11-01 11:00:00", "2026-11-03 09:00:00"
DUE = "2026-11-02 12:00:00"
PENALTY = """
from nbgrader.plugins import BasePlugin

class OneOff(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 1
"""

Call = Callable[..., Said]


def due(group: Class) -> None:
    with group.gradebook() as gradebook:
        gradebook.update_or_create_assignment(LAB, duedate=parse_utc(DUE))
    (group.root / "one_off.py").write_text(PENALTY, encoding="utf-8")
    group.settings("from one_off import OneOff\nc.AssignLatePenalties.plugin_class = OneOff\n")


def tries(group: Class, student: str) -> list[str]:
    return sorted(p.name for p in (group.root / "tries" / student / LAB).glob("*Z"))


@pytest.mark.parametrize(
    ("which", "points", "penalty", "number"),
    [
        pytest.param("last", 0.0, 0.0, 3, marks=pytest.mark.release),
        ("best", 5.0, None, 1),
        pytest.param("last_on_time", 5.0, None, 2, marks=pytest.mark.release),
    ],
)
def test_each_try_is_graded_and_the_setting_says_which_counts(
    group: Class, exchange: Exchange, call: Call, which: str, points: float, penalty: float | None,
    number: int,
) -> None:  # fmt: skip
    due(group)
    group.settings(f"c.HandIns.counts_in = {{{LAB!r}: {which!r}}}")
    exchange.submit("ada", RIGHT, EARLY, "1")
    exchange.submit("ada", RIGHT + "  # again", LATER, "2")
    exchange.submit("ada", WRONG, LATE, "3")
    said = call("collect", LAB)
    assert (said.code, said.text.count("3 new tries of 1 students")) == (0, 1)
    assert group.grade() == 0
    assert group.score("ada") == points
    kept = tries(group, "ada")
    assert len(kept) == 3
    times = [(group.root / "tries/ada" / LAB / f"{k}.evidence/_grading.json").stat().st_mtime_ns
             for k in kept]  # fmt: skip
    page = group.page("ada").read_text(encoding="utf-8")
    assert f"Number {number} counts" in page
    folder = group.root / "submitted/ada" / LAB
    assert (folder / "submission_secret.txt").read_text() == str(number) * 64
    # The same again changes nothing, and grades nothing.
    assert call("collect", LAB).text.startswith("0 new tries of 0 students, 3 known.")
    graded_at = group.record("ada").graded_at
    assert group.grade() == 0
    assert group.record("ada").graded_at == graded_at
    assert times == [
        (group.root / "tries/ada" / LAB / f"{k}.evidence/_grading.json").stat().st_mtime_ns
        for k in kept
    ]
    assert entered(group)[3] == penalty


@pytest.mark.release
def test_a_rejudge_judges_every_try(group: Class, exchange: Exchange, call: Call) -> None:
    group.settings("c.HandIns.counts = 'best'")
    for answer, at in ((WRONG, EARLY), (RIGHT, LATER), (WRONG + "  # more", LATE)):
        exchange.submit("ada", answer, at)
    call("collect", LAB)
    group.grade()
    group.points(20)
    assert group.rejudge() == 0
    store = TryRecords(group.root / "evidence", ())
    folder = group.root / "tries/ada" / LAB
    for key, points in zip(tries(group, "ada"), (0, 20, 0), strict=True):
        one = Try(LAB, "ada", key, folder / key)
        record = TryRecords(store.folder("", ""), [one]).load(LAB, "ada")
        assert record is not None
        assert (record.points, record.maximum) == ({QUESTION: points}, {QUESTION: 20})
    assert group.score("ada") == 20


@pytest.mark.release
def test_a_regrade_of_a_try_reaches_the_gradebook(
    group: Class, exchange: Exchange, call: Call
) -> None:
    exchange.submit("ada", "from here import ANSWER as add_one", EARLY)
    call("collect", LAB)
    assert group.grade() == 0
    assert group.score("ada") == 0
    with (group.root / "here.py").open("a", encoding="utf-8") as file:
        file.write("\n\ndef ANSWER(number):\n    return number + 1\n")
    sys.modules.pop("here", None)
    time.sleep(1.1)  # times of results are in seconds
    assert group.grade(regrade=True) == 0
    assert group.score("ada") == POINTS
    assert group.grade() == 0
    assert group.score("ada") == POINTS


def test_points_by_hand_stay_and_the_change_is_told(
    group: Class, exchange: Exchange, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange.submit("ada", RIGHT, EARLY)
    call("collect", LAB)
    group.grade()
    enter(group, manual_score=3.0, needs_manual_grade=False)
    exchange.submit("ada", WRONG, LATER)
    call("collect", LAB)
    capsys.readouterr()
    assert group.grade() == 0
    assert group.score("ada") == 3.0
    assert "Points that a person had set, graded again since: ada" in capsys.readouterr().out


def test_what_somebody_put_into_submitted_is_a_try_too(
    group: Class, exchange: Exchange, call: Call
) -> None:
    group.hand_in("ada", RIGHT, at=f"{EARLY} UTC")  # by nbgrader's own collect
    group.grade()
    exchange.submit("ada", WRONG, LATER)
    call("collect", LAB)
    assert group.grade() == 0
    assert group.score("ada") == 0
    assert len(tries(group, "ada")) == 2
    group.hand_in("ada", RIGHT, at=f"{LATE} UTC")  # by hand, behind the back of collect
    assert group.grade() == 0
    assert (group.score("ada"), len(tries(group, "ada"))) == (POINTS, 3)
    assert group.record("ada").tries == 3


@pytest.mark.release
def test_the_same_bytes_are_graded_once(group: Class, exchange: Exchange, call: Call) -> None:
    for number, at in enumerate((EARLY, LATER), start=1):
        exchange.submit("ada", RIGHT, at, str(number))
    call("collect", LAB)
    group.grade()
    first, second = (
        (group.root / "tries/ada" / LAB / f"{key}.evidence/_graded.ipynb").stat().st_ino
        for key in tries(group, "ada")
    )
    assert first == second
    assert group.record("ada").timestamp.startswith(LATER)


def test_an_extension_counts_before_and_after_handing_in(
    group: Class, exchange: Exchange, call: Call
) -> None:
    due(group)
    assert "due 2026-11-04 12:00 UTC" in call("extend", LAB, "ada", "--days", "2").text
    for student in ("ada", "ben"):
        exchange.submit(student, RIGHT, LATE)
    call("collect", LAB)
    group.grade()
    assert (group.score("ada"), entered(group)[3]) == (POINTS, None)
    assert "late penalty 1 -> 0" in call("extend", LAB, "ben", "--days", "0", "--hours", "24").text
    assert "late penalty 0 -> 1" in call("extend", LAB, "ada", "--days", "0").text
    assert entered(group)[3] == 1.0
    (group.root / "extensions.csv").write_text(f"lab,student,hours\n{LAB},ada,48\n", "utf-8")
    assert group.grade() == 0
    assert group.rejudge() == 0
    assert not entered(group)[3]


@pytest.mark.release
def test_with_more_time_another_try_may_count(group: Class, exchange: Exchange, call: Call) -> None:
    due(group)
    group.settings("c.HandIns.counts = 'last_on_time'")
    exchange.submit("ada", WRONG, EARLY)
    exchange.submit("ada", RIGHT, LATE)
    call("collect", LAB)
    group.grade()
    assert group.score("ada") == 0
    said = call("extend", LAB, "ada", "--days", "2")
    assert "another try counts. Next: autograder grade" in said.text
    assert group.grade() == 0
    assert (group.score("ada"), entered(group)[3] or 0) == (POINTS, 0)


def test_remove_shows_what_will_go_and_leaves_nothing(
    group: Class, exchange: Exchange, call: Call
) -> None:
    for student in ("ada", "ben"):
        exchange.submit(student, RIGHT, EARLY)
    call("collect", LAB)
    group.grade()
    said = call("remove", LAB, "ada", answer="n\n")
    assert (said.code, "Nothing was removed" in said.text) == (1, True)
    assert group.score("ada") == POINTS
    said = call("remove", LAB, "ada", answer="y\n")
    assert said.code == 0
    for place in ("submitted/ada", "autograded/ada", "feedback/ada", f"evidence/{LAB}/ada"):
        assert f"{place}" in said.text
        assert not (group.root / place).exists()
    assert set(group.students()) == {"ben"}
    # It does not come back, and a new try does.
    assert "0 new tries" in call("collect", LAB).text
    exchange.submit("ada", WRONG, LATER)
    assert "1 new tries of 1" in call("collect", LAB).text
    assert call("remove", "--all", "ben", "--yes").code == 0
    assert not list(group.root.glob("*/ben"))
    with group.gradebook() as gradebook:
        assert [who.id for who in gradebook.students] == ["ada"]
    assert call("remove", LAB, "nobody", "--yes").code == 2


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("counts = 'lst'", "'last_on_time'"),
        pytest.param("counts_in = {'lab9': 'best'}", "no lab 'lab9'", marks=pytest.mark.release),
    ],
)
def test_a_mistyped_setting_is_said(
    group: Class, exchange: Exchange, call: Call, setting: str, text: str
) -> None:
    group.settings(f"c.HandIns.{setting}\n")
    exchange.submit("ada", RIGHT, EARLY)
    said = call("collect", LAB)
    assert (said.code, text in said.text) == (2, True), said.text


def test_another_run_is_waited_for(
    group: Class, exchange: Exchange, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.submit("ada", RIGHT, EARLY)
    (group.root / "evidence").mkdir()
    held = (group.root / "evidence/.lock").open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    monkeypatch.setattr(session, "_LOCK_SECONDS", 0)
    said = call("collect", LAB)
    assert (said.code, "--wait" in said.text) == (3, True)
    threading.Timer(1, held.close).start()
    assert call("collect", LAB, "--wait").code == 0
