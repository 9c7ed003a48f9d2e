"""Which submissions are told to a person because of what their code names."""

import json
import time
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode, v4

from autograder.bank import load
from autograder.course import Course, Lab
from autograder.grading.reporting.suspicious_imports import find_suspicious_imports
from tests.autograder.grading.conftest import LAB, RIGHT, Class

ROOT = Path(__file__).resolve().parents[4]


def notebook(*cells: str) -> NotebookNode:
    made: NotebookNode = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])
    return made


UNSOLVED = notebook("from litcourse import Check, explain\nfrom litcourse.data import mnist")


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("from litcourse.data import cifar10", []),
        ("from litcourse import Check, explain, data", []),
        ("frontends = core = evidence = 'litcourse'", []),
        ("from litcourse import Check\nfrontends = 1", []),
        ("import litcourse.frontends.kernel_entry", ["frontends.kernel_entry"]),
        ("import sys; sys.modules['litcourse.core.evidence'].close = None", ["core.evidence"]),
        ("from litcourse.labs.lab1_mnist import wrap", ["labs.lab1_mnist.wrap"]),
        ("from litcourse.core import scoring as s, evidence", ["core.evidence", "core.scoring"]),
        ("from litcourse import (\n    Check,\n    core,\n)", ["core"]),
        ("import litcourse.data.nothing, litcourse . core . names", ["core.names"]),
    ],
)
def test_parts_that_the_lab_does_not_name(code: str, parts: list[str], tmp_path: Path) -> None:
    assert find_suspicious_imports(notebook("pass", code), {}, UNSOLVED) == parts
    module = tmp_path / "helper.py"
    module.write_text(code, encoding="utf-8")
    assert find_suspicious_imports(notebook(), {"a/helper.py": module}, UNSOLVED) == parts
    assert find_suspicious_imports(notebook(), {"helper.txt": module}, UNSOLVED) == []


@pytest.mark.parametrize("lab", Course(ROOT).labs.values(), ids=lambda lab: lab.id)
def test_no_answer_of_a_bank_names_one(lab: Lab) -> None:
    unsolved = nbformat.read(ROOT / f"release/{lab.id}/{lab.id}.ipynb", as_version=4)
    for question_id, cases in load(lab).items():
        for case in cases:
            answer = notebook(case.answer(lab.questions[question_id].solution))
            assert find_suspicious_imports(answer, {}, unsolved) == [], f"{question_id}: {case.id}"


def test_text_cells_do_not_count() -> None:
    told = v4.new_notebook(cells=[v4.new_markdown_cell("see `litcourse.frontends.kernel_entry`")])
    assert find_suspicious_imports(told, {}, UNSOLVED) == []


@pytest.mark.parametrize("text", ["from litcourse import (", "litcourse . ", "litcourse" + " " * 9])
def test_a_long_text_takes_time_in_proportion(text: str) -> None:
    seconds = []
    for times in (10_000, 40_000):
        started = time.process_time()
        find_suspicious_imports(notebook(text * times), {}, UNSOLVED)
        seconds.append(time.process_time() - started)
    assert seconds[1] < 12 * seconds[0] + 0.5  # four times as much; its square would be sixteen


def test_who_names_them_is_told_after_a_run(
    group: Class, capsys: pytest.CaptureFixture[str]
) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in("kim", f"import litcourse.frontends.kernel_entry\n{RIGHT}")
    assert group.grade() == 0
    assert "which the lab does not use, as no answer has to: kim. Next" in capsys.readouterr().out
    assert group.record("kim").suspicious_imports == ["frontends.kernel_entry"]
    assert group.students() == {"ada": 5, "kim": 5}
    group.points(4)
    group.rejudge(json=True)
    assert json.loads(capsys.readouterr().out)["suspicious_imports"] == [
        {"lab": LAB, "student": "kim"}
    ]
