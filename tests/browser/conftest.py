"""A lab of `release/`, opened as a student opens it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import nbformat
import pytest

from tests.browser.jupyterlab import Notebook, chromium, server


class Open(Protocol):
    """Opens a lab with these sources in place of its cells, by `grade_id`."""

    def __call__(self, answers: dict[str, str], lab: str = "lab1_mnist") -> Notebook: ...


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: the folder that the variable PICTURES names, or a temporary one."""
    folder = Path(os.environ.get("PICTURES", tmp_path / "pictures")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_lab(tmp_path: Path, root: Path, pictures: Path) -> Iterator[Open]:
    """Opens a lab in a browser, its cells changed first: `open_lab({"wrap": "class ..."})`."""
    released = tmp_path / "release"
    shutil.copytree(root / "release", released)
    with ExitStack() as stack:

        def start(answers: dict[str, str], lab: str = "lab1_mnist") -> Notebook:
            path = f"{lab}/{lab}.ipynb"
            _fill_in(released / path, answers)
            url = stack.enter_context(server(tmp_path, released))
            notebook = Notebook(stack.enter_context(chromium(tmp_path)), url, path, pictures)
            stack.callback(notebook.end_kernels)
            return notebook

        yield start


def _fill_in(path: Path, answers: dict[str, str]) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = answers.get(name, cell.source)
    nbformat.write(notebook, path)
