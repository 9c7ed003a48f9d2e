"""Students who write in the exchange by hand, and change it while it is collected; a backup."""

from __future__ import annotations

import getpass
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from nbgrader.apps import CollectApp

from autograder.grading.settings import open_settings
from autograder.grading.tries.arrivals import Arrival, Inbound
from autograder.nbgrader_plugins.submissions import private_copy, submission_files
from autograder.term.watching.inbox import Inbox
from tests.autograder.grading.conftest import LAB, RIGHT, WRONG, Class

from .conftest import Exchange, Said

ME = getpass.getuser()
Call = Callable[..., Said]
Plan = Callable[[Callable[[], object]], None]


@pytest.fixture
def afterwards(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Do something when all hand-ins were looked at and none is taken: a student can tell when."""

    def plan(act: Callable[[], object]) -> None:
        look = Inbound.arrivals

        def then(inbound: Inbound, lab: str) -> list[Arrival]:
            found = list(look(inbound, lab))
            act()
            return found

        monkeypatch.setattr(Inbound, "arrivals", then)

    return plan


@pytest.fixture(params=["before it is copied", "while it is copied"])
def at_worst(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Do something once between the moment that a file is looked at, and that it is opened."""

    def plan(act: Callable[[], object]) -> None:
        left = [act]

        def around(look: Callable[..., Any]) -> Callable[..., Any]:
            def then(*arguments: Any, **options: Any) -> Any:
                found = look(*arguments, **options)
                if look is scan or arguments[0] == "inner":
                    while left:
                        left.pop()()
                return found

            return then

        scan = submission_files.scan
        if request.param == "before it is copied":
            monkeypatch.setattr(submission_files, "scan", around(scan))
        else:
            monkeypatch.setattr(os, "stat", around(os.stat))

    return plan


def files(root: Path, student: str = "ada") -> dict[str, str]:
    folder = root / "submitted" / student / LAB
    plain = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".ipynb"]
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in plain}


def test_no_link_that_comes_meanwhile_leads_to_files_of_others(
    group: Class, exchange: Exchange, call: Call, at_worst: Plan
) -> None:
    sent = exchange.submit("ada", RIGHT)
    for name in ("inner", "outer"):
        (sent / name).mkdir()
        (sent / name / "of-ben.txt").write_text("ada's", encoding="utf-8")
    others = group.root / "others"
    others.mkdir()
    (others / "of-ben.txt").write_text("ben's", encoding="utf-8")

    def swap() -> None:
        (sent / "inner").rename(sent / "away")
        (sent / "inner").symlink_to(others)

    at_worst(swap)
    assert call("collect", LAB).code == 0
    assert (sent / "inner").is_symlink()
    assert "ben's" not in files(group.root).values()
    assert files(group.root)["outer/of-ben.txt"] == "ada's"


def test_the_whole_hand_in_is_no_link_either(
    group: Class, exchange: Exchange, call: Call, afterwards: Plan
) -> None:
    sent = exchange.submit("ada", RIGHT)
    others = exchange.submit("ben", WRONG)

    def swap() -> None:
        sent.rename(sent.with_name("away"))
        sent.symlink_to(others)

    afterwards(swap)
    said = call("collect", LAB)
    assert (said.code, "it can't be read: " in said.text) == (1, True)
    assert not (group.root / "submitted/ada").exists()


def test_what_is_put_there_after_the_look_counts_by_its_own_time(
    group: Class, exchange: Exchange, call: Call, afterwards: Plan
) -> None:
    """Else a hand-in from before the due date could be filled when it is collected."""
    group.settings("c.HandIns.minutes_apart = 0.02\n")
    sent = exchange.submit("ada", WRONG) / f"{LAB}.ipynb"

    def later() -> None:
        time.sleep(1.5)
        sent.write_bytes((exchange.submit("ben", RIGHT) / f"{LAB}.ipynb").read_bytes())

    afterwards(later)
    said = call("collect", LAB)
    assert said.code == 1
    assert "and came or was changed at" in said.text
    assert not (group.root / "submitted/ada").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who can give files away; CI has it")
def test_the_owner_is_that_of_what_was_copied(
    group: Class, exchange: Exchange, call: Call, afterwards: Plan
) -> None:
    group.settings("c.ExchangeCollect.check_owner = True\n")
    sent = exchange.submit(ME, RIGHT)
    afterwards(lambda: os.chown(sent / f"{LAB}.ipynb", 65534, 65534))
    said = call("collect", LAB)
    assert said.code == 1
    assert f"it says that it is {ME}'s, and its owner is" in said.text


def test_a_file_that_grows_costs_no_more_than_a_file_may(
    group: Class, exchange: Exchange, call: Call, at_worst: Plan
) -> None:
    group.settings("c.CourseDirectory.max_file_size = 100\n")
    sent = exchange.submit("ada", RIGHT)
    (sent / "inner").write_text("x", encoding="utf-8")
    at_worst(lambda: os.truncate(sent / "inner", 300_000))
    assert call("collect", LAB).code == 0
    assert (sent / "inner").stat().st_size == 300_000
    assert len(files(group.root).get("inner", "")) <= 1


def test_a_link_that_is_left_out_is_told(group: Class, exchange: Exchange, call: Call) -> None:
    sent = exchange.submit("ada", RIGHT)
    (sent / "inner").symlink_to(group.root)
    assert call("collect", LAB).code == 0
    tried = next((group.root / "tries/ada" / LAB).glob("*Z"))
    assert (tried / "inner").is_symlink()  # her page says so
    assert not (tried / "inner").exists()


def deep(folder: Path) -> None:
    """More folders within folders than Python's recursion allows; only the first has a path."""
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)


def crowd(folder: Path) -> None:
    """More files than a hand-in may have; the test lowers how many that is."""
    for number in range(60):
        (folder / f"file-{number}").touch()


ODD = {"a time that dateutil can't calculate": f"eve+{LAB}+99999999999999999999202699999999999m.+x",
       "an id that is a folder": f"..+{LAB}+2026-11-01 10:00:00 UTC+x",
       "no id": f"+{LAB}+2026-11-01 10:00:00 UTC+x"}  # fmt: skip


@pytest.fixture
def removed(exchange: Exchange) -> Iterator[None]:
    """Remove the exchange by a program: Python can't remove what is deep, and pytest stumbles."""
    yield
    subprocess.run(["rm", "-r", exchange.inbound], check=True)


@pytest.mark.usefixtures("removed")
@pytest.mark.parametrize("kind", [*ODD, "deep", "crowd"])
def test_nothing_odd_stops_the_collection_of_others(
    group: Class, exchange: Exchange, call: Call, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.submit("ada", RIGHT)
    if kind in ODD:
        (exchange.inbound / ODD[kind]).mkdir()
    else:
        most = {"deep": 20_000, "crowd": 50}[kind]
        monkeypatch.setattr("autograder.grading.tries.arrivals.MOST_ENTRIES", most)
        {"deep": deep, "crowd": crowd}[kind](exchange.submit("eve", RIGHT))
    said = call("collect", LAB)
    assert (group.root / "submitted/ada" / LAB).is_dir()
    assert said.code == (0 if kind == "deep" else 1), said.text
    assert ("held back" in said.text) == (kind != "deep")
    names = {path.name for path in (group.root / "submitted").iterdir()}
    assert names <= {"ada", "eve"}
    assert not (group.root / LAB).exists()


@pytest.mark.usefixtures("removed")
def test_nothing_deep_stops_the_watch(group: Class, exchange: Exchange) -> None:
    exchange.submit("ada", RIGHT)
    deep(exchange.submit("eve", RIGHT))
    with open_settings(group.course, sandbox=True) as settings:
        inbox = Inbox()
        for _ in range(2):
            found = inbox.find_complete(settings, LAB)
    assert [one.student for one in found] == ["ada"]


def test_no_more_is_copied_than_is_looked_at(
    exchange: Exchange, call: Call, afterwards: Plan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(private_copy, "MOST_ENTRIES", 50)
    sent = exchange.submit("eve", RIGHT)
    afterwards(lambda: crowd(sent))
    said = call("collect", LAB)
    assert (said.code, "it holds more than 50 files" in said.text) == (1, True)


def test_nbgraders_own_collect_follows_no_link(
    group: Class, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it stop at who is first, with more files than a hand-in may have."""
    monkeypatch.setattr(private_copy, "MOST_ENTRIES", 50)
    crowd(exchange.submit("aaron", RIGHT))
    at = datetime.now(UTC) - timedelta(minutes=1)
    sent = exchange.submit("ada", RIGHT, f"{at:%Y-%m-%d %H:%M:%S.%f}")
    secret = group.root / "secret.txt"
    secret.write_text("the instructor's", encoding="utf-8")
    (sent / "link.txt").symlink_to(secret)
    (sent / "folder").symlink_to(group.root / "source")
    (sent / "beside.txt").write_text("ada's", encoding="utf-8")
    before = Path.cwd()
    try:
        os.chdir(group.root)
        app = CollectApp(raise_config_file_errors=True)
        app.initialize([LAB], root=str(group.root))
        app.start()
    finally:
        os.chdir(before)
    found = files(group.root)
    assert found.pop("beside.txt") == "ada's"
    assert set(found) == {"timestamp.txt", "submission_secret.txt"}
    assert not files(group.root, "aaron")


def test_a_backup_goes_into_no_file_that_lies_there(
    group: Class, call: Call, tmp_path: Path
) -> None:
    """Its part has a known name: somebody else could have made that file, to read it."""
    group.hand_in("ada", RIGHT)
    place, victim = tmp_path / "public", tmp_path / "victim.txt"
    place.mkdir()
    victim.write_text("mine", encoding="utf-8")
    (place / ".term.tar.gz.part").symlink_to(victim)
    assert call("backup", str(place / "term.tar.gz")).code == 0
    assert victim.read_text("utf-8") == "mine"
    assert [path.name for path in place.iterdir()] == ["term.tar.gz"]
    assert not (place / "term.tar.gz").is_symlink()
