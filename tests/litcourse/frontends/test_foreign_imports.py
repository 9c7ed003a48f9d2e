"""Imports that the course does not bring are told at home."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from litcourse.frontends.executions import Executions
from litcourse.frontends.foreign_imports import imported_names, tell_foreign

if TYPE_CHECKING:
    import pytest


def test_imports_are_found_at_any_place_of_a_cell() -> None:
    source = "import os.path, numpy as np\ndef f():\n    from sklearn.metrics import f1_score\n"
    assert imported_names(source + "    from .near import x\n") == {"os", "numpy", "sklearn"}
    assert imported_names("%%writefile x.py\nimport (") == set()


def test_what_comes_with_the_course_is_welcome() -> None:
    usual = {"torch", "torchvision", "lightning", "torchmetrics", "numpy", "PIL", "os", "yaml"}
    assert tell_foreign(usual | {"matplotlib", "litcourse", "IPython"}) == ""


def test_what_does_not_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("helpers.py").touch()
    said = tell_foreign({"pandas", "no_such_package", "helpers"})
    assert "imports no_such_package, pandas, which the course does not bring" in said


def test_executions_note_the_imports_of_cells_that_define_nothing() -> None:
    class Info:
        raw_cell = "import einops"

    class Result:
        execution_count, info, error_before_exec, error_in_exec = 1, Info(), None, None

    noted = Executions()
    noted.note(Result(), {})
    assert noted.imports == {"einops"}
