"""The students' archive in an empty folder: the README's own commands, and nothing but it."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest

from autograder.building.build import make_release
from autograder.course import Course, grade_id

# What pip would fetch from its index: the tests' packages without ours. There is no network here.
OURS = ("litcourse", "_litcourse", "autograder", "_autograder")


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """The packages that the labs need, as if they were installed already; not `litcourse`."""
    folder = tmp_path / "given"
    folder.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(OURS):
            (folder / path.name).symlink_to(path)
    return folder


def commands(root: Path) -> list[str]:
    """The first block of commands that the README has for students."""
    text = (root / "README.md").read_text(encoding="utf-8").partition("## For students")[2]
    block = re.search(r"(?:^    .+\n)+", text, flags=re.MULTILINE)
    assert block
    return [line.strip() for line in block.group().splitlines()]


def first_cell(notebook: Path) -> str:
    """The notebook's first cell, and then where the package comes from."""
    cells = nbformat.read(notebook, as_version=4).cells
    code = next(str(cell.source) for cell in cells if grade_id(cell) == "setup")
    return f"{code}\nprint(litcourse.__file__, type(check).__name__)\n"


@pytest.mark.slow
def test_a_student_starts_from_the_archive_alone(root: Path, tmp_path: Path, given: Path) -> None:
    course, empty = Course(root), tmp_path / "empty"
    archive = make_release(course, list(course.labs.values()), tmp_path / "made")
    assert archive is not None
    empty.mkdir()
    archive.rename(empty / archive.name)
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path), "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(given), "PIP_NO_INDEX": "1", "PIP_NO_CACHE_DIR": "1",
    }  # fmt: skip

    def shell(*lines: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", "\n".join(lines)], cwd=empty, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    *start, opened = commands(root)
    assert "Successfully installed litcourse-" in shell(*start)
    folder = empty / archive.stem
    code = first_cell(folder / opened.removeprefix("jupyter lab "))
    (empty / "first_cell.py").write_text(code, encoding="utf-8")
    activate = f"source {folder}/course/bin/activate"
    told = shell(activate, "python first_cell.py", "litcourse explain LIT001")
    assert told.startswith(f"{folder}/course/lib")
    assert " Check\n" in told
    assert "LIT001" in told
