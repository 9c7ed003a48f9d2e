"""The instructor's solution is graded first, and shows the grader's own faults."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from autograder.building.scaffold import scaffold
from autograder.grading.run import Options
from autograder.grading.shard import Shard, grade_shard
from autograder.nbgrader_plugins import canary
from litcourse.core.exit_codes import ExitCode

from .conftest import LAB, QUESTION, RIGHT, WRONG, Class

Said = pytest.CaptureFixture[str]
SOLVED = (
    f"def {QUESTION}(number):\n    ### BEGIN SOLUTION\n    return number + 1\n    ### END SOLUTION"
)


@pytest.fixture
def flights(group: Class) -> Path:
    """A file with a line for each notebook that runs: the student's id."""
    path = group.root / "flights"
    path.touch()
    group.settings(
        f"""
        class Counted(RunHere):
            def run_notebook(self, nb, resources, inputs, *, alone):
                with open({str(path)!r}, "a") as file:
                    print(resources["litcourse"].student, file=file)
                super().run_notebook(nb, resources, inputs, alone=alone)

        c.Autograde.autograde_preprocessors[0] = Counted
        """
    )
    solve(group, SOLVED)
    return path


def solve(group: Class, solution: str) -> None:
    """Give the lab another solution."""
    path = group.root / "source" / LAB / f"{LAB}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == QUESTION:
            cell.source = solution
    nbformat.write(notebook, path)
    group.course = type(group.course)(group.root)


def ran(flights: Path) -> list[str]:
    """Who ran since the last call."""
    names = flights.read_text(encoding="utf-8").split()
    flights.write_text("", encoding="utf-8")
    return names


def test_the_solution_flies_once_and_is_kept(group: Class, flights: Path) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in("ben", WRONG)
    assert group.grade() == 0
    assert ran(flights) == [canary.CANARY, "ada", "ben"]
    group.hand_in("cyd", RIGHT)
    assert group.grade() == 0
    assert ran(flights) == ["cyd"]
    assert group.students() == {"ada": 5, "ben": 0, "cyd": 5}
    assert group.grade() == 0
    assert ran(flights) == []


@pytest.mark.parametrize(
    "what",
    ["solution", "file", "setting", "TMPDIR", "LD_LIBRARY_PATH", "sandbox", "code", "package"],
)
def test_it_flies_again_when_something_changes(
    group: Class, flights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    group.hand_in("ada", RIGHT)
    assert group.grade() == 0
    if what == "solution":
        solve(group, SOLVED.replace("number + 1", "1 + number"))
    if what == "file":
        (group.root / "source" / LAB / "given.txt").write_text("given", encoding="utf-8")
    if what == "setting":
        group.settings("c.RunSubmission.cell_seconds = 60")
    if what in {"TMPDIR", "LD_LIBRARY_PATH"}:
        monkeypatch.setenv(what, str(tmp_path))
    if what == "code":
        other = tmp_path / "package" / "kernel.json"
        other.parent.mkdir()
        other.touch()
        monkeypatch.setattr(canary, "_packages", lambda: (other.parent,))
    if what == "package":
        info = tmp_path / "packages" / "another-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Name: another\nVersion: 1.0\n", encoding="utf-8")
        monkeypatch.syspath_prepend(str(info.parent))
        canary._digest_code.cache_clear()
    ran(flights)
    assert group.grade(regrade=True, sandbox=what != "sandbox") == 0
    assert ran(flights) == [canary.CANARY, "ada"]


def test_a_grader_at_fault_stops_and_enters_nothing(
    group: Class, flights: Path, capsys: Said
) -> None:
    solve(group, SOLVED.replace("number + 1", "number"))
    group.hand_in("ada", RIGHT)
    assert group.grade() == ExitCode.INCOMPLETE
    assert ran(flights) == [canary.CANARY] * 2, "two draws, and no submission"
    said = capsys.readouterr().out
    assert "the instructor's solution lost points on two draws: add_one (" in said
    assert "no score is entered" in said
    assert not group.students()
    assert group.grade(json=True) == ExitCode.INCOMPLETE
    assert "add_one" in json.loads(capsys.readouterr().out)["error"]
    options = Options(jobs=1)
    assert grade_shard(group.course, options, Shard(1, 1)) == ExitCode.INCOMPLETE
    assert "Stopped: " in capsys.readouterr().out
    solve(group, SOLVED)
    assert group.grade() == 0
    assert group.students() == {"ada": 5}


def test_a_question_that_fails_is_held_back_for_all(
    group: Class, flights: Path, capsys: Said
) -> None:
    scaffold(group.course, LAB, "add_two")  # whose judge gives nobody points, until it is written
    solve(group, SOLVED)
    group.hand_in("ada", RIGHT)
    assert group.grade() == ExitCode.INCOMPLETE
    assert ran(flights) == [canary.CANARY] * 2 + ["ada"]
    assert "add_two: nobody gets a score, as the solution failed twice: " in capsys.readouterr().out
    with group.gradebook() as gradebook:
        notebook = gradebook.find_submission_notebook(LAB, LAB, "ada")
        found = {grade.cell.name: grade for grade in notebook.grades}
        assert found["add_one-check"].auto_score == 5
        assert not found["add_one-check"].needs_manual_grade
        assert found["add_two-check"].auto_score is None
        assert found["add_two-check"].needs_manual_grade
    assert group.grade(json=True) == ExitCode.INCOMPLETE, "the next run tries it again"
    (held,) = json.loads(capsys.readouterr().out)["held_back"]
    assert (held["lab"], held["question"]) == (LAB, "add_two")
    assert ran(flights) == [canary.CANARY] * 2 + ["ada"]


def test_a_question_that_nbgrader_held_back_is_graded_by_the_next_run(
    group: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a rejudge, which finds nothing to judge."""
    monkeypatch.syspath_prepend(str(group.root))  # for here.py
    group.hand_in("ada", RIGHT)
    assert group.grade() == 0
    with monkeypatch.context() as context:
        context.setattr(canary, "fly_once", lambda *_: {QUESTION: canary.WHY})
        group.nbgrader_autograde("--force")
    group.points(20)
    assert group.rejudge() == ExitCode.INCOMPLETE
    assert group.students() == {"ada": None}
    assert group.grade() == 0
    assert group.students() == {"ada": 20}


def test_it_gets_a_linked_file_as_submissions_do(group: Class, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("1", encoding="utf-8")
    (group.root / "source" / LAB / "given.txt").symlink_to(tmp_path / "given")
    answer = f"PLUS = int((FILES / 'given.txt').read_text())\n{RIGHT.replace('1', 'PLUS')}"
    solve(group, f"assert not (FILES / 'given.txt').is_symlink()\n{SOLVED}")
    group.hand_in("ada", answer)
    assert group.grade() == 0
    assert group.students() == {"ada": 5}


def test_a_fault_that_passes_costs_another_draw(group: Class, flights: Path) -> None:
    solve(group, f"FAULT = '' if ALONE else 'no memory'\n{SOLVED}")
    group.hand_in("ada", RIGHT)
    assert group.grade() == 0
    assert ran(flights) == [canary.CANARY, canary.CANARY, "ada"]


def test_a_course_without_solutions_says_so(group: Class, flights: Path, capsys: Said) -> None:
    solve(group, f"def {QUESTION}(number):\n    raise NotImplementedError()")
    group.hand_in("ada", RIGHT)
    assert group.grade() == 0
    assert ran(flights) == ["ada"]
    assert "no canary, since its notebook in source/ has no solution" in capsys.readouterr().out


def test_nbgraders_own_commands_fly_it_once_per_run(
    group: Class, flights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(group.root))  # for here.py
    monkeypatch.setenv("NBGRADER_EXECUTION", "")  # nbgrader leaves it where a step raises
    group.hand_in("ada", RIGHT)
    group.hand_in("ben", WRONG)
    group.nbgrader_autograde()
    assert sorted(ran(flights)) == [canary.CANARY, "ada", "ben"]
    group.nbgrader_autograde("--force")
    assert sorted(ran(flights)) == ["ada", "ben"]
    solve(group, SOLVED.replace("number + 1", "number"))
    group.hand_in("cyd", RIGHT)
    with pytest.raises(SystemExit) as end:
        group.nbgrader_autograde()
    assert end.value.code == 1
    assert ran(flights) == [canary.CANARY] * 2
    assert group.students().get("cyd") is None
    solve(group, SOLVED)
    group.nbgrader_autograde()
    assert group.students()["cyd"] == 5, "in the same process"
