"""Cells that were deleted, doubled, retyped or damaged are mended before grading."""

import copy
import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from nbformat import NotebookNode, v4

from autograder.nbgrader_plugins import submission_metadata
from autograder.nbgrader_plugins.repair import is_executed, repair
from autograder.nbgrader_plugins.submission_metadata import Notice, SubmissionMetadata
from autograder.nbgrader_plugins.submissions import reading


def _cell(name: str, source: str, **marks: object) -> NotebookNode:
    nbgrader = {"grade": False, "solution": False, "locked": True, "grade_id": name, **marks}
    cell: NotebookNode = v4.new_code_cell(source, metadata={"nbgrader": nbgrader})
    cell["id"] = name
    return cell


@pytest.fixture
def unsolved() -> NotebookNode:
    """A lab of two questions, with the cell of imports and a demonstration."""
    demo = _cell("demo-it", "show()")
    demo.metadata["tags"] = ["demo"]
    cells = [
        _cell("setup", "import litcourse"),
        demo,
        _cell("one", "def one(): ...", solution=True, locked=False),
        _cell("one-check", "check.one()", grade=True, points=3),
        _cell("two", "def two(): ...", solution=True, locked=False),
        _cell("two-check", "check.two()", grade=True, points=2),
    ]
    made: NotebookNode = v4.new_notebook(cells=cells)
    return made


def _sent(unsolved: NotebookNode, tmp_path: Path) -> NotebookNode:
    path = tmp_path / "sent.ipynb"
    path.write_text(json.dumps(unsolved), encoding="utf-8")
    return reading.read(path, unsolved)


def _ids(notebook: NotebookNode) -> list[str]:
    return [c.metadata.get("nbgrader", {}).get("grade_id", "") for c in notebook.cells]


def _codes(notebook: NotebookNode, unsolved: NotebookNode) -> list[tuple[str, str]]:
    return [(notice.code, notice.cell) for notice in repair(notebook, unsolved)]


def test_an_untouched_notebook_stays(unsolved: NotebookNode, tmp_path: Path) -> None:
    sent = _sent(unsolved, tmp_path)
    assert _codes(sent, unsolved) == []
    assert [c.source for c in sent.cells] == [c.source for c in unsolved.cells]
    assert [is_executed(c) for c in sent.cells] == [True, False, True, True, True, True]


def test_a_deleted_check_cell_comes_back_behind_what_could_belong_to_it(
    unsolved: NotebookNode, tmp_path: Path
) -> None:
    sent = _sent(unsolved, tmp_path)
    sent.cells[3] = v4.new_code_cell("more = 1")
    assert _codes(sent, unsolved) == [("LIT909", "one-check")]
    assert _ids(sent) == ["setup", "demo-it", "one", "", "one-check", "two", "two-check"]
    assert sent.cells[4].metadata.nbgrader.points == 3


def test_a_check_cell_in_front_of_its_answer_goes_behind_it(
    unsolved: NotebookNode, tmp_path: Path
) -> None:
    sent = _sent(unsolved, tmp_path)
    sent.cells.insert(0, sent.cells.pop(3))
    assert _codes(sent, unsolved) == [("LIT909", "one-check")]
    assert _ids(sent) == ["", "setup", "demo-it", "one", "one-check", "two", "two-check"]
    assert not is_executed(sent.cells[0])
    assert is_executed(sent.cells[4])


def test_a_solution_cell_that_comes_back_does_not_run(
    unsolved: NotebookNode, tmp_path: Path
) -> None:
    sent = _sent(unsolved, tmp_path)
    sent.cells[4] = v4.new_code_cell("def two(): return 2")
    assert _codes(sent, unsolved) == [("LIT910", "two")]
    stub = sent.cells[_ids(sent).index("two")]
    assert not is_executed(stub)
    assert _ids(sent)[-1] == "two-check"


def test_of_several_copies_the_last_one_in_place_is_kept(
    unsolved: NotebookNode, tmp_path: Path
) -> None:
    sent = _sent(unsolved, tmp_path)
    below = copy.deepcopy(sent.cells[2])
    below.source, below["id"] = "def one(): return 1", "below"
    scratch = copy.deepcopy(sent.cells[3])
    scratch["id"] = "scratch"
    sent.cells.insert(3, below)
    sent.cells.append(scratch)
    assert _codes(sent, unsolved) == [("LIT911", "one"), ("LIT911", "one-check")]
    assert _ids(sent) == ["setup", "demo-it", "", "one", "one-check", "two", "two-check", ""]
    assert sent.cells[3].source == "def one(): return 1"
    assert is_executed(sent.cells[2])
    assert not is_executed(sent.cells[-1])


def test_a_retyped_cell_is_turned_back(unsolved: NotebookNode, tmp_path: Path) -> None:
    sent = _sent(unsolved, tmp_path)
    for place, make in ((2, v4.new_markdown_cell), (3, v4.new_raw_cell)):
        old = sent.cells[place]
        sent.cells[place] = make(  # type: ignore[no-untyped-call]
            old.source, metadata=old.metadata
        )
    assert _codes(sent, unsolved) == [("LIT912", "one"), ("LIT912", "one-check")]
    assert [c.cell_type for c in sent.cells] == ["code"] * 6


def test_locked_cells_and_metadata_are_the_labs(unsolved: NotebookNode, tmp_path: Path) -> None:
    sent = _sent(unsolved, tmp_path)
    sent.cells[0].source = "import os"
    sent.cells[3].source = "10.0"
    sent.cells[3].metadata.nbgrader.points = 1000
    sent.cells[5].metadata.nbgrader = {"grade_id": "two-check"}
    sent.cells[4].metadata.nbgrader = {"grade": True, "points": "all", "grade_id": "mine"}
    sent.cells.append(_cell("unknown", "5", grade=True, points=5))
    assert _codes(sent, unsolved) == [("LIT913", "setup"), ("LIT913", "one-check")]
    assert [c.metadata.get("nbgrader") for c in sent.cells[:6]] == [
        c.metadata.nbgrader for c in unsolved.cells
    ]
    assert sent.cells[0].source == "import litcourse"
    assert "nbgrader" not in sent.cells[6].metadata


def test_cells_without_any_mark_are_known_by_their_text(
    unsolved: NotebookNode, tmp_path: Path
) -> None:
    sent = _sent(unsolved, tmp_path)
    for place, cell in enumerate(sent.cells):
        sent.cells[place] = v4.new_code_cell(cell.source)
    repair(sent, unsolved)
    assert [name for name in _ids(sent) if name.endswith("-check")] == ["one-check", "two-check"]
    sources = [c.source for c in sent.cells if is_executed(c)]
    assert sources.index("def one(): ...") < sources.index("check.one()")
    assert sources.index("check.one()") < sources.index("def two(): ...")


def test_a_notebook_without_our_cells_gets_all_that_is_judged(unsolved: NotebookNode) -> None:
    sent = v4.new_notebook(cells=[v4.new_code_cell("x = 1"), v4.new_markdown_cell("hello")])
    repair(sent, unsolved)
    assert [c.source for c in sent.cells if is_executed(c)] == [
        "import litcourse",
        "x = 1",
        "check.one()",
        "check.two()",
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"cells": [',
        b"[1, 2]",
        b'{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"<<<<<<< HEAD\n{}",
        b'{"nbformat": 99, "nbformat_minor": 0, "metadata": {}, "cells": []}',
    ],
)
def test_what_is_no_notebook_becomes_the_unsolved_one(
    data: bytes, unsolved: NotebookNode, tmp_path: Path
) -> None:
    path = tmp_path / "sent.ipynb"
    path.write_bytes(data)
    found = reading.read(path, unsolved)
    assert found.metadata.litcourse["trouble"] == "LIT908"
    assert found.metadata.litcourse["detail"]
    assert "litcourse" not in unsolved.metadata
    assert _ids(found) == _ids(unsolved)


def test_a_missing_notebook_says_what_lies_there(unsolved: NotebookNode, tmp_path: Path) -> None:
    found = reading.read(tmp_path / "lab.ipynb", unsolved, "no lab.ipynb; there is a.txt")
    assert found.metadata.litcourse["trouble"] == "LIT914"
    assert found.metadata.litcourse["detail"] == "no lab.ipynb; there is a.txt"


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b" \n", "the file is empty"),
        (
            b'{\n"cells": [\n<<<<<<< HEAD\n',
            "no JSON, line 3, column 1: Expecting value, at '<<<<<<< HEAD'",
        ),
    ],
)
def test_what_is_no_json_is_told_with_its_line(
    data: bytes, detail: str, unsolved: NotebookNode, tmp_path: Path
) -> None:
    path = tmp_path / "sent.ipynb"
    path.write_bytes(data)
    assert reading.read(path, unsolved).metadata.litcourse["detail"] == detail


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"":"WARNING!","doc_id":"1x","resource_key":"","email":"a@b.org"}', "in Google Drive"),
        (b'{"url": "https://docs.google.com/open?id=1"}', "in Google Drive"),
        (b"PK\x03\x04rest", "a zip file"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\n<!DOCTYPE html>\n<html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        (b"# ---\n# jupyter:\n", "jupytext"),
    ],
)
def test_what_people_mistake_for_a_notebook_is_named(
    data: bytes, kind: str, unsolved: NotebookNode, tmp_path: Path
) -> None:
    path = tmp_path / "sent.ipynb"
    path.write_bytes(data)
    notes = reading.read(path, unsolved).metadata.litcourse
    assert notes["trouble"] == "LIT908"
    assert kind in notes["detail"]


def test_a_notebook_that_is_too_large_is_not_called_damaged(
    unsolved: NotebookNode, tmp_path: Path
) -> None:
    path = tmp_path / "sent.ipynb"
    with path.open("wb") as file:
        file.truncate(reading.MAX_BYTES + 2**20)
    notes = reading.read(path, unsolved).metadata.litcourse
    assert notes["trouble"] == "LIT919"
    assert notes["detail"] == "51.0 MiB, and at most 50 MiB are read"


def _notices(notebook: NotebookNode) -> list[tuple[str, str]]:
    return [(found["code"], found["detail"]) for found in notebook.metadata.litcourse["notices"]]


def test_answers_beside_an_untouched_notebook_are_noticed(
    unsolved: NotebookNode, tmp_path: Path
) -> None:
    beside, solved = tmp_path / "sent-Copy1.ipynb", copy.deepcopy(unsolved)
    beside.write_text(json.dumps(unsolved))
    (tmp_path / "damaged.ipynb").write_text("{")
    assert _notices(_sent(unsolved, tmp_path)) == []
    solved.cells[2].source = "def one(): return 1"
    beside.write_text(json.dumps(solved))
    assert _notices(_sent(unsolved, tmp_path)) == [("LIT917", "answers are in sent-Copy1.ipynb")]
    assert _notices(_sent(solved, tmp_path)) == []


def test_the_notebook_of_another_lab_is_noticed(unsolved: NotebookNode, tmp_path: Path) -> None:
    other = v4.new_notebook(cells=[_cell("fit-check", "check.fit()", grade=True, points=3)])
    path = tmp_path / "sent.ipynb"
    path.write_text(json.dumps(other))
    assert _notices(reading.read(path, unsolved)) == [("LIT918", "it is lab1_mnist")]


def test_a_notice_shows_its_detail_escaped() -> None:
    shown = Notice("LIT917", "", "", "answers are in <b>.ipynb").as_html()
    assert ": answers are in &lt;b&gt;.ipynb. Give" in shown


def test_pictures_of_text_cells_are_kept_and_missing_ones_unnamed(
    unsolved: NotebookNode, tmp_path: Path
) -> None:
    text = "![a](attachment:a.png) ![b](attachment:b.png)"
    unsolved.cells.append(v4.new_markdown_cell(text))
    unsolved.cells[-1]["attachments"] = {"a.png": {"image/png": "aGk="}, "c.png": 3}
    cell = _sent(unsolved, tmp_path).cells[-1]
    assert cell.attachments == {"a.png": {"image/png": "aGk="}}
    assert cell.source == "![a](attachment:a.png) ![b](missing:b.png)"


def test_a_damaged_notebook_is_read_as_far_as_possible(
    unsolved: NotebookNode, tmp_path: Path
) -> None:
    cells = [
        {"cell_type": "code", "source": ["a = 1\n", "b = 2"], "metadata": {"nbgrader": "x"}},
        {"cell_type": "strange", "source": "text", "metadata": None},
        {"cell_type": "code", "source": "\ud800", "id": "a b", "metadata": {"nbgrader": {"x": []}}},
        "no cell",
    ]
    mine = {"litcourse": {"submission": "forged", "trouble": ""}}
    path = tmp_path / "sent.ipynb"
    sent = {"nbformat": 4, "nbformat_minor": 5, "metadata": mine, "cells": cells}
    path.write_text(json.dumps(sent))
    found = reading.read(path, unsolved)
    assert found.metadata.litcourse["trouble"] == ""
    assert len(found.metadata.litcourse["submission"]) == 64
    assert [c.source for c in found.cells] == ["a = 1\nb = 2", "text", "?"]
    repair(found, unsolved)
    assert "one-check" in _ids(found)


# --- notebooks made to take long -------------------------------------------------------------


def _hostile(unsolved: NotebookNode, *cells: Mapping[str, object]) -> dict[str, object]:
    return {**unsolved, "cells": [*unsolved.cells, *cells]}


def test_a_notebook_of_very_many_cells_is_not_read(unsolved: NotebookNode, tmp_path: Path) -> None:
    path = tmp_path / "sent.ipynb"
    cell = {"cell_type": "code", "source": "", "metadata": {}}
    room = reading.MAX_CELLS - len(unsolved.cells)
    path.write_text(json.dumps(_hostile(unsolved, *[cell] * room)), encoding="utf-8")
    assert not reading.read(path, unsolved).metadata.litcourse["trouble"]
    sheets = [{"cells": [cell] * reading.MAX_CELLS}, {"cells": [cell]}]
    older = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": sheets}
    for sent in (_hostile(unsolved, *[cell] * (room + 1)), older):
        path.write_text(json.dumps(sent), encoding="utf-8")
        known = reading.read(path, unsolved).metadata.litcourse
        assert known["trouble"] == "LIT908"
        assert known["detail"] == "ValueError: 2,001 cells; at most 2,000 are read"


def test_what_takes_long_by_its_number_takes_time_in_proportion(
    unsolved: NotebookNode, tmp_path: Path
) -> None:
    path = tmp_path / "sent.ipynb"
    claim = {"cell_type": "code", "source": "", "metadata": {"nbgrader": {"grade_id": "one"}}}
    named = "".join(f"![](attachment:{number})" for number in range(100_000))
    text = {"cell_type": "markdown", "source": named, "metadata": {}}
    cells = [text, *[claim] * (reading.MAX_CELLS - len(unsolved.cells) - 1)]
    path.write_text(json.dumps(_hostile(unsolved, *cells)), encoding="utf-8")
    started = time.process_time()
    found = reading.read(path, unsolved)
    assert [notice.code for notice in repair(found, unsolved)] == ["LIT911"]
    assert time.process_time() - started < 5
    assert "attachment:" not in "".join(cell.source for cell in found.cells)


def test_no_more_notices_are_kept_than_somebody_reads() -> None:
    notebook = v4.new_notebook()
    SubmissionMetadata("", notices=[Notice("LIT906", "", "")] * 1000).write(notebook)
    assert len(submission_metadata.read(notebook).notices) == submission_metadata.MAX_NOTICES
