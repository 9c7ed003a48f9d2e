"""One grading of a class of difficult submissions, by the plain command, on a fresh gradebook."""

import json
import os
from pathlib import Path
from random import Random

import nbformat
import pytest
from nbformat import NotebookNode, v4

from autograder.bank import without_markers
from autograder.course import CHECK, Course, Lab, grade_id
from autograder.demo.made_up_students import (
    copy_course,
    fill_notebook,
    hand_in,
    nbgrader,
    read_points,
)
from autograder.engine.judge_server import judge
from autograder.secret import seed_for
from litcourse.core.question import Inputs
from litcourse.core.registry import find_question
from litcourse.core.serialization import decode, encode
from litcourse.core.verdict import Verdict
from tests.course import points_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
LAB = "lab1_mnist"
STUDENTS = ("restless", "cheat", "mess", "bare", "stuck", "broken", "misnamed", "unsure")
SEEN = """
import os
open("seen.txt", "w").write(repr(sorted(os.environ)))
print(open("seen.txt").read())
"""
NOISE = """
import threading, time
def talk():
    while True:
        print("1000.0"); print("noise", file=sys.stderr); time.sleep(0.5)
threading.Thread(target=talk, daemon=True).start()
"""
CHEAT = """
import litcourse.frontends.kernel_entry, litcourse.check
litcourse.frontends.kernel_entry.write_evidence = lambda *a, **k: print("10.0")
check = Check = lambda *a, **k: 10.0
check.wrap = check.evaluate = lambda: 1e9
float("nan")
"""
STUCK = """
    def training_step(self, batch, batch_idx):
        while True:
            try:
                while True: pass
            except BaseException: pass
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A course of two questions, after `nbgrader autograde`."""
    origin = Course(ROOT)
    folder = tmp_path_factory.mktemp("course")
    made = copy_course(origin, folder, origin.lab(LAB), ("wrap", "evaluate"))
    for student, content in _submissions(made.lab(LAB)).items():
        hand_in(folder, student, LAB, content)
    for student, names in {"misnamed": ["final version"], "unsure": ["a", "b"]}.items():
        for count, name in enumerate(names):
            notebook = _solved(made.lab(LAB))
            notebook.cells.append(v4.new_code_cell(f"{count}"))
            path = hand_in(folder, student, LAB, notebook)
            path.rename(path.with_name(f"{name}.ipynb"))
    done = nbgrader(
        folder,
        "autograde",
        LAB,
        "--RunSubmission.cell_seconds=15",
        variables={"LITCOURSE_DATA": "/nowhere", "SECRET_OF_THE_GRADER": "1"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return made


def _solved(lab: Lab) -> NotebookNode:
    answers = {name: without_markers(cells.solution) for name, cells in lab.questions.items()}
    return fill_notebook(lab.notebook, answers)


def _submissions(lab: Lab) -> dict[str, NotebookNode | bytes]:
    makers = {
        "restless": _restless,
        "cheat": _cheat,
        "mess": _mess,
        "bare": _bare,
        "stuck": _stuck,
    }
    made: dict[str, NotebookNode | bytes] = {}
    for name, make in makers.items():
        notebook = _solved(lab)
        make(notebook)
        made[name] = notebook
    return made | {"broken": b'{"cells": ['}


def _place(notebook: NotebookNode, name: str) -> int:
    return [grade_id(cell) for cell in notebook.cells].index(name)


def _insert(notebook: NotebookNode, before: str, *sources: str) -> None:
    place = _place(notebook, before)
    notebook.cells[place:place] = [v4.new_code_cell(source) for source in sources]


def _restless(notebook: NotebookNode) -> None:
    """Prints all the time, exits, never ends, kills its kernel; deletes a name after its check."""
    _insert(notebook, "wrap", SEEN, NOISE, "exit()", "sys.exit(1)", "raise SystemExit")
    _insert(notebook, "evaluate", "while True: pass", "os._exit(3)")
    notebook.cells.append(v4.new_code_cell("del LitClassifier, EvaluatedClassifier"))


def _cheat(notebook: NotebookNode) -> None:
    wrap = notebook.cells[_place(notebook, "wrap")]
    wrap.source = wrap.source.replace("LitClassifier", "MyClassifier")
    evaluate = notebook.cells[_place(notebook, "evaluate")]
    evaluate.source = "class LitClassifier(L.LightningModule): ..."
    _insert(notebook, "evaluate-check", CHEAT)
    for name in ("wrap-check", "evaluate-check"):
        cell = notebook.cells[_place(notebook, name)]
        cell.source, cell.metadata.nbgrader.points = "10.0", 1000
    notebook.metadata["litcourse"] = {"submission": "0", "trouble": "", "detail": "", "notices": []}


def _mess(notebook: NotebookNode) -> None:
    """Doubled, deleted, retyped and locked cells, each mended."""
    spare = notebook.cells[_place(notebook, "wrap-check")].copy()
    del notebook.cells[_place(notebook, "evaluate-check")]
    place = _place(notebook, "wrap-check")
    notebook.cells[place] = v4.new_markdown_cell("check.wrap()", metadata=spare.metadata)
    notebook.cells.append(spare)
    notebook.cells[_place(notebook, "setup")].source += "\nmine = 1"
    for cell in notebook.cells:
        cell["id"] = v4.new_raw_cell()["id"]


def _bare(notebook: NotebookNode) -> None:
    """As a tool leaves it that strips all metadata."""
    for cell in notebook.cells:
        cell.metadata, cell["id"] = NotebookNode(), v4.new_raw_cell()["id"]


def _stuck(notebook: NotebookNode) -> None:
    """Its training step never ends and can't be interrupted; the second question is right."""
    cell = notebook.cells[_place(notebook, "wrap")]
    cell.source = cell.source.replace("def training_step", "def unused") + STUCK


def _verdict(course: Course, student: str, question_id: str) -> dict[str, object]:
    path = course.root / "evidence" / LAB / student / f"{question_id}.json"
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _codes(course: Course, student: str, question_id: str) -> list[str]:
    findings = _verdict(course, student, question_id)["findings"]
    assert isinstance(findings, list)
    return [finding["code"] for finding in findings]


def _graded(course: Course, student: str) -> NotebookNode:
    path = course.root / "autograded" / student / LAB / f"{LAB}.ipynb"
    made: NotebookNode = nbformat.read(path, as_version=4)
    return made


@pytest.mark.parametrize(
    ("student", "wrap", "evaluate"),
    [
        ("restless", 1, 1),
        ("cheat", 0, 0),
        ("mess", 1, 1),
        ("bare", 1, 1),
        ("stuck", 0, 1),
        ("broken", 0, 0),
        ("misnamed", 1, 1),
        ("unsure", 0, 0),
    ],
)
def test_points(course: Course, student: str, wrap: float, evaluate: float) -> None:
    shares = {"wrap": wrap, "evaluate": evaluate}
    due = {name: share * points_of(LAB, name) for name, share in shares.items()}
    assert read_points(course.root, LAB, [student])[student] == due


@pytest.mark.parametrize(
    ("student", "wrap", "evaluate"),
    [
        ("cheat", ["LIT901"], ["LIT905"]),
        ("stuck", ["LIT906"], []),
        ("broken", ["LIT908"], ["LIT908"]),
        ("unsure", ["LIT914"], ["LIT914"]),
    ],
)
def test_findings(course: Course, student: str, wrap: list[str], evaluate: list[str]) -> None:
    assert _codes(course, student, "wrap") == wrap
    assert _codes(course, student, "evaluate") == evaluate


@pytest.mark.parametrize("student", STUDENTS)
def test_each_check_cell_has_exactly_one_number_and_a_card(course: Course, student: str) -> None:
    for name in ("wrap-check", "evaluate-check"):
        notebook = _graded(course, student)
        (output,) = notebook.cells[_place(notebook, name)].outputs
        assert output.output_type == "execute_result"
        most = points_of(LAB, name.removesuffix(CHECK))
        assert 0 <= float(output.data["text/plain"]) <= most
        assert "litcourse-card" in output.data["text/html"]


def test_the_page_of_an_unreadable_notebook_begins_with_the_reason(course: Course) -> None:
    assert "LIT908" in _graded(course, "broken").cells[0].source
    assert "2 notebooks of this lab: a.ipynb, b.ipynb" in _graded(course, "unsure").cells[0].source
    assert "this is final version.ipynb" in _graded(course, "misnamed").cells[0].source


def test_what_was_mended_is_shown(course: Course) -> None:
    notebook = _graded(course, "mess")
    assert "LIT913" in notebook.cells[0].source
    wrap, evaluate = (
        notebook.cells[_place(notebook, name)].outputs[0].data["text/html"]
        for name in ("wrap-check", "evaluate-check")
    )
    assert "LIT911" in wrap
    assert "LIT912" in wrap
    assert "LIT909" in evaluate


def test_the_kernel_sees_nothing_of_the_graders_settings(course: Course) -> None:
    notebook = _graded(course, "restless")
    shown = str(notebook.cells[_place(notebook, "wrap") - 5].outputs)
    assert "PATH" in shown
    assert "LITCOURSE_DATA" not in shown
    assert "SECRET_OF_THE_GRADER" not in shown
    assert not list((course.root / "autograded").rglob("seen.txt"))


def test_cells_that_were_stopped_say_so(course: Course) -> None:
    notebook = _graded(course, "restless")
    place = _place(notebook, "evaluate")
    endless, killer = notebook.cells[place - 2 : place]
    assert "no answer within 15 s" in endless.outputs[-1].evalue
    assert "process ended" in killer.outputs[-1].evalue


@pytest.fixture(scope="module")
def verdict_again(course: Course) -> Verdict:
    """What the judge says now of the evidence of then."""
    folder = course.root / "evidence" / LAB / "restless"
    inputs = Inputs(**decode((folder / "wrap.inputs").read_bytes()))
    verdict, broke = judge(LAB, "wrap", inputs, (folder / "wrap.evidence").read_bytes())
    assert not broke
    return verdict


def test_inputs_evidence_and_verdict_are_kept_together(
    course: Course, verdict_again: Verdict
) -> None:
    folder = course.root / "evidence" / LAB / "restless"
    assert verdict_again.score == _verdict(course, "restless", "wrap")["score"] == 1
    assert folder.stat().st_mode & 0o077 == 0
    assert not (course.root / "evidence" / LAB / "stuck" / "wrap.evidence").exists()


def test_another_grading_draws_the_same_inputs(course: Course) -> None:
    digest = str(_verdict(course, "broken", "wrap")["submission"])
    kept = decode((course.root / "evidence" / LAB / "broken" / "wrap.inputs").read_bytes())
    question = find_question(LAB, "wrap")
    seeds = [seed_for(course.root, "broken", LAB, "wrap", text) for text in (digest, "0" * 64)]
    again, other = (encode(question.draw(Random(seed)).shown) for seed in seeds)
    assert encode(kept["shown"]) == again != other
    assert (course.root / ".course-secret").stat().st_mode & 0o777 == 0o600
    assert "LITCOURSE_DATA" not in os.environ
