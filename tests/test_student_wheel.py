"""The wheel that students install: what is in it, and that it is the same each time."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[1]


def build(folder: Path) -> Path:
    (path,) = WheelBuilder(str(ROOT / "litcourse")).build(
        directory=str(folder), versions=["standard"]
    )
    return Path(path)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(build(tmp_path_factory.mktemp("wheel"))) as archive:
        yield archive


def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = build(tmp_path / "a"), build(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


def test_every_file_of_the_package_is_in(wheel: zipfile.ZipFile) -> None:
    left_out = {"pyproject.toml", "LICENSE"}  # the licence is among the metadata
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "litcourse").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name not in left_out
    }
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == package, "name new kinds of files in litcourse/pyproject.toml"


def test_nothing_but_the_package_is_in(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"litcourse"}
    assert not [name for name in wheel.namelist() if "test" in name or "bank" in name]
