"""Bounds on what is read of a notebook: each is for something that takes the grader's time."""

from __future__ import annotations

import json
import time
from pathlib import Path

from nbformat import v4

from autograder.nbgrader_plugins.sanitize import sanitize
from autograder.nbgrader_plugins.submission_metadata import KEY
from autograder.nbgrader_plugins.submissions import reading

LAB = v4.new_notebook(cells=[v4.new_markdown_cell("the lab")])


def test_a_notebook_of_very_many_lines_is_not_read(tmp_path: Path) -> None:
    """Python writes one string of JSON for each line: 26 million took the one writer minutes."""
    path = tmp_path / "sent.ipynb"
    for more, trouble in ((0, ""), (1, "LIT919")):
        half = "\n" * (reading.MAX_TEXT // 2)
        cells = [v4.new_markdown_cell(half), v4.new_code_cell(half + "\n" * more)]
        path.write_text(json.dumps(v4.new_notebook(cells=cells)), encoding="utf-8")
        known = reading.read(path, LAB).metadata[KEY]
        assert known["trouble"] == trouble
    assert known["detail"] == "4,194,305 characters in its cells; at most 4,194,304 are read"


def test_very_many_pictures_take_no_time(tmp_path: Path) -> None:
    """Their names become one regular expression, which took minutes."""
    names = [f"p{number}.png" for number in range(100_000)]
    text = f"![](attachment:{names[0]}) ![](attachment:{names[-1]})"
    pictures = {name: {"image/png": "aGk="} for name in names}
    cell = {"cell_type": "markdown", "metadata": {}, "source": text, "attachments": pictures}
    path = tmp_path / "sent.ipynb"
    path.write_text(json.dumps({**LAB, "cells": [cell]}), encoding="utf-8")
    started = time.process_time()
    notebook = reading.read(path, LAB)
    sanitize(notebook, LAB)
    assert time.process_time() - started < 5
    assert len(notebook.cells[0].attachments) == reading.MAX_PICTURES
    assert notebook.cells[0].source == "![](attachment:p0.png) ![] (missing:p99999.png)"
