"""Where a student is: the table of a lab, its points from the saved notebook, what is handed in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning as L
import pytest

from litcourse import Check, explain
from litcourse.core.names import UnknownNameError
from litcourse.core.registry import question_ids
from litcourse.feedback import catalogue
from litcourse.feedback.overview import Overview
from litcourse.frontends import saved_notebook, student_check
from litcourse.frontends.executions import EXECUTIONS, Execution
from litcourse.frontends.hand_in import STUB
from litcourse.frontends.saved_notebook import find_notebook, read_points

LAB, FILES_LAB = "lab1_mnist", "lab2_cifar10"


@pytest.fixture(autouse=True)
def _fresh_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(saved_notebook.SESSION, raising=False)
    monkeypatch.setattr(student_check, "_reports", {})
    monkeypatch.setattr(catalogue, "_seen", {})
    monkeypatch.setattr(EXECUTIONS, "known", [])


def cell(grade_id: str, source: str = "", points: float | None = None) -> dict[str, Any]:
    known = {"grade_id": grade_id} | ({} if points is None else {"points": points})
    return {
        "cell_type": "code",
        "source": source.splitlines(keepends=True),
        "metadata": {"nbgrader": known},
    }


def save(path: Path, points: dict[str, float], **answers: str) -> None:
    cells = [{"cell_type": "markdown", "source": "text", "metadata": {}}]
    for name, worth in points.items():
        cells += [cell(name, answers.get(name, "solved = True")), cell(f"{name}-check", "", worth)]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")


def names(**known: Any) -> dict[str, Any]:
    return {"check": Check(LAB), **known}


def call(expression: str, namespace: dict[str, Any]) -> Any:
    return eval(expression, namespace)  # noqa: S307 (what a kernel does)


def test_points_and_order_are_the_notebooks(tmp_path: Path) -> None:
    save(tmp_path / f"{LAB}.ipynb", {"timer": 5, "wrap": 10})
    shown = repr(call("check()", names()))
    assert shown.index("timer") < shown.index("wrap")
    assert "0 of 15 points" in shown
    assert "not run yet, 5 points" in shown
    assert shown.endswith("Next: check.timer()")


def test_without_a_notebook_it_is_per_cent() -> None:
    space = names(EpochTimer=int)
    call("check.timer()", space)
    overview = call("check()", space)
    assert isinstance(overview, Overview)
    assert [row.question_id for row in overview.rows] == question_ids(LAB)
    assert "0 % of the points" in repr(overview)
    assert overview.total == ""


def test_a_card_has_its_points_and_the_next_question(tmp_path: Path) -> None:
    save(tmp_path / f"{LAB}.ipynb", {"wrap": 10, "timer": 4})
    report = call("check.timer()", names(EpochTimer=int))
    assert "0 of 4 points" in repr(report)
    assert "0 of 4 points" in report._repr_html_()
    assert "not run yet, 10 points" in call("check()", names())._repr_html_()


def test_the_notebook_of_the_session_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / f"{LAB}.ipynb", {"wrap": 10})
    save(tmp_path / "mine.ipynb", {"wrap": 20})
    monkeypatch.setenv(saved_notebook.SESSION, str(tmp_path / "mine.ipynb"))
    assert read_points(LAB) == {"wrap": 20}
    monkeypatch.setenv(saved_notebook.SESSION, "8c6e-an-id")
    assert read_points(LAB) == {"wrap": 10}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', '{"cells": [{}, 3]}', "\x00"])
def test_a_file_that_is_no_notebook_tells_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / f"{LAB}.ipynb").write_text(text, encoding="utf-8")
    assert find_notebook(LAB) is not None
    assert read_points(LAB) == {}
    assert "not run yet" in repr(call("check()", names()))


def test_all_runs_every_question(tmp_path: Path) -> None:
    save(tmp_path / f"{LAB}.ipynb", dict.fromkeys(question_ids(LAB), 10.0))
    overview = call("check.all()", names(EpochTimer=L.Callback))
    assert {row.result for row in overview.rows} == {"0 of 10 points"}
    assert "LIT901" in repr(explain())


def test_explain_without_a_code_lists_what_came_up() -> None:
    assert repr(explain()) == "No finding has come up in this kernel so far."
    call("check.timer()", names(EpochTimer=int))
    assert "LIT600" in repr(explain())


def test_an_unknown_name_is_answered_in_one_line() -> None:
    with pytest.raises(UnknownNameError) as caught:
        explain("LIT9999")
    assert len(caught.value._render_traceback_()) == 1


# --- what is handed in ---------------------------------------------------------------------------


def ready(lab: str) -> str:
    return " ".join(repr(Check(lab).ready()).split())


def all_points(lab: str) -> dict[str, float]:
    return dict.fromkeys(question_ids(lab), 10.0)


def test_a_complete_lab(tmp_path: Path) -> None:
    save(tmp_path / f"{FILES_LAB}.ipynb", all_points(FILES_LAB))
    (tmp_path / "train.py").touch()
    shown = ready(FILES_LAB)
    assert "Complete: every question is answered" in shown
    assert f"Hand in: {FILES_LAB}.ipynb, train.py." in shown


def test_a_stub_a_missing_cell_and_a_missing_file(tmp_path: Path) -> None:
    points = all_points(FILES_LAB)
    del points["converge"]
    save(tmp_path / f"{FILES_LAB}.ipynb", points, schedule=f"# {STUB}\nraise NotImplementedError")
    shown = ready(FILES_LAB)
    assert "schedule: it is not solved in the saved notebook" in shown
    assert "converge: its cell is not in the saved notebook" in shown
    assert "script: there is no file train.py beside the notebook" in shown
    assert "augment:" not in shown


def test_what_ran_last_is_not_what_is_saved(tmp_path: Path) -> None:
    save(tmp_path / f"{LAB}.ipynb", all_points(LAB), timer="class EpochTimer: old = 1")
    defined = frozenset({"EpochTimer"})
    EXECUTIONS.known.append(Execution(7, "class EpochTimer: new = 1", defined, frozenset(), ""))
    assert "timer: what you ran last, as [7], is not what is saved" in ready(LAB)
    EXECUTIONS.known.append(Execution(8, "class EpochTimer: old = 1\n", defined, frozenset(), ""))
    assert "Complete" in ready(LAB)


def test_no_notebook_at_all() -> None:
    assert f"there is no {LAB}.ipynb in" in ready(LAB)


def test_a_graders_kernel_sets_its_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zero because the machine was busy would be no student's fault."""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    monkeypatch.setattr(student_check, "run_stoppable", lambda *_: pytest.fail("it has a limit"))
    assert repr(call("check.timer()", names(EpochTimer=int))) == "0.0"
