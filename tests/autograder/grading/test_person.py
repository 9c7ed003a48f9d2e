"""What a person entered survives whatever is graded afterwards."""

import pytest

from autograder.grading.journal import RECORD

from .conftest import LAB, RIGHT, WRONG, Class, enter

POINTS = 5.0


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
