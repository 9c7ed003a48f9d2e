"""Questions whose expected value is the answer itself, and questions that are about a file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from random import Random

import nbformat
import pytest

from autograder.building.build import build, find_stale
from autograder.course import AuthorError, Course, Lab
from autograder.nbgrader_plugins.judge_client import JudgeClient
from autograder.verifying.solutions import draw_inputs, freeze, frozen_files, solved_cells
from litcourse.core.serialization import decode
from litcourse.frontends.notebook import PUBLIC_SEED, check_question
from litcourse.frontends.otter import CheckedQuestion, NotEarnedError
from litcourse.frontends.reference_solution import frozen_file
from litcourse.probing.probe_runner import take_evidence
from tests.autograder.conftest import LAB, QUESTION, reply_in_process

BY_SOLUTION = """
    if evidence["value"].integer() == Evidence(inputs.withheld["solution"])["value"].integer():
        return [Earned(every)]
"""


def _edit(path: Path, *edits: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def judged(tiny: Course) -> Lab:
    """The tiny lab, whose judge knows no formula: 1 more, says the solution alone."""
    _edit(
        tiny.root / f"litcourse/labs/{LAB}/{QUESTION}.py",
        (
            (
                '    if evidence["value"].integer() == inputs.shown["number"] + 1:\n'
                "        return [Earned(every)]\n"
            ),
            BY_SOLUTION,
        ),
        ("    judge=judge,\n", "    judge=judge,\n    by_solution=True,\n"),
    )
    return tiny.lab(LAB)


def plus_one(number: int) -> int:
    return number + 1


def constant(_: int) -> int:
    return -1


def test_cells_of_a_solution_have_no_markers_and_no_checks(judged: Lab) -> None:
    cells = solved_cells(judged, QUESTION)
    assert "return number + 1" in cells[-1]
    assert "SOLUTION" not in cells[-1]
    assert not any("check." in cell for cell in cells)


def test_whoever_draws_adds_what_the_solution_gives(
    judged: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JudgeClient, "_request", reply_in_process)
    inputs = draw_inputs(judged, QUESTION, Random(5))
    assert inputs.withheld["solution"] == {"value": inputs.shown["number"] + 1}
    assert "solution" not in inputs.shown
    graded = decode(JudgeClient().draw_inputs(judged, {QUESTION: 5})[QUESTION].all_inputs)
    assert graded["withheld"]["solution"] == {"value": graded["shown"]["number"] + 1}


def test_a_students_check_compares_with_what_was_frozen(judged: Lab, tiny: Course) -> None:
    with pytest.raises(FileNotFoundError, match="autograder build lab0_tiny"):
        check_question(LAB, QUESTION, {QUESTION: plus_one}, Random(PUBLIC_SEED))
    del judged
    build(tiny)
    assert check_question(LAB, QUESTION, {QUESTION: plus_one}, Random(PUBLIC_SEED)).score == 1
    assert check_question(LAB, QUESTION, {QUESTION: constant}, Random(PUBLIC_SEED)).score == 0


def test_an_old_answer_is_stale_and_built_anew(judged: Lab, tiny: Course) -> None:
    build(tiny)
    assert find_stale(tiny) == []
    file = Path(str(frozen_file(LAB, QUESTION)))
    assert frozen_files(judged) == {file} == set(freeze(judged))
    good = file.read_bytes()
    file.write_bytes(b"old")
    other = file.with_name("gone.safetensors")
    other.write_bytes(b"of a question that is no more")
    assert [line.split(":")[0] for line in find_stale(tiny)] == [str(file), str(other)]
    build(tiny)
    assert file.read_bytes() == good
    assert not other.exists()


def test_otter_draws_anew_and_asks_the_solution(judged: Lab, tiny: Course) -> None:
    bundle = build(tiny).bundles[0]
    with zipfile.ZipFile(bundle) as archive:
        name = next(n for n in archive.namelist() if n.endswith(f"{QUESTION}.py"))
        assert "return number + 1" in archive.read(name).decode()
    asked = CheckedQuestion(LAB, QUESTION, solved_cells(judged, QUESTION))
    asked.earn("all", {QUESTION: plus_one})
    with pytest.raises(NotEarnedError):
        CheckedQuestion(LAB, QUESTION, solved_cells(judged, QUESTION)).earn(
            "all", {QUESTION: constant}
        )


def test_a_solution_that_fails_is_the_authors_error(
    judged: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    _edit(judged.path, ("return number + 1", "return number + unknown"))
    fresh = Lab(judged.id, judged.folder)
    with pytest.raises(AuthorError, match="by which it is judged, fails its own probe"):
        draw_inputs(fresh, QUESTION, Random(5))
    monkeypatch.setattr(JudgeClient, "_request", reply_in_process)
    with pytest.raises(AuthorError, match="by which it is judged, fails its own probe"):
        JudgeClient().draw_inputs(fresh, {QUESTION: 5})


# --- files ---------------------------------------------------------------------------------


@pytest.fixture
def about_a_file(tiny: Course) -> Lab:
    """The tiny lab, whose question is about the file `say.py`."""
    _edit(
        tiny.root / f"litcourse/labs/{LAB}/{QUESTION}.py",
        (f'defines=("{QUESTION}",)', 'defines=(), files=("say.py",)'),
        (f'    function = student["{QUESTION}"]\n', '    text = student.file("say.py")\n'),
        ('{"value": function(shown["number"])}', '{"value": shown["number"] + len(text)}'),
        ("+ 1:", "+ 3:"),
    )
    lab = tiny.lab(LAB)
    _write_cell(lab, "%%writefile say.py\n### BEGIN SOLUTION\nx=1\n### END SOLUTION\n")
    return tiny.lab(LAB)


def _write_cell(lab: Lab, source: str) -> None:
    notebook = lab.notebook
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == QUESTION:
            cell.source = source
    nbformat.write(notebook, lab.path)


def test_a_file_is_read_where_the_notebook_works(
    about_a_file: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    question, shown = about_a_file.find_question(QUESTION), {"number": 4}
    (tmp_path / "says.py").write_text("x=1")
    evidence = take_evidence(question, shown, {})
    assert evidence["no_file"]["there"][0] == "says.py"
    (tmp_path / "say.py").write_text("x=1")
    assert take_evidence(question, shown, {}) == {"value": 7}
    assert check_question(LAB, QUESTION, {}, Random(1)).score == 1
    (tmp_path / "say.py").unlink()
    verdict = check_question(LAB, QUESTION, {}, Random(1))
    assert [finding.code for finding in verdict.findings] == ["LIT915"]
    assert "says.py" in verdict.findings[0].got


def test_what_is_no_text_of_reasonable_size_is_no_file(
    about_a_file: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    question = about_a_file.find_question(QUESTION)
    (tmp_path / "say.py").write_bytes(b"#" * (2**20 + 1))
    assert "no_file" in take_evidence(question, {"number": 4}, {})
    (tmp_path / "say.py").unlink()
    (tmp_path / "say.py").mkdir()
    assert "no_file" in take_evidence(question, {"number": 4}, {})


def test_a_stub_that_writes_the_file_is_published(about_a_file: Lab, tiny: Course) -> None:
    released = build(tiny).release / LAB / f"{LAB}.ipynb"
    sources = [cell.source for cell in nbformat.read(released, as_version=4).cells]
    assert any(source.startswith("%%writefile say.py\n") for source in sources)
    assert not any("x=1" in source for source in sources)
    del about_a_file


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("%%writefile other.py\n### BEGIN SOLUTION\nx=1\n### END SOLUTION\n", "does not write"),
        ("%%bash\n### BEGIN SOLUTION\nx=1\n### END SOLUTION\n", "does not write"),
        (
            "%%writefile say.py\nif x:\n### BEGIN SOLUTION\n    y\n### END SOLUTION\n",
            "does not compile",
        ),
    ],
)
def test_a_stub_that_does_not_is_an_authors_error(
    about_a_file: Lab, tiny: Course, source: str, fault: str
) -> None:
    _write_cell(about_a_file, source)
    with pytest.raises(AuthorError, match=fault):
        build(tiny)
