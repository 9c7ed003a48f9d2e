"""Late penalties follow due dates, extensions and scores; a person's stay as they are."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.nbgrader_plugins import penalties
from autograder.nbgrader_plugins.penalties import FILE

from .conftest import AGAIN, LAB, QUESTION, RIGHT, WRONG, Apart, Class, again, enter, entered

POINTS = 5.0
DUE, LATER = "2026-11-01 10:00:00 UTC", "2026-12-01 10:00:00 UTC"
HALF = POINTS / 2
PLUGIN = """
from nbgrader.plugins import LateSubmissionPlugin

class Half(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score / 2
"""
OWN_LIST = """
from nbgrader.preprocessors import AssignLatePenalties
c.Autograde.autograde_preprocessors[-1] = AssignLatePenalties
"""


@pytest.fixture
def late(group: Class) -> Class:
    """Ada handed in late, zoe in time, in a course that takes half of the points for it."""
    (group.root / "late.py").write_text(PLUGIN, encoding="utf-8")
    group.settings("from late import Half\nc.AssignLatePenalties.plugin_class = Half\n")
    group.hand_in("ada", RIGHT, at="2026-11-02 10:00:00 UTC")
    group.hand_in("zoe", WRONG)
    group.grade(students=["zoe"])  # so that the lab is known
    due(group, DUE)
    group.grade()
    return group


def due(group: Class, date: str) -> None:
    with group.gradebook() as gradebook:
        gradebook.update_or_create_assignment(LAB, duedate=date)


def extend(group: Class, days: int) -> None:
    with group.gradebook() as gradebook:
        gradebook.grant_extension(LAB, "ada", days=days)


def penalty(group: Class) -> object:
    return entered(group)[3]


def kept(group: Class, student: str = "ada") -> Path:
    return group.root / "evidence" / LAB / student / FILE


def test_it_is_assigned_as_the_course_says(late: Class) -> None:
    assert penalty(late) == HALF


def test_only_who_is_late_has_a_file_of_penalties(late: Class) -> None:
    assert json.loads(kept(late).read_bytes())["assigned"] == [HALF]
    assert not kept(late, "zoe").exists()


def test_an_assigned_one_follows_the_score(late: Class) -> None:
    late.points(20)
    late.rejudge()
    assert penalty(late) == 10.0


@pytest.mark.parametrize("way", AGAIN)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_persons_stays_in_place_of_the_assigned(late: Class, way: str, value: float) -> None:
    enter(late, late_submission_penalty=value)
    again(late, way)
    assert penalty(late) == value
    again(late, "regrade")
    assert penalty(late) == value


@pytest.mark.parametrize("way", ["regrade", "nbgrader"])
def test_one_that_a_person_took_back_stays_away(late: Class, way: str) -> None:
    enter(late, late_submission_penalty=None)
    for _ in range(2):
        again(late, way)
        assert penalty(late) is None


def test_a_persons_outlives_changed_due_dates(late: Class) -> None:
    enter(late, late_submission_penalty=1.0)
    for date in (LATER, DUE):
        due(late, date)
        late.rejudge()
        assert penalty(late) == 1.0


def test_a_persons_penalty_of_nothing_is_not_none_at_all(late: Class) -> None:
    extend(late, days=7)
    late.rejudge()
    enter(late, late_submission_penalty=0.0)
    extend(late, days=0)
    late.rejudge()
    assert penalty(late) == 0.0


def test_one_of_plain_nbgrader_is_not_taken_for_a_persons(late: Class) -> None:
    kept(late).unlink()
    enter(late, late_submission_penalty=None)
    late.nbgrader_autograde("--force")
    assert penalty(late) == HALF
    due(late, LATER)
    late.grade(regrade=True)
    assert penalty(late) is None


# nbgrader 0.9.6 with SQLAlchemy 2, on each first submission, without effect.
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_plain_nbgrader_grades_first(group: Class) -> None:
    group.settings("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    group.hand_in("ada", RIGHT, at="2026-11-02 10:00:00 UTC")
    due(group, DUE)
    group.nbgrader_autograde()
    assert penalty(group) == POINTS
    due(group, LATER)
    group.nbgrader_autograde("--force")
    assert penalty(group) is None


def test_without_a_file_the_plugins_value_is_the_plugins(late: Class) -> None:
    kept(late).unlink()
    late.grade(regrade=True)
    due(late, LATER)
    late.grade(regrade=True)
    assert penalty(late) is None


def test_without_a_file_another_value_is_a_persons(late: Class) -> None:
    kept(late).write_text("no JSON", encoding="utf-8")
    enter(late, late_submission_penalty=1.0)
    late.grade(regrade=True)
    assert penalty(late) == 1.0


def test_a_gradebook_that_was_made_anew_gets_its_penalties(late: Class) -> None:
    (late.root / "gradebook.db").unlink()
    due(late, DUE)
    late.grade()
    assert penalty(late) == HALF


def _later(group: Class) -> None:
    due(group, LATER)


def _extended(group: Class) -> None:
    extend(group, days=7)


@pytest.mark.parametrize("change", [_later, _extended])
def test_rejudge_assigns_anew_where_the_points_stay(
    late: Class, change: Callable[[Class], None], capsys: pytest.CaptureFixture[str]
) -> None:
    text = late.page("ada").read_text(encoding="utf-8")
    others = late.page("zoe").stat().st_mtime_ns, late.graded("zoe").stat().st_mtime_ns
    assert "(Score: 2.5 / 5.0)" in text
    change(late)
    capsys.readouterr()
    assert late.rejudge() == 0
    said = capsys.readouterr().out
    assert "1 of 2 automatic scores changed." in said
    assert f"{LAB} ada: late penalty 2.5 -> 0" in said
    assert penalty(late) is None
    assert "(Score: 5.0 / 5.0)" in late.page("ada").read_text(encoding="utf-8")
    after = late.page("zoe").stat().st_mtime_ns, late.graded("zoe").stat().st_mtime_ns
    assert after == others
    assert late.record("ada").history == []
    late.rejudge()
    assert "0 of 2 automatic scores changed." in capsys.readouterr().out


def test_rejudge_tells_changed_penalties_as_json(
    late: Class, capsys: pytest.CaptureFixture[str]
) -> None:
    extend(late, days=7)
    capsys.readouterr()
    late.rejudge(json=True)
    (entry,) = json.loads(capsys.readouterr().out)["changed"]
    assert entry["before"] == {QUESTION: POINTS, "late penalty": -HALF}
    assert entry["after"] == {QUESTION: POINTS, "late penalty": 0.0}


def test_grade_says_which_penalties_no_longer_fit(
    late: Class, capsys: pytest.CaptureFixture[str]
) -> None:
    hint = "1 of those done already have a late penalty that no longer fits."
    hint += f" Next: autograder rejudge {LAB}"

    def told() -> bool:
        capsys.readouterr()
        assert late.grade(labs=[LAB]) == 0
        return hint in " ".join(capsys.readouterr().out.split())

    assert not told()
    due(late, LATER)
    assert told()
    late.rejudge()
    assert not told()
    due(late, DUE)
    assert told()
    enter(late, late_submission_penalty=1.0)
    late.rejudge()
    assert not told()


def test_a_changed_plugin_is_a_changed_penalty(late: Class) -> None:
    late.settings("c.AssignLatePenalties.plugin_class = 'nbgrader.plugins.LateSubmissionPlugin'\n")
    late.rejudge()
    assert penalty(late) is None


def test_a_plugin_that_raises_is_named_and_loses_nothing(
    late: Class, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PLUGIN.replace("return score / 2", "raise ZeroDivisionError('of the course')")
    (late.root / "broken.py").write_text(text, encoding="utf-8")
    late.settings("from broken import Half\nc.AssignLatePenalties.plugin_class = Half\n")
    assert late.grade() == 0
    assert "no longer fits" in capsys.readouterr().out
    assert late.rejudge() == 1
    assert "not written: of the course" in capsys.readouterr().out
    assert penalty(late) == HALF


def _killed(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("before_the_commit", [True, False])
def test_killed_while_it_assigns_it_is_not_taken_for_a_persons(
    late: Class, apart: Apart, tmp_path: Path, *, before_the_commit: bool
) -> None:
    late.points(20)

    def rejudge() -> int:
        note = penalties._keep_assigned

        def last(folder: Path, notebook: str, known: Any, values: Any) -> None:
            if len(values) == 2:
                note(folder, notebook, known, values)
            if before_the_commit or len(values) == 1:
                _killed()

        penalties._keep_assigned = last
        return late.rejudge()

    process = apart(tmp_path / "log", rejudge)
    process.join()
    assert process.exitcode == -signal.SIGKILL, (tmp_path / "log").read_text(encoding="utf-8")
    assert penalty(late) == (HALF if before_the_commit else 10.0)
    assert json.loads(kept(late).read_bytes())["assigned"] == [HALF, 10.0]
    due(late, LATER)
    late.grade()
    assert penalty(late) is None
    assert json.loads(kept(late).read_bytes())["assigned"] == [None]


def test_settings_with_nbgraders_own_step_keep_a_persons_too(late: Class) -> None:
    late.settings(OWN_LIST)
    late.nbgrader_autograde("--force")
    assert penalty(late) == HALF
    enter(late, late_submission_penalty=1.0)
    late.grade(regrade=True)
    late.rejudge()
    assert penalty(late) == 1.0


def test_settings_without_any_penalties_leave_them(late: Class) -> None:
    late.settings("c.Autograde.autograde_preprocessors.pop()\n")
    due(late, LATER)
    late.grade(regrade=True)
    late.rejudge()
    assert penalty(late) == HALF
