"""What is said after a run of submissions that a person should look at."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autograder.course import AuthorError
from autograder.grading import run
from autograder.grading.reporting import notices
from autograder.grading.reporting.notices import RunNotices
from autograder.grading.reporting.progress import name_few
from litcourse.core.exit_codes import ExitCode
from tests.autograder.grading.conftest import LAB, RIGHT, WRONG, Class, enter

Said = pytest.CaptureFixture[str]
DUE = datetime(2026, 11, 2, tzinfo=UTC).replace(tzinfo=None)


def test_few_names_are_named() -> None:
    assert name_few(["a", "b"]) == "a, b"
    assert name_few(list("abcdefgh")) == "a, b, c, d, e and 3 more"
    assert name_few(["a\x1b[2J"]) == "a\N{REPLACEMENT CHARACTER}[2J"
    assert RunNotices().lines() == []
    several = RunNotices(gone=[("lab1", "ada"), ("lab2", "ben")])
    assert "lab1 ada, lab2 ben" in several.lines()[0]


def test_points_that_a_person_set_are_to_be_looked_at_again(group: Class, capsys: Said) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    enter(group, manual_score=7.0)
    capsys.readouterr()
    group.grade()
    assert "formgrader" not in capsys.readouterr().out
    group.grade(regrade=True)
    assert "graded again since: ada. Next: look at them again" in capsys.readouterr().out
    group.grade(json=True)
    assert json.loads(capsys.readouterr().out)["look_again"] == [{"lab": LAB, "student": "ada"}]


def test_a_time_that_can_not_be_read_is_said_where_there_is_a_due_date(
    group: Class, capsys: Said
) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in("ben", RIGHT, at="yesterday, I think")
    group.hand_in("cleo", RIGHT, at="2026-11-02 10:00:00 UTC")
    group.grade()
    assert "timestamp.txt" not in capsys.readouterr().out
    with group.gradebook() as gradebook:
        gradebook.update_or_create_assignment(LAB, duedate=DUE)
    group.grade()
    assert "counts as on time: ada, ben\n" in capsys.readouterr().out


def test_who_is_gone_from_submitted_is_said(group: Class, tmp_path: Path, capsys: Said) -> None:
    for student in ("ada", "ben"):
        group.hand_in(student, RIGHT)
    group.grade()
    shutil.rmtree(group.root / "submitted/ben")
    capsys.readouterr()
    group.grade(csv=tmp_path / "scores.csv")
    assert "gone from submitted/, so not in the table and not in --csv: ben" in (
        capsys.readouterr().out
    )
    assert "ben" not in (tmp_path / "scores.csv").read_text(encoding="utf-8")
    group.grade(students=["ada"])
    assert "gone" not in capsys.readouterr().out


def test_a_course_secret_that_is_gone_is_said_before_grading(group: Class, capsys: Said) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    assert "secret" not in capsys.readouterr().out
    (group.root / ".course-secret").unlink()
    group.grade()
    assert "secret" not in capsys.readouterr().out  # none is needed
    group.hand_in("ben", WRONG)
    group.grade()
    said = capsys.readouterr().out
    assert notices.NEW_SECRET in said
    assert said.index(notices.NEW_SECRET) < said.index("1 of 1")
    (group.root / ".course-secret").unlink()
    group.grade(regrade=True, json=True)
    assert json.loads(capsys.readouterr().out)["new_secret"]


def test_an_assignment_that_is_no_lab_is_said(group: Class, capsys: Said) -> None:
    (group.root / "source/hw1").mkdir()
    (group.root / "submitted/ada/hw1").mkdir(parents=True)
    group.hand_in("ada", RIGHT)
    group.grade()
    assert "left to nbgrader: hw1\n" in capsys.readouterr().out


@pytest.mark.parametrize(("regrade", "promised"), [(True, True), (False, False)])
def test_an_interrupted_regrade_does_not_promise_to_go_on(
    group: Class, monkeypatch: pytest.MonkeyPatch, capsys: Said, *, regrade: bool, promised: bool
) -> None:
    group.hand_in("ada", RIGHT)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "Session", interrupted)
    assert group.grade(regrade=regrade) == ExitCode.INTERRUPTED
    assert ("A regrade begins with the first again. Next: " in capsys.readouterr().out) == promised


def test_progress_calls_points_automatic(group: Class, capsys: Said) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    assert "ada: 5 of 5 automatic" in capsys.readouterr().out
    enter(group, manual_score=2.0)
    group.points(4)
    group.rejudge()
    said = capsys.readouterr().out
    assert "ada: 4 of 4 automatic" in said
    assert "1 of 1 automatic scores changed." in said


def test_what_is_no_submission_is_said(group: Class, capsys: Said) -> None:
    (group.root / "submitted/eve").mkdir(parents=True)
    (group.root / "submitted/eve" / LAB).write_text("a file", encoding="utf-8")
    group.hand_in(".dot", RIGHT)
    why = f".dot (the id begins with a dot), eve ({LAB} is no folder)"
    with pytest.raises(AuthorError, match=re.escape(f"nothing was handed in but {why}")):
        group.grade(labs=[LAB])
    group.hand_in("ada", RIGHT)
    assert group.grade() == 0
    assert f"In submitted/, but not graded: {why}. Next" in capsys.readouterr().out
    assert set(group.students()) == {"ada"}
