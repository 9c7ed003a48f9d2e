"""A roster: who is not on it is graded and held back, and who is on it has a name."""

import csv
import json
import os
from pathlib import Path

import pytest

from .conftest import LAB, RIGHT, WRONG, Class

POINTS = 5.0
ADA = {"first_name": "Ada", "last_name": "=Lovelace", "email": "ada@x.org", "lms_user_id": "007"}
STRANGER = "Kofi Last10"


@pytest.fixture
def listed(group: Class) -> Class:
    """A class with a roster of three; ada and a stranger hand in."""
    with group.gradebook() as gradebook:
        gradebook.add_student("ada", **ADA)
        gradebook.add_student("kofi", first_name="Kofi", last_name="Annan")
        gradebook.add_student("ben", email="ben@x.org")
    group.hand_in("ada", RIGHT)
    group.hand_in(STRANGER, WRONG)
    return group


def test_a_stranger_is_graded_held_back_and_named_each_time(
    listed: Class, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert listed.grade() == 1
        out = capsys.readouterr().out
        assert "not on the roster: Kofi Last10, nearest kofi" in out
        assert "1 graded and held back" in out
        assert "handed in nothing: ben, kofi" in out
        assert "Ada =Lovelace" in out
        assert "ada@x.org" not in out
        assert listed.students() == {"ada": POINTS}
        assert listed.record(STRANGER).points == {"add_one": 0}
        assert not (listed.root / "autograded" / STRANGER).exists()
        assert not (listed.root / "feedback" / STRANGER).exists()


@pytest.mark.parametrize("way", ["option", "student add", "settings"])
def test_a_stranger_can_be_accepted(listed: Class, way: str) -> None:
    assert listed.grade() == 1
    if way == "student add":
        with listed.gradebook() as gradebook:
            gradebook.add_student(STRANGER)
    if way == "settings":
        listed.settings("c.Autograde.create_student = True")
    assert listed.grade(accept_strangers=way == "option") == 0
    assert listed.students() == {"ada": POINTS, STRANGER: 0}
    assert listed.page(STRANGER).is_file()
    assert listed.grade() == 0  # it stays


def test_names_are_in_csv_and_json(
    listed: Class, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed.grade(csv=tmp_path / "scores.csv", json=True)
    plain = json.loads(capsys.readouterr().out)
    assert ADA.items() <= plain["submissions"][0].items()
    assert plain["strangers"] == [{"lab": LAB, "student": STRANGER, "nearest": "kofi"}]
    assert [entry["student"] for entry in plain["no_shows"]] == ["ben", "kofi"]
    with (tmp_path / "scores.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["last_name"], row["lms_user_id"]) == ("'=Lovelace", "007")


def test_plain_nbgrader_holds_a_stranger_back_too(listed: Class) -> None:
    with pytest.raises(SystemExit):
        listed.nbgrader_autograde()
    assert listed.students() == {"ada": POINTS}


def test_without_a_roster_everybody_is_entered(group: Class) -> None:
    for student in ("ada", "ben"):
        group.hand_in(student, RIGHT)
    assert group.grade() == 0
    group.hand_in("cyd", RIGHT)  # those whom grading entered make no roster
    assert group.grade() == 0
    assert set(group.students()) == {"ada", "ben", "cyd"}


def test_a_roster_of_ids_alone_is_a_setting(group: Class) -> None:
    group.settings("c.Autograde.create_student = False")
    with group.gradebook() as gradebook:
        gradebook.add_student("ada")
    for student in ("ada", "eve"):
        group.hand_in(student, RIGHT)
    assert group.grade() == 1
    assert group.students() == {"ada": POINTS}


def test_what_a_run_makes_is_its_own_accounts_alone(group: Class) -> None:
    """Also what nbgrader or an older run made, open to all users of the machine."""
    group.hand_in("ada", RIGHT)
    submitted = group.root / "submitted"
    submitted.chmod(0o755)
    assert group.grade() == 0
    names = ["submitted", "autograded", "feedback", "evidence", "gradebook.db", ".course-secret"]
    opened = [name for name in names if (group.root / name).stat().st_mode & 0o077]
    assert not opened
    assert os.umask(0o022) == 0o022
    for name in names[:-1]:
        (group.root / name).chmod(0o755)
    assert group.grade() == 0
    assert not [name for name in names if (group.root / name).stat().st_mode & 0o077]


def test_a_group_that_shares_the_folder_gets_what_a_run_makes(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    assert group.grade() == 0
    evidence = group.root / "evidence" / LAB / "ada"
    assert evidence.stat().st_mode & 0o070 == 0
    group.root.chmod(0o2770)
    group.settings("c.CourseDirectory.groupshared = True")
    assert group.grade() == 0
    assert evidence.stat().st_mode & 0o077 == 0o070
    assert (group.root / "gradebook.db").stat().st_mode & 0o060 == 0o060
    assert (group.root / ".course-secret").stat().st_mode & 0o777 == 0o640
