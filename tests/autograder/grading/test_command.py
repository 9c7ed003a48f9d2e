"""`autograder grade` as a command: names, settings, what it prints and writes."""

import csv
import json
from pathlib import Path

import nbformat
import pytest

from autograder.course import AuthorError
from litcourse.names import UnknownNameError

from .conftest import KILLED, LAB, QUESTION, RIGHT, WRONG, Class, enter

POINTS = 5.0


def test_unknown_names_are_answered_with_the_nearest(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    with pytest.raises(UnknownNameError, match=r"Nearest first: lab0_tiny"):
        group.grade(labs=["lab0_tinny"])
    with pytest.raises(UnknownNameError, match=r"Nearest first: ada"):
        group.grade(student="adda")


def test_nothing_handed_in_is_said(group: Class) -> None:
    with pytest.raises(AuthorError, match="nbgrader collect lab0_tiny"):
        group.grade()


def test_settings_of_another_road_are_refused(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.settings("c.Autograde.autograde_preprocessors = []\n")
    with pytest.raises(AuthorError, match="RunSubmission"):
        group.grade()


def test_broken_settings_are_said(group: Class) -> None:
    group.settings("this is no Python\n")
    with pytest.raises(AuthorError, match="nbgrader autograde --help"):
        group.grade()


def test_the_layout_of_the_settings_is_honoured(group: Class) -> None:
    structure = "{nbgrader_step}/{assignment_id}/by-{student_id}"
    group.settings(
        f"""
        c.CourseDirectory.directory_structure = {structure!r}
        c.CourseDirectory.source_directory = "src"
        c.CourseDirectory.db_url = "sqlite:///relative.db"
        c.CourseDirectory.student_id_exclude = "zoe"
        """
    )
    group.hand_in("ada", RIGHT)
    place = group.root / "src" / LAB / "by-."
    place.mkdir(parents=True)
    for student in ("ada", "zoe"):
        to = group.root / "submitted" / LAB / f"by-{student}"
        to.mkdir(parents=True)
        (to / f"{LAB}.ipynb").write_bytes(
            (group.root / f"submitted/ada/{LAB}/{LAB}.ipynb").read_bytes()
        )
    (place / f"{LAB}.ipynb").write_bytes((group.root / f"source/{LAB}/{LAB}.ipynb").read_bytes())
    assert group.grade() == 0
    assert (group.root / "relative.db").is_file()
    assert (group.root / "autograded" / LAB / "by-ada" / f"{LAB}.ipynb").is_file()
    assert not (group.root / "autograded" / LAB / "by-zoe").exists()


def test_json_is_one_object_and_alone_on_standard_output(
    group: Class, capsys: pytest.CaptureFixture[str]
) -> None:
    group.hand_in("ada", WRONG)
    group.hand_in("kim", KILLED)
    assert group.grade(json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert [s["student"] for s in told["submissions"]] == ["ada", "kim"]
    assert told["submissions"][0]["points"] == {QUESTION: 0.0}
    assert [f["student"] for f in told["failed"]] == ["kim"]
    assert {f["code"]: f["students"] for f in told["findings"]} == {"LIT900": 1, "LIT950": 1}


def test_csv_has_what_counts(group: Class, tmp_path: Path) -> None:
    for student in ("Müller, Zoë", "=cmd|'calc'!A0", "-1+1", "ada"):
        group.hand_in(student, WRONG, at="2026-11-02 10:00:00 UTC")
    group.grade(csv=tmp_path / "first.csv")
    enter(group, manual_score=7.0, extra_credit=1.0, late_submission_penalty=2.0)
    group.grade(csv=tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"Müller, Zoë", "'=cmd|'calc'!A0", "'-1+1", "ada"}
    ada = rows["ada"]
    assert (ada[QUESTION], ada["total"], ada["max"]) == ("8.0", "6.0", str(POINTS))
    assert ada["submitted_at"] == "2026-11-02T10:00:00"
    assert ada["findings"] == f"{QUESTION} LIT900"
    assert ada["late_penalty"] == "2.0"


def test_a_csv_file_in_no_folder_is_refused_before_grading(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    with pytest.raises(AuthorError, match="mkdir -p"):
        group.grade(csv=group.root / "no/where.csv")
    assert not (group.root / "gradebook.db").exists()


def test_no_sandbox_is_recorded(group: Class, capsys: pytest.CaptureFixture[str]) -> None:
    group.hand_in("ada", RIGHT)
    assert group.grade(sandbox=False) == 0
    assert not group.record("ada").sandbox
    assert "no sandbox" in capsys.readouterr().out


def test_the_masters_of_the_lab_win(group: Class) -> None:
    source = group.root / "source" / LAB
    (source / "data").mkdir()
    (source / "data/table.txt").write_text("ours", encoding="utf-8")
    folder = group.hand_in("ada", RIGHT)
    (folder / "data").write_text("in the way", encoding="utf-8")
    group.hand_in("ben", RIGHT).joinpath("own.txt").write_text("mine", encoding="utf-8")
    assert group.grade() == 0
    for student in ("ada", "ben"):
        found = (group.graded(student) / "data/table.txt").read_text(encoding="utf-8")
        assert found == "ours"
    assert (group.page("ben").parent / "own.txt").read_text(encoding="utf-8") == "mine"


def test_a_graded_notebook_is_nbgraders(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    notebook = nbformat.read(group.graded("ada") / f"{LAB}.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name
