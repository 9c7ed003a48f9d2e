"""The exchange: owner and arrival, which no student can write, decide what is believed."""

from __future__ import annotations

import getpass
import os
import pwd
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from autograder.grading.tries.arrivals import Inbound
from tests.autograder.grading.conftest import LAB, RIGHT, Class

from .conftest import Exchange, Said

ME = getpass.getuser()
APART = timedelta(minutes=5)


def name(student: str, at: datetime) -> str:
    return f"{student}+{LAB}+{at:%Y-%m-%d %H:%M:%S.%f} UTC+x"


def put(inbound: Path, student: str, at: datetime) -> Path:
    folder = inbound / name(student, at)
    folder.mkdir()
    for file in (f"{LAB}.ipynb", "timestamp.txt", "submission_secret.txt"):
        (folder / file).write_text("x", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("student", "minutes", "doubt"),
    [
        (ME, 0, ""),
        (ME, -4, ""),
        ("ada", 0, "it says that it is ada's, and its owner is"),
        (ME, -60, "and came or was changed at"),
        (ME, 60, "its time is in the future"),
    ],
)
def test_owner_and_arrival_are_compared(
    tmp_path: Path, student: str, minutes: int, doubt: str
) -> None:
    folder = put(tmp_path, student, datetime.now(UTC) + timedelta(minutes=minutes))
    os.utime(folder, (0, 0))  # mtime is the student's
    (found,) = Inbound(tmp_path, check_owner=True, apart=APART).arrivals(LAB)
    assert doubt in found.doubt
    assert bool(doubt) == bool(found.doubt)
    assert found.complete
    (trusted,) = Inbound(tmp_path, check_owner=False, apart=None).arrivals(LAB)
    assert not trusted.doubt


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who can give files away; CI has it")
def test_another_user_is_believed_for_herself_alone(tmp_path: Path) -> None:
    other = pwd.getpwnam("nobody")
    own, forged = (put(tmp_path, who, datetime.now(UTC)) for who in ("nobody", "daemon"))
    mixed = put(tmp_path, "nobody", datetime.now(UTC) + timedelta(seconds=1))
    for folder in (own, forged, mixed):
        for path in (folder, *folder.iterdir()):
            os.chown(path, other.pw_uid, other.pw_gid)
    os.chown(mixed / f"{LAB}.ipynb", 0, 0)  # a file that somebody else put there
    found = {
        one.folder: one for one in Inbound(tmp_path, check_owner=True, apart=APART).arrivals(LAB)
    }
    assert not found[own].doubt
    assert found[forged].doubt == "it says that it is daemon's, and its owner is nobody"
    assert found[mixed].doubt == "it says that it is nobody's, and its owner is root and nobody"


def test_a_file_that_is_changed_later_is_a_later_arrival(tmp_path: Path) -> None:
    folder = put(tmp_path, ME, datetime.now(UTC))
    now = datetime.now(UTC) + timedelta(hours=1)  # seen from then, it is of an hour ago
    (found,) = Inbound(tmp_path, check_owner=True, apart=APART).arrivals(LAB, now)
    assert not found.doubt
    folder.rename(tmp_path / name(ME, datetime.now(UTC) - timedelta(hours=1)))
    (found,) = Inbound(tmp_path, check_owner=True, apart=APART).arrivals(LAB)
    assert "it says that it was handed in" in found.doubt


def test_what_is_half_copied_waits(tmp_path: Path) -> None:
    folder = put(tmp_path, ME, datetime.now(UTC))
    (folder / "submission_secret.txt").unlink()
    (found,) = Inbound(tmp_path, check_owner=True, apart=APART).arrivals(LAB)
    assert not found.complete
    (later,) = Inbound(tmp_path, check_owner=True, apart=APART).arrivals(
        LAB, datetime.now(UTC) + APART
    )
    assert later.complete  # an nbgrader that writes no such file


def test_ids_with_a_plus_and_names_without_a_time(tmp_path: Path) -> None:
    at = datetime.now(UTC)
    put(tmp_path, "ada+b", at)
    (tmp_path / f"eve+{LAB}+no time+x").mkdir()
    (tmp_path / name("link", at)).symlink_to(tmp_path)
    (tmp_path / f"old+{LAB}+{at:%Y-%m-%d %H:%M:%S} UTC").mkdir()
    found = {
        one.student: one for one in Inbound(tmp_path, check_owner=False, apart=None).arrivals(LAB)
    }
    assert set(found) == {"ada+b", "eve", "old"}
    assert found["eve"].doubt == "its name holds no time"


def test_one_that_can_not_be_read_holds_up_nobody_else(
    exchange: Exchange, call: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = exchange.submit("ada", RIGHT, "2026-11-01 10:00:00") / f"{LAB}.ipynb"
    exchange.submit("ben", RIGHT, "2026-11-01 11:00:00")
    opened = os.open

    def locked(*arguments: Any, **options: Any) -> int:
        handle = opened(*arguments, **options)
        if os.path.sameopenfile(handle, known):  # the tests may run as root, who can read all
            os.close(handle)
            raise PermissionError(13, "Permission denied")
        return handle

    known = opened(eve, os.O_RDONLY)
    monkeypatch.setattr(os, "open", locked)
    said = call("collect", LAB)
    assert (said.code, "it can't be read: Permission denied" in said.text) == (1, True)
    assert "1 new tries of 1 students" in said.text
    os.close(known)


def test_a_forged_hand_in_is_held_back_and_named(
    group: Class, exchange: Exchange, call: Callable[..., Said]
) -> None:
    group.settings("c.ExchangeCollect.check_owner = True\nc.HandIns.minutes_apart = 5\n")
    exchange.submit("ada", RIGHT)
    exchange.submit(ME, RIGHT)
    said = call("collect", LAB)
    assert said.code == 1
    assert "its owner is" in said.text
    assert "1 new tries of 1 students" in said.text
    assert not (group.root / "submitted/ada").exists()
    group.settings("c.ExchangeCollect.check_owner = False\n")
    assert call("collect", LAB).code == 0
    assert (group.root / "submitted/ada" / LAB).is_dir()
