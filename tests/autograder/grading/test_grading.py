"""Grading a class: what is written, what is skipped, and what of a person's work survives."""

import csv
import json
import os
from pathlib import Path

import nbformat
import pytest

from autograder.course import AuthorError
from autograder.grading.journal import NOTEBOOK, RECORD
from litcourse.names import UnknownNameError

from .conftest import KILLED, LAB, QUESTION, RIGHT, WRONG, Class

POINTS = 5.0


def test_every_submission_has_score_notebook_page_and_record(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in("ben", WRONG)
    group.hand_in("eve", b'{"cells": [')
    (group.root / "submitted/mia" / LAB).mkdir(parents=True)
    assert group.grade() == 0
    assert group.students() == {"ada": POINTS, "ben": 0, "eve": 0, "mia": 0}
    for student in ("ada", "ben", "eve", "mia"):
        assert (group.graded(student) / f"{LAB}.ipynb").stat().st_mode & 0o777 == 0o444
        assert "litcourse-card" in group.page(student).read_text(encoding="utf-8")
        record = group.record(student)
        assert record.written
        assert record.feedback
        assert record.sandbox
    assert group.record("eve").findings == {QUESTION: ["LIT908"]}
    assert group.record("mia").findings == {QUESTION: ["LIT914"]}


def test_what_is_done_is_skipped(group: Class, capsys: pytest.CaptureFixture[str]) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    before = group.record("ada")
    group.hand_in("ben", WRONG)
    capsys.readouterr()
    assert group.grade() == 0
    assert "1 to grade, 1 done already" in capsys.readouterr().out
    assert group.record("ada") == before
    assert set(group.students()) == {"ada", "ben"}


def test_regrade_forces(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    first = (group.root / "evidence" / LAB / "ada" / RECORD).stat().st_ino
    assert group.grade(regrade=True) == 0
    assert (group.root / "evidence" / LAB / "ada" / RECORD).stat().st_ino != first
    assert group.record("ada").history == []  # nothing changed


def test_a_second_submission_replaces_the_first(group: Class) -> None:
    group.hand_in("ada", WRONG, at="2026-11-01 10:00:00 UTC")
    group.grade()
    group.hand_in("ada", RIGHT, at="2026-11-02 10:00:00 UTC")
    assert group.grade() == 0
    assert group.score("ada") == POINTS
    (earlier,) = group.record("ada").history
    assert earlier["points"] == {QUESTION: 0}
    assert earlier["timestamp"] == "2026-11-01 10:00:00 UTC"
    with group.gradebook() as gradebook:
        assert gradebook.find_submission(LAB, "ada").timestamp.day == 2


def test_a_file_beside_the_notebook_counts(group: Class) -> None:
    code = "from pathlib import Path\nnumber_more = int(Path(FILES, 'n.txt').read_text())\n"
    folder = group.hand_in("ada", code + f"def {QUESTION}(n):\n    return n + number_more")
    (folder / "n.txt").write_text("2", encoding="utf-8")
    group.grade()
    assert group.score("ada") == 0
    (folder / "n.txt").write_text("1", encoding="utf-8")
    group.grade()
    assert group.score("ada") == POINTS
    assert (group.graded("ada") / "n.txt").read_text(encoding="utf-8") == "1"


def test_a_new_time_alone_is_written_without_a_run(group: Class) -> None:
    folder = group.hand_in("ada", RIGHT, at="2026-11-01 10:00:00 UTC")
    group.grade()
    before = group.record("ada")
    (folder / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC", encoding="utf-8")
    group.grade()
    assert group.record("ada").graded_at == before.graded_at
    with group.gradebook() as gradebook:
        assert gradebook.find_submission(LAB, "ada").timestamp.day == 3


@pytest.mark.parametrize("text", ["yesterday", "", "9" * 5000, "\udcff"])
def test_a_damaged_time_stops_nobody(group: Class, text: str) -> None:
    folder = group.hand_in("ada", RIGHT)
    (folder / "timestamp.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert group.grade() == 0
    assert group.score("ada") == POINTS


def test_a_lost_gradebook_is_filled_from_the_results(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    before = group.record("ada")
    (group.root / "gradebook.db").unlink()
    group.grade()
    assert group.students() == {"ada": POINTS}
    assert group.record("ada").graded_at == before.graded_at


def test_lost_folders_are_written_again(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.grade(feedback=False)
    assert not group.page("ada").exists()
    before = group.record("ada")
    (group.graded("ada") / f"{LAB}.ipynb").unlink()
    group.grade()
    assert (group.graded("ada") / f"{LAB}.ipynb").is_file()
    assert group.page("ada").is_file()
    assert group.record("ada").graded_at == before.graded_at


def test_a_damaged_result_is_graded_again(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    (group.root / "evidence" / LAB / "ada" / NOTEBOOK).write_text("{}", encoding="utf-8")
    before = (group.root / "evidence" / LAB / "ada" / RECORD).stat().st_ino
    group.grade()
    assert (group.root / "evidence" / LAB / "ada" / RECORD).stat().st_ino != before


# --- a person's work -------------------------------------------------------------------------


def enter(group: Class, **values: object) -> None:
    """What a person enters for ada in the formgrader, or by nbgrader's API."""
    with group.gradebook() as gradebook:
        notebook = gradebook.find_submission_notebook(LAB, LAB, "ada")
        (grade,), (comment,) = notebook.grades, notebook.comments
        for name, value in values.items():
            owner = {"manual_comment": comment, "late_submission_penalty": notebook}.get(name)
            setattr(owner or grade, name, value)
        gradebook.db.commit()


def entered(group: Class) -> tuple[object, ...]:
    with group.gradebook() as gradebook:
        notebook = gradebook.find_submission_notebook(LAB, LAB, "ada")
        (grade,), (comment,) = notebook.grades, notebook.comments
        return (
            grade.manual_score,
            grade.extra_credit,
            comment.manual_comment,
            notebook.late_submission_penalty,
        )


AGAIN = ["regrade", "resubmit", "rejudge", "lost record"]


def again(group: Class, way: str) -> None:
    if way == "rejudge":
        group.points(20)
        assert group.rejudge() == 0
        return
    if way == "resubmit":
        group.hand_in("ada", WRONG, at="2026-11-09 10:00:00 UTC")
    if way == "lost record":
        (group.root / "evidence" / LAB / "ada" / RECORD).unlink()
    assert group.grade(regrade=way == "regrade") == 0


@pytest.mark.parametrize("way", AGAIN)
def test_what_a_person_entered_survives(group: Class, way: str) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    values = {"manual_score": 7.0, "extra_credit": 1.5, "manual_comment": "well seen"}
    enter(group, **values, late_submission_penalty=2.5)
    again(group, way)
    assert entered(group) == (7.0, 1.5, "well seen", 2.5)
    assert group.score("ada") == 8.5


LATE = """
from nbgrader.plugins import LateSubmissionPlugin

class Half(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score / 2
"""


@pytest.fixture
def late(group: Class) -> Class:
    """Ada handed in late, in a course that takes half of the points for it."""
    (group.root / "late.py").write_text(LATE, encoding="utf-8")
    group.settings("from late import Half\nc.AssignLatePenalties.plugin_class = Half\n")
    group.hand_in("ada", RIGHT, at="2026-11-02 10:00:00 UTC")
    group.hand_in("zoe", WRONG)
    group.grade(student="zoe")  # so that the lab is known
    with group.gradebook() as gradebook:
        gradebook.update_or_create_assignment(LAB, duedate="2026-11-01 10:00:00 UTC")
    group.grade()
    return group


def test_a_late_penalty_is_assigned_as_the_course_says(late: Class) -> None:
    assert entered(late)[3] == POINTS / 2


def test_an_assigned_penalty_follows_the_score(late: Class) -> None:
    late.points(20)
    late.rejudge()
    assert entered(late)[3] == 10.0


@pytest.mark.parametrize("way", AGAIN)
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_persons_penalty_stays_in_place_of_the_assigned(
    late: Class, way: str, penalty: float
) -> None:
    enter(late, late_submission_penalty=penalty)
    again(late, way)
    assert entered(late)[3] == penalty
    again(late, "regrade")
    assert entered(late)[3] == penalty


def test_a_penalty_that_a_person_took_back_stays_away(late: Class) -> None:
    enter(late, late_submission_penalty=None)
    for _ in range(2):
        late.grade(regrade=True)
        assert entered(late)[3] is None


# --- grading itself fails --------------------------------------------------------------------


def test_a_submission_that_kills_its_worker_gets_a_visible_zero(
    group: Class, capsys: pytest.CaptureFixture[str]
) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in("kim", KILLED)
    group.hand_in("zoe", RIGHT)
    assert group.grade() == 1
    assert group.students() == {"ada": POINTS, "kim": 0, "zoe": POINTS}
    record = group.record("kim")
    assert record.state == "failed"
    assert "SIGKILL" in record.detail
    assert record.findings == {QUESTION: ["LIT950"]}
    with group.gradebook() as gradebook:
        assert gradebook.find_submission(LAB, "kim").needs_manual_grade
        assert not gradebook.find_submission(LAB, "ada").needs_manual_grade
    out = capsys.readouterr().out
    assert "1 could not be graded" in out
    assert "kim: the worker was killed by SIGKILL" in out
    assert "GRADING FAILED" in out


def test_what_failed_is_tried_again(group: Class) -> None:
    folder = group.hand_in("kim", f"if not Path(FILES, 'ok').exists():\n    {KILLED!r}\n")
    group.hand_in("kim", "from pathlib import Path\n" + _unless_mended(group) + RIGHT)
    assert group.grade() == 1
    assert folder.is_dir()
    (group.root / "mended").touch()
    assert group.grade() == 0
    assert group.score("kim") == POINTS
    assert group.record("kim").history[0]["state"] == "failed"


def _unless_mended(group: Class) -> str:
    lines = KILLED.replace("\n", "; ")
    return f"if not Path({str(group.root / 'mended')!r}).exists():\n    {lines}\n"


def test_a_score_stays_where_the_same_files_fail_later(group: Class) -> None:
    (group.root / "mended").touch()
    group.hand_in("kim", "from pathlib import Path\n" + _unless_mended(group) + RIGHT)
    assert group.grade() == 0
    (group.root / "mended").unlink()
    assert group.grade(regrade=True) == 1
    assert group.score("kim") == POINTS
    assert group.record("kim").state == "graded"


def test_a_name_that_no_gradebook_takes_is_told(
    group: Class, capsys: pytest.CaptureFixture[str]
) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in(os.fsdecode(b"caf\xe9"), RIGHT)
    assert group.grade() == 1
    assert set(group.students()) == {"ada"}
    assert "caf\N{REPLACEMENT CHARACTER}: not written" in capsys.readouterr().out


@pytest.mark.parametrize("student", ["-rf", "Zoë Müller", "[x]*", "a,b;\"c'", "=1+1", "[red]"])
def test_odd_names_are_names(group: Class, student: str, tmp_path: Path) -> None:
    group.hand_in(student, RIGHT)
    assert group.grade(student=student, csv=tmp_path / "scores.csv") == 0
    assert group.students() == {student: POINTS}
    assert group.page(student).is_file()


# --- links -----------------------------------------------------------------------------------


def test_links_are_not_followed(group: Class) -> None:
    secret = group.root / "gradebook.db"
    group.hand_in("ada", RIGHT)
    group.grade()
    folder = group.hand_in("eve", RIGHT)
    (folder / "copy.db").symlink_to(secret)
    (folder / "all").symlink_to(group.root / "submitted")
    (folder / "relative.ipynb").symlink_to(f"../../ada/{LAB}/{LAB}.ipynb")
    os.mkfifo(folder / "pipe")
    assert group.grade() == 0
    assert group.score("eve") == POINTS
    assert [path.name for path in group.graded("eve").rglob("*")] == [f"{LAB}.ipynb"]
    assert "LIT951" in group.record("eve").notices
    assert "A link or a giant file" in group.page("eve").read_text(encoding="utf-8")


def test_a_notebook_that_is_a_link_earns_nothing(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    folder = group.root / "submitted/eve" / LAB
    folder.mkdir(parents=True)
    (folder / f"{LAB}.ipynb").symlink_to(f"../../ada/{LAB}/{LAB}.ipynb")
    (group.root / "submitted/mal").symlink_to("ada")
    assert group.grade() == 0
    assert group.students() == {"ada": POINTS, "eve": 0, "mal": 0}


def test_a_folder_of_the_notebooks_name_is_no_notebook(group: Class) -> None:
    (group.root / "submitted/eve" / LAB / f"{LAB}.ipynb").mkdir(parents=True)
    assert group.grade() == 0
    assert group.students() == {"eve": 0}


# --- the command line ------------------------------------------------------------------------


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
