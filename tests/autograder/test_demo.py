"""The made-up class: its submissions are well made, and a wrong score does not pass unseen."""

import json
from pathlib import Path

import pytest
from nbformat import NotebookNode

from autograder import bank, demo
from autograder.classroom import copied
from autograder.course import Course, grade_id
from autograder.demo_class import CLASS, Member

ROOT = Path(__file__).resolve().parents[2]
LAB = Course(ROOT).lab(demo.LAB)
BY_NAME = {member.name: member for member in CLASS}


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """What the judges import sets environment variables for the rest of the process."""
    LAB.check_parts()


def test_the_class_has_all_kinds() -> None:
    assert len(CLASS) >= 10
    assert len(BY_NAME) == len(CLASS)
    totals = {name: sum(member.expected(LAB).values()) for name, member in BY_NAME.items()}
    assert totals["ada"] == totals["chen"] == sum(q.points for q in LAB.questions.values())
    assert totals["ben"] == totals["hana"] == 0
    assert 0 < totals["emil"] < totals["ada"]


@pytest.mark.parametrize("name", BY_NAME)
def test_submissions_are_made_of_the_bank(name: str) -> None:
    member = BY_NAME[name]
    made = member.submission(LAB, LAB.notebook, bank.load(LAB))
    if isinstance(made, bytes):
        with pytest.raises(json.JSONDecodeError):
            json.loads(made)
        return
    sources = {grade_id(cell): cell.source for cell in made.cells}
    for question_id, wanted in member.answers.items():
        changed = sources[question_id] != LAB.questions[question_id].solution
        assert changed == (wanted != "")


@pytest.mark.slow
def test_a_wrong_score_is_shown_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def spoil(_: NotebookNode) -> bytes:
        return b"{"

    few = (BY_NAME["hana"], Member("liar", "said to be right", change=spoil))
    monkeypatch.setattr(demo, "CLASS", few)
    course = copied(Course(ROOT), tmp_path, LAB, LAB.questions)
    assert demo.run(course) == 1
    shown = capsys.readouterr().out
    assert "liar, wrap: 0 of 10 expected; LIT908" in shown
    for member in few:
        page = tmp_path / "demo" / "feedback" / member.name / demo.LAB / f"{demo.LAB}.html"
        assert str(page) in shown
        assert "LIT908" in page.read_text(encoding="utf-8")
    assert (tmp_path / "demo" / "gradebook.db").exists()
