"""What a kernel finds beside the notebook, and what its inputs are drawn for."""

import os
from pathlib import Path

import pytest

from autograder.nbgrader_plugins.submissions.submission_files import (
    copy_visible,
    digest_submission,
    read_timestamp,
)

NOTEBOOK = "0" * 64


def fill(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/data.txt").write_text("1", encoding="utf-8")
    return folder


def test_notebooks_and_the_time_are_not_there(tmp_path: Path) -> None:
    files = fill(tmp_path / "files")
    for name in ("lab.ipynb", "sub/other.ipynb", "timestamp.txt", "sub/timestamp.txt"):
        (files / name).write_text("x", encoding="utf-8")
    copy_visible(files, tmp_path / "work")
    found = {str(path.relative_to(tmp_path / "work")) for path in (tmp_path / "work").rglob("*")}
    assert found == {"sub", "sub/data.txt", "sub/timestamp.txt"}


def test_modes_and_times_say_nothing(tmp_path: Path) -> None:
    files = fill(tmp_path / "files")
    (files / "sub/data.txt").chmod(0o4755)
    os.utime(files / "sub/data.txt", (1, 2))
    copy_visible(files, tmp_path / "work")
    status = (tmp_path / "work/sub/data.txt").stat()
    assert status.st_mode & 0o7111 == 0
    assert status.st_mtime > 2


def test_a_digest_holds_notebook_names_and_bytes(tmp_path: Path) -> None:
    files = fill(tmp_path / "files")
    seen = [digest_submission(NOTEBOOK, files), digest_submission("1" * 64, files)]
    (files / "sub/data.txt").write_text("2", encoding="utf-8")
    seen.append(digest_submission(NOTEBOOK, files))
    (files / "sub/data.txt").rename(files / "data.txt")
    seen.append(digest_submission(NOTEBOOK, files))
    (files / "empty").touch()
    seen.append(digest_submission(NOTEBOOK, files))
    assert len(set(seen)) == len(seen)
    (files / "timestamp.txt").write_text("2026-11-01 10:00:00 UTC", encoding="utf-8")
    assert digest_submission(NOTEBOOK, files) == seen[-1]


@pytest.mark.parametrize("text", ["9" * 20 + "2026" + "9" * 19 + "m.", "W53 D400", "inf", "\0", ""])
def test_a_time_that_is_none_stops_nobody(tmp_path: Path, text: str) -> None:
    """The whole class is scanned before the first is graded; dateutil raises what it likes."""
    (tmp_path / "timestamp.txt").write_text(text, encoding="utf-8")
    assert not read_timestamp(tmp_path)
