"""A lab's notebook without the course's packages, as nbgrader's exchange delivers it."""

import sys
from pathlib import Path

import nbformat
import pytest

from autograder.course import grade_id
from tests.course import LABS


def setup_cell(root: Path, lab: str) -> str:
    path = root / "release" / lab / f"{lab}.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    return str(next(cell.source for cell in cells if grade_id(cell) == "setup"))


@pytest.mark.parametrize("lab", LABS)
def test_the_first_cell_says_how_to_get_litcourse(
    root: Path, monkeypatch: pytest.MonkeyPatch, lab: str
) -> None:
    monkeypatch.setitem(sys.modules, "litcourse", None)  # as if it were not installed
    with pytest.raises(ModuleNotFoundError) as raised:
        exec(compile(setup_cell(root, lab), "setup", "exec"), {})  # noqa: S102  our own cell
    message = str(raised.value)
    assert sys.executable in message
    assert "%pip install litcourse-*.whl" in message
    assert "Restart the kernel" in message


@pytest.mark.parametrize("lab", LABS)
def test_the_first_cell_leaves_another_missing_package_its_name(
    root: Path, monkeypatch: pytest.MonkeyPatch, lab: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # the cell sets it; restored afterwards
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(ModuleNotFoundError) as raised:
        exec(compile(setup_cell(root, lab), "setup", "exec"), {})  # noqa: S102  our own cell
    assert raised.value.name == "lightning"
    assert "litcourse" not in str(raised.value)
