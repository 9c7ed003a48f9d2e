"""`autograder marks`, `show`, `backup` and `restore`: what goes out of a course."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.course import Course
from tests.autograder.grading.conftest import LAB, QUESTION, RIGHT, WRONG, Class

from .conftest import Exchange, Said

Call = Callable[..., Said]
EVIL = "=HYPERLINK(1)"


@pytest.fixture
def graded(group: Class) -> Class:
    """Three on the roster, two of whom handed in."""
    with group.gradebook() as gradebook:
        gradebook.add_student("ada", first_name="Ada", last_name="Love", email="ada@x.org")
        gradebook.add_student("ben", first_name=EVIL, last_name="Bo", email="ben@x.org")
        gradebook.add_student("cyd", first_name="Cyd", last_name="Day", email="cyd@x.org")
    group.hand_in("ada", RIGHT)
    group.hand_in("ben", WRONG)
    assert group.grade() == 0
    return group


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.usefixtures("graded")
def test_moodle_gets_points_and_findings(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "moodle.csv"
    assert call("marks", LAB, "--format", "moodle", "--out", str(out)).code == 0
    header, ada, ben, cyd = read(out)
    assert header[4:] == [LAB, f"{LAB} feedback"]
    assert (ada[1], ada[4], ada[5]) == ("ada@x.org", "5", f"{QUESTION}: 5 of 5")
    assert (ben[2], ben[4]) == (f"'{EVIL}", "0")
    assert f"{QUESTION}: 0 of 5. " in ben[5]
    assert "(LIT" in ben[5]
    assert cyd[4:] == ["", ""]  # nothing handed in is no zero


@pytest.mark.usefixtures("graded")
def test_canvas_gets_its_own_table_back(call: Call, tmp_path: Path) -> None:
    export, out = tmp_path / "export.csv", tmp_path / "canvas.csv"
    lines = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", f"{LAB} (77)", "Other (78)"],
        ["    Points Possible", "", "", "", "", "5", "10"],
        ["Love, Ada", "1", "-s1", "ada", "A", "", "7.5"],
        [f"Bo, {EVIL}", "2", "-s2", "ben", "A", "", "-1"],
        ["Day, Cyd", "3", "-s3", "cyd", "A", "", ""],
        ["Who, Ever", "4", "-s4", "who", "A", "", ""],
        ["Student, Test", "5", "", "abc", "A", "", ""],
    ]
    with export.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(lines)
    said = call("marks", LAB, "--format", "canvas", "--roster", str(export), "--out", str(out))
    assert (said.code, "Who" in said.text) == (1, True)
    expected = [list(line) for line in lines]
    expected[2][5], expected[3][5] = "5", "0"
    assert read(out) == expected
    said = call("marks", LAB, "--format", "canvas", "--out", str(out))
    assert (said.code, "--roster EXPORT.csv" in said.text) == (2, True)


def test_an_open_question_leaves_the_cell_empty(graded: Class, call: Call, tmp_path: Path) -> None:
    with graded.gradebook() as gradebook:
        (grade,) = gradebook.find_submission_notebook(LAB, LAB, "ada").grades
        grade.auto_score = None
        gradebook.db.commit()
    said = call("marks", LAB, "--out", str(tmp_path / "m.csv"))
    assert (said.code, "left empty" in said.text) == (1, True)
    assert read(tmp_path / "m.csv")[1][4] == ""


@pytest.mark.usefixtures("graded")
def test_show_tells_points_inputs_and_evidence(call: Call) -> None:
    said = call("show", LAB, "ben", QUESTION)
    assert said.code == 0
    for text in ("0 of 5 points", "the inputs of this submission", "number: ", "value: ", "LIT"):
        assert text in said.text
    assert call("show", LAB, "zed").code == 2
    assert "Nearest first" in call("show", LAB, "ada", "addone").text


def test_a_backup_goes_on_elsewhere(
    graded: Class, exchange: Exchange, call: Call, tmp_path: Path
) -> None:
    exchange.submit("cyd", RIGHT, "2026-11-01 10:00:00")
    call("collect", LAB)
    call("extend", LAB, "ben", "--days", "1")
    assert graded.grade() == 0
    file, folder = tmp_path / "term.tar.gz", tmp_path / "elsewhere"
    assert call("backup", str(file)).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert call("backup", str(file)).code == 2
    said = call("restore", str(file), str(folder))
    assert said.code == 0, said.text
    again = Class(Course(folder))
    before = graded.record("ada").graded_at
    assert again.grade() == 0
    assert again.students() == graded.students() == {"ada": 5.0, "ben": 0.0, "cyd": 5.0}
    assert again.record("ada").graded_at == before  # nothing ran again
    assert again.page("ada").is_file()
    assert (folder / ".course-secret").read_bytes() == (graded.root / ".course-secret").read_bytes()
    assert call("restore", str(file), str(folder)).code == 2
    file.write_bytes(file.read_bytes()[:-2000])
    assert call("restore", str(file), str(tmp_path / "broken")).code == 2


def test_pages_have_what_release_feedback_reads(graded: Class) -> None:
    digits = set()
    for student in ("ada", "ben"):
        folder = graded.page(student).parent
        assert (folder / "timestamp.txt").read_text(encoding="utf-8")
        digits.add((folder / "submission_secret.txt").read_text(encoding="utf-8"))
    assert len(digits) == 2
