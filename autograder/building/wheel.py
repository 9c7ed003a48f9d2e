"""The student wheel: `litcourse`, built in this process by hatchling, the same bytes each time."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

import litcourse
from autograder.course import AuthorError


def build_wheel(folder: Path) -> Path:
    """Build `litcourse-<version>-py3-none-any.whl` into `folder`; its path.

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
    """SHA-256 of each member of a wheel, by name."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names}
