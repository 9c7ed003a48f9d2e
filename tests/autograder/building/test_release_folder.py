"""`release/` between builds: which files are a build's own, and the wheel that git ignores."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from autograder.building import checksums
from autograder.building.build import build, find_stale
from autograder.course import AuthorError, Course
from tests.autograder.building.courses import edit, files


def wheel_of(release: Path) -> Path:
    (path,) = release.glob("*.whl")
    return path


def sums_hold(release: Path) -> list[str]:
    """The files that `sha256sum` has looked at; it fails where one is missing or differs."""
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=release, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    return [line.removesuffix(": OK") for line in done.stdout.splitlines()]


# --- whose files -----------------------------------------------------------------------------


def test_what_is_no_longer_made_goes_away(tiny: Course) -> None:
    release = build(tiny).release
    old = release / "lab0_tiny/numbers.csv"
    old.write_text("1,2\n")
    checksums.write(release, ["lab0_tiny/numbers.csv"], checksums.read(release))
    assert any("numbers.csv" in line for line in find_stale(tiny))
    assert build(tiny).changed == ("lab0_tiny/numbers.csv",)
    assert not old.exists()


def test_files_that_no_build_wrote_stay(tiny: Course) -> None:
    release = build(tiny).release
    for name in ("course/bin/python", "lab0_tiny/train.py", "lab0_tiny/lightning_logs/a.ckpt"):
        (release / name).parent.mkdir(parents=True, exist_ok=True)
        (release / name).write_text("mine", encoding="utf-8")
    for n in range(30):
        (release / f"course/bin/{n}").touch()
    before = files(release)
    assert build(tiny).changed == ()
    assert files(release) == before
    lines = find_stale(tiny)
    assert "release/lab0_tiny/train.py: not made from source/ (any more)" in lines
    assert "release/course: 31 files that are not made from source/ (any more)" in lines
    assert len(lines) == 3


def test_a_notebook_that_somebody_works_in_is_not_replaced(tiny: Course) -> None:
    path = build(tiny).release / "lab0_tiny/lab0_tiny.ipynb"
    archive = files(tiny.root / "dist")
    path.write_text(path.read_text(encoding="utf-8").replace("YOUR CODE", "MY CODE"))
    before = files(tiny.root / "release")
    edit(tiny, lambda cells, _: cells["add_one-task"].update(source="### Another task"))
    for labs in ([], ["lab0_tiny"]):
        with pytest.raises(AuthorError, match=r"somebody's answers.*\n  Next: mv "):
            build(tiny, labs)
    assert files(tiny.root / "release") == before
    assert files(tiny.root / "dist") == archive
    path.unlink()
    assert build(tiny).changed == ("lab0_tiny/lab0_tiny.ipynb",)


def test_the_sums_are_those_of_sha256sum_without_the_wheel(tiny: Course) -> None:
    release = build(tiny).release
    wheel = wheel_of(release)
    assert set(sums_hold(release)) == files(release).keys() - {"SHA256SUMS", wheel.name}


# --- the wheel -------------------------------------------------------------------------------


def test_a_clone_without_the_wheel_is_fresh(tiny: Course) -> None:
    release = build(tiny).release
    wheel = wheel_of(release)
    wheel.unlink()
    assert find_stale(tiny) == []
    assert sums_hold(release)
    for page in ("README.md", "requirements.txt"):
        text = (release / page).read_text()
        assert wheel.name in text
        assert "`make release` in the folder above" in text
    assert build(tiny).changed == (wheel.name,)


def test_a_stale_wheel_names_its_members_and_is_replaced(tiny: Course) -> None:
    wheel = wheel_of(build(tiny).release)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("litcourse/extra.py", "")
    (line,) = find_stale(tiny)
    assert "litcourse/extra.py" in line
    assert build(tiny).changed == (wheel.name,)
    assert find_stale(tiny) == []


def test_a_wheel_of_another_state_is_one_line(tiny: Course) -> None:
    wheel = wheel_of(build(tiny).release)
    with zipfile.ZipFile(wheel, "a") as archive:
        for n in range(30):
            archive.writestr(f"litcourse/extra{n}.py", "")
    (line,) = find_stale(tiny)
    assert line == f"release/{wheel.name}: 30 files are not those of litcourse/ (any more)"


def test_a_wheel_that_was_cut_short_is_made_again(tiny: Course) -> None:
    wheel = wheel_of(build(tiny).release)
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[:1000])
    assert find_stale(tiny) == [f"release/{wheel.name}: not a wheel"]
    build(tiny)
    assert wheel.read_bytes() == whole


def test_another_packing_of_the_same_wheel_is_fresh(tiny: Course) -> None:
    wheel = wheel_of(build(tiny).release)
    with zipfile.ZipFile(wheel) as archive:
        inside = {info: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for info, data in inside.items():
            archive.writestr(info.filename, data)
    assert find_stale(tiny) == []


@pytest.mark.parametrize("labs", [[], ["lab0_tiny"]])
def test_wheels_of_other_versions_go_and_other_wheels_stay(tiny: Course, labs: list[str]) -> None:
    release = build(tiny).release
    old = release / "litcourse-0.0.1-py3-none-any.whl"
    theirs = release / "torch-2.6.0-cp311-cp311-linux_x86_64.whl"
    for path in (old, theirs):
        path.write_bytes(b"")
    assert any(old.name in line for line in find_stale(tiny))
    assert build(tiny, labs).changed == (old.name,)
    assert not old.exists()
    assert theirs.exists()


@pytest.mark.parametrize("labs", [[], ["lab0_tiny"]])
def test_a_list_that_names_the_wheel_is_mended(tiny: Course, labs: list[str]) -> None:
    release = build(tiny).release
    sums = release / "SHA256SUMS"
    good = sums.read_text()
    sums.write_text(good + f"{'0' * 64}  {wheel_of(release).name}\n")
    assert find_stale(tiny) == ["release/SHA256SUMS: not of these files"]
    build(tiny, labs)
    assert sums.read_text() == good
