"""What lies in a submission's folder: links, names that are too long, files that can't be read."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BufferedReader
from pathlib import Path

import pytest

from autograder.nbgrader_plugins.submissions import submission_files, zip_files

from .conftest import LAB, RIGHT, Class

POINTS = 5.0


# --- links -----------------------------------------------------------------------------------


def test_links_are_not_followed(group: Class) -> None:
    secret = group.root / "gradebook.db"
    group.hand_in("ada", RIGHT)
    group.grade()
    folder = group.hand_in("eve", RIGHT)
    (folder / "copy.db").symlink_to(secret)
    (folder / "all").symlink_to(group.root / "submitted")
    (folder / "relative.ipynb").symlink_to(f"../../ada/{LAB}/{LAB}.ipynb")
    os.mkfifo(folder / "pipe")
    assert group.grade() == 0
    assert group.score("eve") == POINTS
    assert [path.name for path in group.graded("eve").rglob("*")] == [f"{LAB}.ipynb"]
    assert "LIT951" in group.record("eve").notices
    assert "A link or a giant file" in group.page("eve").read_text(encoding="utf-8")


def test_a_notebook_that_is_a_link_earns_nothing(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    folder = group.root / "submitted/eve" / LAB
    folder.mkdir(parents=True)
    (folder / f"{LAB}.ipynb").symlink_to(f"../../ada/{LAB}/{LAB}.ipynb")
    (group.root / "submitted/mal").symlink_to("ada")
    assert group.grade() == 0
    assert group.students() == {"ada": POINTS, "eve": 0, "mal": 0}


def test_a_folder_of_the_notebooks_name_is_no_notebook(group: Class) -> None:
    (group.root / "submitted/eve" / LAB / f"{LAB}.ipynb").mkdir(parents=True)
    assert group.grade() == 0
    assert group.students() == {"eve": 0}


# --- names of the grader's own files, and names that are no text ---------------------------------


@pytest.mark.parametrize("name", [f"{LAB}.html", "timestamp.txt", "submission_secret.txt"])
@pytest.mark.parametrize("inner", ["", "/x"])
def test_files_by_the_names_of_ours_keep_nobody_from_feedback(
    group: Class, name: str, inner: str
) -> None:
    """By `nbgrader release_feedback`, which reads two texts of each student, and prints one."""
    place = group.hand_in("eve", RIGHT) / f"{name}{inner}"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"\x1b[31m\xff")
    assert group.grade() == 0
    assert group.record("eve").feedback
    page = group.page("eve")
    assert "litcourse-card" in page.read_text(encoding="utf-8")
    assert page.with_name("timestamp.txt").read_text(encoding="utf-8") == "at no known time"
    assert page.with_name("submission_secret.txt").read_text(encoding="utf-8").isprintable()


ODD = os.fsdecode(b"\xff\x1b[31m\nforged")


def test_names_that_are_no_text_are_shown_as_well_as_can_be(
    group: Class, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (group.hand_in("link", RIGHT) / ODD).symlink_to(tmp_path)
    for student, folders in {"moved": ("a",), "two": ("a", "b")}.items():
        notebook = group.hand_in(student, RIGHT) / f"{LAB}.ipynb"
        for folder in folders:
            place = notebook.parent / f"{ODD}{folder}" / notebook.name
            place.parent.mkdir()
            text = notebook.read_text(encoding="utf-8")
            place.write_text(text + " " * len(folders) * (folder == "b"), encoding="utf-8")
        notebook.unlink()
    assert group.grade() == 0
    assert group.students() == {"link": POINTS, "moved": POINTS, "two": 0}
    for student in ("link", "moved", "two"):
        assert "forged" in group.page(student).read_text(encoding="utf-8")
    assert "\x1b" not in capsys.readouterr().out


# --- names that are too long, files that can't be read -----------------------------------------


@contextmanager
def _within(folder: Path) -> Iterator[None]:
    """Work there: a path that is too long for Linux can only be made step by step."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def test_names_that_are_too_long_are_left_out_and_stop_nobody(group: Class) -> None:
    for student in ("ada", "deep", "edge", "many"):
        group.hand_in(student, RIGHT)
    assert group.grade(students=["deep"]) == 0  # what is planned later has a record to compare with
    sent = group.root / "submitted"
    with _within(sent / "deep" / LAB):
        for _ in range(30):
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
            Path("file").write_text("x", encoding="utf-8")
    with _within(sent / "edge" / LAB):
        while len(os.fsencode(Path.cwd())) < 3800:  # with what is added in autograded/ it is longer
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
        Path("f" * 250).write_text("x", encoding="utf-8")
    with _within(sent / "many" / LAB):
        for _ in range(300):
            Path("d").mkdir()
            os.chdir("d")
    assert group.grade() == 0
    assert group.students() == dict.fromkeys(("ada", "deep", "edge", "many"), POINTS)
    assert group.record("ada").notices == []
    for student in ("deep", "edge", "many"):
        assert "LIT951" in group.record(student).notices, student
        assert group.record(student).written


def test_a_file_that_cannot_be_read_costs_its_own_submission_alone(
    group: Class, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    group.hand_in("ada", RIGHT)
    folder = group.hand_in("eve", RIGHT)
    (folder / "broken.txt").write_text("x", encoding="utf-8")
    assert group.grade() == 0
    group.hand_in("new", RIGHT)
    shutil.copytree(folder, group.root / "submitted/mal" / LAB)
    honest = submission_files.open_plain

    def opened(path: Path) -> AbstractContextManager[BufferedReader]:
        if path.name == "broken.txt":
            raise OSError(5, "Input/output error", str(path))
        return honest(path)

    monkeypatch.setattr(submission_files, "open_plain", opened)
    assert group.grade() == 1
    assert group.students() == {"ada": POINTS, "eve": None, "new": POINTS, "mal": None}
    for student in ("eve", "mal"):
        assert group.record(student).state == "failed"
        assert group.record(student).written
        assert group.page(student).is_file()
    assert "Input/output error" in capsys.readouterr().out


@pytest.mark.parametrize("name", [f"{LAB}.ipynb", "renamed.ipynb", "work.zip"])
def test_nbgraders_own_command_enters_nothing_for_a_file_that_cannot_be_read(
    group: Class, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Such as one that a file system has lost, or of another user."""
    monkeypatch.syspath_prepend(str(group.root))  # for here.py
    sent = group.hand_in("ada", RIGHT) / f"{LAB}.ipynb"
    broken = sent.rename(sent.with_name(name))
    honest, read_bytes = submission_files.open_plain, Path.read_bytes

    def check(path: Path) -> Path:
        if path == broken:
            raise OSError(5, "Input/output error", str(path))
        return path

    monkeypatch.setattr(zip_files, "open_plain", lambda path: honest(check(path)))
    monkeypatch.setattr(Path, "read_bytes", lambda path: read_bytes(check(path)))
    with pytest.raises(SystemExit) as end:
        group.nbgrader_autograde()
    assert end.value.code == 1
    assert group.students() == {"ada": None}
