"""What stands on top of a report: who has trouble again and again, and what is left to do."""

from __future__ import annotations

import pytest

from autograder.grading.records import Record
from autograder.grading.reporting.table import Row
from autograder.term.report.class_facts import Attendance, ClassFacts, LabFacts, Stuck
from autograder.term.report.class_report import hide_names, render
from autograder.term.report.stuck import _no_notebook, _zeros

NOW, BEFORE, AFTER = (f"2026-11-{day}T12:00:00+00:00" for day in ("10", "09", "11"))


def class_of(*labs: LabFacts) -> ClassFacts:
    return ClassFacts("course", NOW, {"ada": "Ada L", "ben": "Ben B", "cyd": "Cyd D"}, list(labs))


def lab_of(name: str, due: str) -> LabFacts:
    """Ada has points and may need help, ben has points, cyd handed in nothing."""
    there = Attendance(3, ["ada", "ben"], no_shows=["cyd"], ungraded=["ben"], open=["ada", "ben"])
    stuck = [Stuck("ada", "no gain"), Stuck("ada", "the same finding")]
    return LabFacts(name, there, due, 10, {"ada": 0, "ben": 9}, stuck=stuck)


@pytest.mark.parametrize(("due", "over"), [(BEFORE, True), (NOW, True), (AFTER, False), ("", True)])
def test_what_is_not_due_yet_is_not_missing(due: str, over: bool) -> None:
    first, second = lab_of("lab1", BEFORE), lab_of("lab2", due)
    facts = class_of(first, second)
    assert facts.is_over(second) == over
    assert facts.again_and_again == {
        "ada": {"lab1": "may need help", "lab2": "may need help"},
        **({"cyd": {"lab1": "nothing handed in", "lab2": "nothing handed in"}} if over else {}),
    }
    assert ("nothing handed in yet" in render(facts)) != over


def test_everybody_stands_in_the_table() -> None:
    facts = class_of(lab_of("lab1", BEFORE))
    assert facts.students == ["ada", "ben", "cyd"]
    assert '<th scope="row">cyd</th><td>Cyd D</td><td class="number">-</td>' in render(facts)
    assert (facts.labs[0].to_do, facts.labs[0].helpless) == (["ada", "ben"], ["ada"])
    assert facts.again_and_again == {}, "of one lab the lab's own table tells"


@pytest.mark.parametrize(("count", "folded"), [(20, False), (21, True)])
def test_a_long_list_of_names_is_folded(count: int, folded: bool) -> None:
    lab = lab_of("lab1", BEFORE)
    lab.attendance.extended = [f"s{number:02}" for number in range(count)]
    page = render(class_of(lab))
    assert (f"<details><summary>{count} students</summary>" in page) == folded
    assert f"s{count - 1:02}" in page


def test_pseudonyms_also_on_top() -> None:
    page = render(hide_names(class_of(lab_of("lab1", BEFORE), lab_of("lab2", BEFORE)), 1))
    assert "In two labs or more" in page
    for name in ("ada", "ben", "cyd", "Ada", "Cyd"):
        assert name not in page.replace("readable", "")


def test_a_broken_file_is_no_row_of_zeros() -> None:
    """Its zeros would look as if the student had understood nothing."""
    most = {"wrap": 10.0, "fit": 5.0}
    right = [Row(f"s{n}", "lab", points=dict(most), maximum=most) for n in range(8)]
    zeros = Row("ada", "lab", points=dict.fromkeys(most, 0.0), maximum=most)
    rows = {row.student: row for row in (*right, zeros)}
    assert _zeros(zeros, rows) == "no points in wrap (8 of 9 have all), fit (8 of 9 have all)"
    assert _no_notebook(zeros) == ""
    zeros.record = Record("lab", "ada", findings={"wrap": ["LIT908"], "fit": ["LIT908"]})
    assert _no_notebook(zeros) == "the file is no notebook"
