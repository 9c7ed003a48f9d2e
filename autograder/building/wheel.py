"""Builds the student wheel, `litcourse`, by hatchling in this process; always the same bytes."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

import litcourse
from autograder.course import AuthorError

_NAME = re.compile(r"litcourse-[^/]+-py3-none-any\.whl")


def is_student_wheel(name: str) -> bool:
    """Whether `name`, relative to a release folder, names a student wheel of any version."""
    return _NAME.fullmatch(name) is not None


def build_wheel(folder: Path) -> Path:
    """Build `litcourse-<version>-py3-none-any.whl` into `folder`; returns its path.

    Raises:
        AuthorError: `litcourse` is not installed from its sources.
    """
    package = Path(litcourse.__file__).parent
    if not (package / "pyproject.toml").is_file():
        fault = "litcourse is installed without its sources, so it can't be built"
        raise AuthorError(package, "", fault, "make setup, in a checkout of the course")
    (path,) = WheelBuilder(str(package)).build(directory=str(folder), versions=["standard"])
    return Path(path)


def members(path: Path) -> dict[str, str]:
    """SHA-256 of each member of a wheel, by name; empty if the file is no zip."""
    if not zipfile.is_zipfile(path):
        return {}
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names}
