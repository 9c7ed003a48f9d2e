"""The labs after the first: the same class, graded by `autograder grade` and by `otter run`.

`test_agreement.py` holds the whole of lab 1 against exact points. Here each lab has a class that
is made of its bank. otter takes half a minute for each submission, so that only the member who
tells the most is graded each time, and all ten before a release; a file gets the table:

    AGREEMENT_TABLE=points.txt \
        make test TESTS=tests/autograder/test_agreement_labs.py PYTEST_ARGS="-m release"
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder import bank
from autograder.building.build import build
from autograder.course import Course, Lab
from autograder.demo.demo_class import STUB, Bank, GradedQuestion, Member, members
from autograder.demo.made_up_students import copy_course, hand_in, read_points
from tests.autograder.otter_runs import points_by_otter, run_program

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
COURSE = Course(ROOT)
LABS = list(COURSE.labs)[1:]
FEW, ALL = 1, 10
Points = dict[str, float | None]


def class_of(lab: Lab, cases: Bank, size: int) -> list[Member]:
    """Up to ten members: a mixed one first, which tells the most."""
    names = list(lab.questions)
    wrong = {name: [c for c in cases[name] if not c.right and not c.after] for name in names}
    independent = [name for name in names if wrong[name]]
    mixed = Member("mixed", "half of it wrong", {n: wrong[n][0].id for n in independent[1::2]})
    found = [mixed, *members(lab, cases, troubles=False)]
    for number in range(ALL - len(found)):
        name = independent[number % len(independent)]
        case = wrong[name][1 + number % (len(wrong[name]) - 1)]
        found.append(Member(f"wrong{number}", f"{name}: {case.id}", {name: case.id}))
    return found[:size]


@dataclass(frozen=True)
class Scored:
    """What two graders made of a class."""

    lab: Lab
    cases: Bank
    members: Sequence[Member]
    by_nbgrader: Mapping[str, Points]
    by_otter: Mapping[str, Points]
    codes: Mapping[str, Mapping[str, tuple[str, ...]]]


def _classes() -> list[Any]:
    """Each lab with the sizes of its class."""
    few = [pytest.param((lab, FEW), id=lab) for lab in LABS]
    return few + [
        pytest.param((lab, ALL), id=f"{lab}-all", marks=pytest.mark.release) for lab in LABS
    ]


@pytest.fixture(scope="module", params=_classes())
def scored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """One lab, graded both ways."""
    folder, results = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("results")
    name, size = request.param
    origin = COURSE.lab(name)
    lab = copy_course(COURSE, folder, origin, origin.questions).lab(origin.id)
    build(Course(folder), [lab.id])
    unsolved = nbformat.read(folder / "release" / lab.id / lab.path.name, as_version=4)
    cases = bank.load(lab)
    class_ = class_of(lab, cases, size)
    for member in class_:
        hand_in(folder, member.name, lab.id, member.submission(lab, unsolved, cases))
    run_program(folder, "autograder", "grade", lab.id, "--jobs", "2", "--no-feedback")
    names = [member.name for member in class_]
    with ThreadPoolExecutor(max_workers=2) as pool:
        scores = pool.map(lambda n: points_by_otter(folder, lab.id, n, results / n), names)
        by_otter = dict(zip(names, scores, strict=True))
    by_nbgrader = read_points(folder, lab.id, names)
    codes = {name: _codes(folder, lab, name) for name in names}
    found = Scored(lab, cases, class_, by_nbgrader, by_otter, codes)
    if os.environ.get("AGREEMENT_TABLE"):
        with Path(os.environ["AGREEMENT_TABLE"]).open("a", encoding="utf-8") as file:
            file.write(_table(found))
    return found


def _codes(folder: Path, lab: Lab, student: str) -> dict[str, tuple[str, ...]]:
    found = {}
    for name in lab.questions:
        path = folder / "evidence" / lab.id / student / f"{name}.json"
        known = json.loads(path.read_text(encoding="utf-8"))
        found[name] = tuple(finding["code"] for finding in known["findings"])
    return found


def _table(scored: Scored) -> str:
    lines = [f"{'lab':<14}{'student':<9}{'question':<12}{'nbgrader':>9}{'otter':>9}"]
    for student, by_question in scored.by_nbgrader.items():
        for name in scored.lab.questions:
            pair = (by_question.get(name), scored.by_otter[student].get(name))
            shown = "".join(f"{'none' if n is None else f'{n:g}':>9}" for n in pair)
            lines.append(f"{scored.lab.id:<14}{student:<9}{name:<12}{shown}")
    return "\n".join(lines) + "\n"


def test_nbgrader_and_otter_agree(scored: Scored) -> None:
    for student, by_question in scored.by_nbgrader.items():
        assert by_question == pytest.approx(scored.by_otter[student], abs=1e-6), student


def test_everybody_has_what_the_bank_says(scored: Scored) -> None:
    faults = []
    for member in scored.members:
        for name in scored.lab.questions:
            got = GradedQuestion(
                scored.by_nbgrader[member.name].get(name), scored.codes[member.name][name]
            )
            fault = member.fault(scored.lab, scored.cases, name, got)
            faults += [f"{member.name}, {name}: {fault}, {got}"] if fault else []
    assert not faults


def test_somebody_has_right_answers_and_wrong_ones(scored: Scored) -> None:
    answers = [answer for member in scored.members for answer in member.answers.values()]
    assert any(answer != STUB for answer in answers)
    assert any(set(scored.lab.questions) - set(member.answers) for member in scored.members)
