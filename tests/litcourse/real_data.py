"""The real sets for tests, where a machine has them, and a lab's solution on them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from autograder.bank import without_markers
from autograder.course import Course

ROOT = Path(__file__).resolve().parents[2]


def copied(name: str, folder: Path) -> Path:
    """A copy of the real set `name` in `folder`: torchvision unpacks what lies packed beside it."""
    shown = os.environ.get("LITCOURSE_TEST_DATA")
    real = Path(shown or ROOT.parent / "shared" / "data") / name
    if not real.is_dir():
        pytest.skip(
            f"no real {name}; to enable: LITCOURSE_TEST_DATA=FOLDER make test, with FOLDER/{name} "
            "as torchvision downloads it"
        )
    shutil.copytree(real, folder / name)
    return folder / name


@contextmanager
def solved(lab_id: str, questions: Iterable[str], data_dir: Path) -> Iterator[dict[str, Any]]:
    """The names of the solved notebook, its demonstrations left out, and `data_dir`."""
    import torch

    threads = torch.get_num_threads()
    lab = Course(ROOT).lab(lab_id)
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in lab.notebook.cells}
    namespace: dict[str, Any] = {"__name__": "__main__", "data_dir": data_dir}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        for name in ("setup", *questions):
            source = without_markers(cells[name].source)
            exec(compile(source, f"<{name}>", "exec"), namespace)  # noqa: S102 (our own notebook)
        yield namespace
    torch.set_num_threads(threads)
