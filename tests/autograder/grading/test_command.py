"""`autograder grade` as a command: names, settings, what it prints and writes."""

import csv
import errno
import importlib
import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.course import AuthorError
from autograder.grading.reporting import table
from autograder.grading.run import Options
from autograder.grading.shard import Shard, grade_shard
from autograder.grading.submission_grader import describe_full_disk
from litcourse.core.names import UnknownNameError

from .conftest import KILLED, LAB, QUESTION, RIGHT, WRONG, Class, enter

POINTS = 5.0
STUB = f'''def {QUESTION}(number):
    """Say here what the function takes and returns."""
    # YOUR CODE HERE
    raise NotImplementedError()'''


def test_unknown_names_are_answered_with_the_nearest(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    with pytest.raises(UnknownNameError, match=r"Nearest first: lab0_tiny"):
        group.grade(labs=["lab0_tinny"])
    with pytest.raises(UnknownNameError, match=r"Nearest first: ada"):
        group.grade(students=["adda"])


def test_some_students_are_graded_and_no_others(group: Class) -> None:
    for student in ("ada", "ben", "cyd"):
        group.hand_in(student, RIGHT)
    assert group.grade(students=["cyd", "ada"]) == 0
    assert group.students() == {"ada": POINTS, "cyd": POINTS}
    with pytest.raises(UnknownNameError, match=r"Nearest first: ben"):
        group.grade(students=["ada", "benn"])


def test_nothing_handed_in_is_said(group: Class) -> None:
    with pytest.raises(AuthorError, match="autograder collect lab0_tiny"):
        group.grade()


def test_settings_that_name_other_steps_are_refused(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.settings("c.Autograde.autograde_preprocessors = []\n")
    with pytest.raises(AuthorError, match="RunSubmission"):
        group.grade()


def test_broken_settings_are_said(group: Class) -> None:
    group.settings("this is no Python\n")
    with pytest.raises(AuthorError, match="nbgrader autograde --help"):
        group.grade()


def test_settings_of_an_older_version_are_told_where_the_new_ones_are(group: Class) -> None:
    group.settings("from autograder.nbgrader_road.run import RunSubmission")
    with pytest.raises(AuthorError, match=r"nbgrader_road.*\n.*of the course's repository"):
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
    assert QUESTION in told["submissions"][1]["undecided"]
    assert [f["student"] for f in told["failed"]] == ["kim"]
    assert {f["code"]: f["students"] for f in told["findings"]} == {"LIT900": 1}


def test_a_mix_up_of_files_is_said(group: Class, capsys: pytest.CaptureFixture[str]) -> None:
    path = group.hand_in("ada", RIGHT) / f"{LAB}.ipynb"
    path.rename(path.with_name("final.py"))
    group.hand_in("ben", RIGHT).joinpath(f"{LAB}.ipynb").rename(
        group.hand_in("cleo", STUB).joinpath("copy.ipynb")
    )
    group.grade(json=True)
    told = json.loads(capsys.readouterr().out)
    details = {sent["student"]: sent["detail"] for sent in told["submissions"]}
    assert details["ada"] == f"no {LAB}.ipynb; there is final.py"
    assert group.record("cleo").notices == ["LIT917"]
    group.grade()
    told = " ".join(capsys.readouterr().out.split())
    assert "The answers are in another file (LIT917)" in told
    assert f"no {LAB}.ipynb; there is final.py (LIT914)" in told


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
    assert ada["submitted_at"] == "2026-11-02T10:00:00+00:00"
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


def test_a_csv_file_never_replaces_what_is_no_plain_file(group: Class, tmp_path: Path) -> None:
    group.hand_in("ada", RIGHT)
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("/dev/stdout")
    for path in (pipe, link, Path("/dev/null"), Path("/dev/stdout")):
        with pytest.raises(AuthorError, match="name a plain file: --csv"):
            group.grade(csv=path)
    with pytest.raises(AuthorError, match=r"it is a folder.*\n.*/scores\.csv"):
        group.grade(csv=tmp_path)
    assert Path("/dev/null").is_char_device()
    assert Path("/dev/stdout").is_symlink()


def test_a_csv_file_that_can_not_be_written_is_said(
    group: Class, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.hand_in("ada", RIGHT)
    monkeypatch.setattr(table, "write_atomically", read_only)
    with pytest.raises(AuthorError, match="the scores can't be written: Read-only file system"):
        group.grade(csv=tmp_path / "scores.csv")
    assert group.record("ada").written
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(AuthorError, match="nothing can be written in its folder"):
        group.grade(csv=tmp_path / "scores.csv")


def read_only(path: Path, *_: object, **__: object) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


@pytest.mark.parametrize("name", ["mkdir", "open"])
def test_a_course_that_can_not_be_written_is_said(
    group: Class, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    group.hand_in("ada", RIGHT)
    (group.root / "evidence").mkdir()
    original = getattr(Path, name)

    def refused(path: Path, *args: Any, **more: Any) -> Any:
        if path.name in {"evidence", ".lock"}:
            read_only(path)
        return original(path, *args, **more)

    monkeypatch.setattr(Path, name, refused)
    for do in (group.grade, group.rejudge):
        with pytest.raises(AuthorError, match="can't be written: Read-only file system"):
            do()


def test_a_disk_that_takes_no_more_is_named_by_its_reason() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert describe_full_disk(full).startswith("the disk is full")
    locked = OSError(errno.EROFS, os.strerror(errno.EROFS), "/course/evidence")
    assert describe_full_disk(locked) == "/course/evidence can't be written: Read-only file system"


def test_a_folder_without_settings_is_said(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    (group.root / "nbgrader_config.py").unlink()
    with pytest.raises(AuthorError, match=r"no nbgrader_config\.py here"):
        group.grade()


def test_an_assignment_of_nbgrader_alone_is_no_lab(group: Class) -> None:
    (group.root / "source/hw1").mkdir()
    with pytest.raises(AuthorError, match="hw1 is no lab of litcourse"):
        group.grade(labs=["hw1"])
    group.hand_in("ada", RIGHT)
    assert group.grade() == 0


def test_a_torch_that_is_too_old_is_said_before_anybody_is_graded(
    group: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.hand_in("ada", RIGHT)
    package = importlib.import_module(f"litcourse.labs.{LAB}")
    monkeypatch.setattr(package, "GRADING_NEEDS", {"torch": "99.1"}, raising=False)
    said = r"needs torch 99\.1.*\n.*Next: make setup"
    with pytest.raises(AuthorError, match=said):
        group.grade()
    with pytest.raises(AuthorError, match=said):
        grade_shard(group.course, Options([LAB]), Shard(1, 1))
    with pytest.raises(SystemExit) as ended:
        group.nbgrader_autograde()
    assert ended.value.code
    assert not (group.course.root / "autograded").exists()
