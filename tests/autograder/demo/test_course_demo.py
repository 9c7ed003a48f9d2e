"""The made-up class: its submissions are well made, and a wrong score does not pass unseen."""

import json
from pathlib import Path

import pytest
from nbformat import NotebookNode

from autograder import bank
from autograder.course import Course, Lab, grade_id
from autograder.demo import course_demo
from autograder.demo.demo_class import STUB, GradedQuestion, Member, members
from autograder.demo.made_up_students import copy_course

ROOT = Path(__file__).resolve().parents[3]
LABS = Course(ROOT).labs
LAB = LABS["lab1_mnist"]
BANK = bank.load(LAB)
BY_NAME = {member.name: member for member in members(LAB, BANK, troubles=True)}


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """What the judges import sets environment variables for the rest of the process."""
    LAB.check_parts()


def test_the_class_has_all_kinds() -> None:
    assert len(BY_NAME) >= 10
    assert set(BY_NAME["ben"].answers) == set(LAB.questions)
    assert set(BY_NAME["ben"].answers.values()) == {STUB}
    assert not BY_NAME["ada"].answers
    assert 0 < len(BY_NAME["dora"].answers) < len(LAB.questions)
    changed = [member for member in BY_NAME.values() if member.change]
    assert len(changed) == 5


@pytest.mark.parametrize("lab", LABS.values(), ids=list(LABS))
def test_every_lab_has_a_class(lab: Lab) -> None:
    cases = bank.load(lab)
    found = members(lab, cases, troubles=False)
    assert len({member.name for member in found}) == len(found) >= 5
    by_name = {member.name: member for member in found}
    unusual, wrong = by_name["chen"].answers, by_name["emil"].answers
    assert set(unusual) == set(lab.questions)
    known = {name: {case.id: case for case in cases[name]} for name in cases}
    assert all(known[name][case_id].right for name, case_id in unusual.items())
    assert not any(known[name][case_id].right for name, case_id in wrong.items())
    for member in found:
        assert isinstance(member.submission(lab, lab.notebook, cases), dict)


@pytest.mark.parametrize("name", BY_NAME)
def test_submissions_are_made_of_the_bank(name: str) -> None:
    member = BY_NAME[name]
    made = member.submission(LAB, LAB.notebook, BANK)
    if isinstance(made, bytes):
        with pytest.raises(json.JSONDecodeError):
            json.loads(made)
        return
    sources = {grade_id(cell): cell.source for cell in made.cells}
    for question_id, wanted in member.answers.items():
        changed = sources[question_id] != LAB.questions[question_id].solution
        assert changed == (wanted != STUB)


@pytest.mark.parametrize(
    ("member", "name", "share", "codes", "right"),
    [
        ("ada", "wrap", 1, (), True),
        ("ada", "wrap", 0.9, ("LIT140",), False),
        ("ada", "wrap", None, (), False),
        ("ada", "evaluate", 0, ("LIT904",), False),  # there is nothing to wait for
        ("ben", "wrap", 0, ("LIT900",), True),
        ("ben", "wrap", 0.1, (), False),
        ("chen", "fit", 1, (), True),
        ("chen", "fit", 0.8, ("LIT413",), False),
        ("hana", "wrap", 0, ("LIT908",), True),
        ("hana", "wrap", 1, (), False),
        ("dora", "fit", 0, ("LIT900",), True),
    ],
)
def test_what_a_member_deserves(
    member: str, name: str, share: float | None, codes: tuple[str, ...], right: bool
) -> None:
    points = None if share is None else share * LAB.questions[name].points
    assert (BY_NAME[member].fault(LAB, BANK, name, GradedQuestion(points, codes)) == "") == right


def test_a_wrong_answer_must_lose_points_by_its_own_finding() -> None:
    (name, case_id), *_ = BY_NAME["emil"].answers.items()
    expects = next(case.expects for case in BANK[name] if case.id == case_id)
    most = LAB.questions[name].points
    for got, right in (
        (GradedQuestion(most - 1, (expects, "LIT140")), True),
        (GradedQuestion(most, ()), False),
        (GradedQuestion(most, (expects,)), False),
        (GradedQuestion(most - 1, ("LIT999", expects)), False),
    ):
        assert (BY_NAME["emil"].fault(LAB, BANK, name, got) == "") == right


@pytest.mark.slow
def test_a_wrong_score_is_shown_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def spoil(_: NotebookNode) -> bytes:
        return b"{"

    few = [BY_NAME["hana"], Member("liar", "said to be right", change=spoil)]
    monkeypatch.setattr(course_demo, "members", lambda *_, **__: few)
    monkeypatch.setattr(course_demo, "_no_sandbox", lambda: "")
    course = copy_course(Course(ROOT), tmp_path, LAB, LAB.questions)
    assert course_demo.run(course) == 1
    shown = capsys.readouterr().out
    assert "liar, wrap: 0; points missing; findings: LIT908" in shown
    for member in few:
        page = tmp_path / "demo" / "feedback" / member.name / LAB.id / f"{LAB.id}.html"
        assert str(page) in shown
        assert "LIT908" in page.read_text(encoding="utf-8")
    assert (tmp_path / "demo" / "gradebook.db").exists()
