"""A question that the machine could not measure has no score: a person decides."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nbformat
import pytest

from autograder.nbgrader_plugins.grade import UNDECIDED
from litcourse.core.exit_codes import ExitCode

from .conftest import LAB, QUESTION, RIGHT, WRONG, Class, enter

WHY = "this torch has no such device"
UNMEASURED = f"""
from litcourse.probing.attempts import NotMeasuredError

def {QUESTION}(number):
    raise NotMeasuredError({WHY!r})
"""
Said = pytest.CaptureFixture[str]


def needs_a_person(group: Class) -> dict[str, bool]:
    with group.gradebook() as gradebook:
        found = gradebook.notebook_submissions(LAB, LAB)
        return {nb.student.id: nb.grades[0].needs_manual_grade for nb in found}


def test_it_has_no_score_and_is_named(group: Class, tmp_path: Path, capsys: Said) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in("ben", UNMEASURED)
    table = tmp_path / "scores.csv"
    assert group.grade(csv=table) == ExitCode.INCOMPLETE
    assert group.students() == {"ada": 5, "ben": None}
    assert needs_a_person(group) == {"ada": False, "ben": True}
    said = capsys.readouterr().out
    assert f"{LAB}, {QUESTION}, {WHY}: ben" in said
    assert "?" in said
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row[QUESTION] for row in rows] == ["5.0", ""]
    assert [row["undecided"] for row in rows] == ["", f"{QUESTION}: {WHY}"]
    assert WHY in group.page("ben").read_text(encoding="utf-8")
    assert group.grade(json=True) == ExitCode.INCOMPLETE, "as long as nobody has decided"
    ben = json.loads(capsys.readouterr().out)["submissions"][1]
    assert (ben["points"], ben["undecided"]) == ({}, {QUESTION: WHY})


def test_a_person_decides_and_that_stays(group: Class, capsys: Said) -> None:
    group.hand_in("ada", UNMEASURED)
    assert group.grade() == ExitCode.INCOMPLETE
    enter(group, manual_score=4.0, needs_manual_grade=False)
    assert group.grade() == 0
    assert group.score("ada") == 4
    assert needs_a_person(group) == {"ada": False}, "only the page was written anew"
    capsys.readouterr()
    assert group.grade() == 0
    assert "1 done already" in capsys.readouterr().out
    group.hand_in("ada", f"{UNMEASURED}\n")
    assert group.grade() == 0
    assert needs_a_person(group) == {"ada": True}, "it is another submission: look again"
    assert group.rejudge() == 0
    assert group.score("ada") == 4


def test_what_waits_for_a_person_is_written_once(group: Class, capsys: Said) -> None:
    """Each write asks to look again at all that a person has set; a page that is stale does not."""
    group.hand_in("ada", UNMEASURED)
    group.grade()
    for set_by_a_person in (None, 4.0):
        waits = set_by_a_person is None
        enter(group, manual_score=set_by_a_person, needs_manual_grade=waits)
        for stale_pages in (0 if waits else 1, 0):
            capsys.readouterr()
            group.grade(json=True)
            result = json.loads(capsys.readouterr().out)
            assert (result["written"], result["skipped"]) == (stale_pages, 1 - stale_pages)
            assert needs_a_person(group) == {"ada": waits}


def test_a_zero_of_an_older_gradebook_goes(group: Class) -> None:
    group.hand_in("ada", UNMEASURED)
    group.grade()
    enter(group, auto_score=0.0, needs_manual_grade=False)
    assert group.grade() == ExitCode.INCOMPLETE
    assert group.students() == {"ada": None}


def test_rejudge_keeps_it_without_a_score(group: Class, capsys: Said) -> None:
    group.hand_in("ada", UNMEASURED)
    group.grade()
    group.points(20)
    capsys.readouterr()
    assert group.rejudge() == ExitCode.INCOMPLETE
    assert group.students() == {"ada": None}
    assert "0 of 1 automatic scores changed" in capsys.readouterr().out


def test_a_submission_that_is_measured_again_has_a_score(group: Class) -> None:
    group.hand_in("ada", UNMEASURED)
    group.grade()
    group.hand_in("ada", RIGHT)
    assert group.grade() == 0
    assert group.students() == {"ada": 5}
    assert needs_a_person(group) == {"ada": False}


@pytest.mark.parametrize("step", ["SaveScores", "SaveAutoGrades"])
def test_nbgraders_own_command_leaves_it_empty_too(
    step: str, group: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with the settings of an older course, which `autograder grade` reads as the new ones."""
    monkeypatch.syspath_prepend(str(group.root))  # for here.py
    group.hand_in("ada", UNMEASURED)
    if step == "SaveAutoGrades":
        group.settings(
            "from nbgrader.preprocessors import SaveAutoGrades\n"
            "c.Autograde.autograde_preprocessors[-2] = SaveAutoGrades\n"
        )
        assert group.grade() == ExitCode.INCOMPLETE
    else:
        group.nbgrader_autograde()
    assert group.students() == {"ada": None}
    assert needs_a_person(group) == {"ada": True}


def test_a_submission_can_not_ask_for_it_by_metadata(group: Class) -> None:
    path = group.hand_in("ada", WRONG) / f"{LAB}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata[UNDECIDED] = "please"
    nbformat.write(notebook, path)
    assert group.grade() == 0
    assert group.students() == {"ada": 0}
