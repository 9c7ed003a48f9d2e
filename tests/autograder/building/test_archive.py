"""The students' archive of a build: what is in it, what never is, and when it is written."""

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import litcourse
from autograder.building.archive import pack_students
from autograder.building.build import build, find_stale
from autograder.building.scaffold import scaffold
from autograder.course import AuthorError, Course
from tests.autograder.building.courses import edit, files

TOP = f"lightning-course-{litcourse.__version__}"
WHEEL = f"litcourse-{litcourse.__version__}-py3-none-any.whl"

ANSWER = "return sum([number, 1])"
SOLUTION = f"""def add_one(number):
    ### BEGIN SOLUTION
    {ANSWER}
    ### END SOLUTION"""


def archive_of(folder: Path) -> Path:
    return folder / f"dist/students/{TOP}.zip"


def unpacked(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_holds_what_students_need_in_one_folder(tiny: Course) -> None:
    built = build(tiny)
    assert built.archive == archive_of(tiny.root)
    names = (
        "AGENTS.md", "README.md", "nbgrader_config.py", "requirements.txt",
        "lab0_tiny/lab0_tiny.ipynb", WHEEL,
    )  # fmt: skip
    made = files(built.release)
    assert unpacked(built.archive) == {f"{TOP}/{name}": made[name] for name in names}


def test_nothing_that_is_not_for_students_lies_beside_it(tiny: Course) -> None:
    build(tiny)
    assert [*files(tiny.root / "dist/students")] == [f"{TOP}.zip"]


def test_two_builds_give_the_same_archive(tiny: Course, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    build(tiny, out=first)
    old = tmp_path.stat().st_mtime - 10_000_000
    for path in (tiny.root / "source").rglob("*"):
        path.chmod(0o700)
        os.utime(path, (old, old))
    build(tiny, out=second)
    assert archive_of(first).read_bytes() == archive_of(second).read_bytes()
    with zipfile.ZipFile(archive_of(first)) as archive:
        assert archive.namelist() == sorted(archive.namelist())
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o644}


def test_what_somebody_left_in_release_is_not_in_it(tiny: Course) -> None:
    before = unpacked(build(tiny).archive or Path())
    left = ("lab0_tiny/train.py", "answers.txt", "litcourse-0.0.1-py3-none-any.whl")
    for name in left:
        (tiny.root / "release" / name).write_text("number + 1")
    assert unpacked(build(tiny).archive or Path()) == before


def test_a_build_of_some_labs_leaves_it_as_it_was(tiny: Course) -> None:
    scaffold(tiny, "lab1_more", "add_two")
    course = Course(tiny.root)
    assert build(course, ["lab0_tiny"]).archive is None
    assert not archive_of(tiny.root).exists()
    build(course)
    before = archive_of(tiny.root).read_bytes()
    assert build(course, ["lab1_more"]).archive is None
    assert archive_of(tiny.root).read_bytes() == before
    assert build(course, ["lab1_more", "lab0_tiny"]).archive == archive_of(tiny.root)


def test_an_answer_in_the_wheel_in_the_archive_is_refused(
    tiny: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(tiny, lambda cells, _: cells["add_one"].update(source=SOLUTION))
    packing = "autograder.building.build.pack_students"
    monkeypatch.setattr(packing, with_answer(pack_students))
    with pytest.raises(AuthorError, match="add_one") as error:
        build(tiny)
    where = f"dist/students/{TOP}.zip:{TOP}/{WHEEL}:litcourse/hint.py"
    assert str(error.value).startswith(where)
    assert not (tiny.root / "release").exists()
    assert not (tiny.root / "dist").exists()
    with pytest.raises(AuthorError, match=r"hint\.py"):
        find_stale(tiny)


def with_answer(pack: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
    """Packing that slips an answer into the wheel, after all that goes to `release/` was made."""

    def packed(folder: Path, target: Path) -> Path:
        aside = target.parent.parent / "aside"
        shutil.copytree(folder, aside)
        with zipfile.ZipFile(aside / WHEEL, "a") as wheel:
            wheel.writestr("litcourse/hint.py", f"    {ANSWER}\n")
        path = pack(aside, target)
        shutil.rmtree(aside)
        return path

    return packed
