"""SHA256SUMS in `release/`: the files that a build wrote, with their digests.

A file that no build wrote, or that has changed since, may be the work of a student in that folder.
A build never replaces or removes it.

The list leaves out the student wheel. The list is committed and the wheel is not, so the list would
name a file that a bare clone lacks, and change with each change of `litcourse/`. A build recognizes
its wheel by the name: nobody writes answers into a wheel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from autograder.building.wheel import is_student_wheel

NAME = "SHA256SUMS"
"""The file, in the format of `sha256sum` and `sha256sum --check`."""


def read(release: Path) -> dict[str, str]:
    """The listed SHA-256, hex, by name; empty if there is no list."""
    path = release / NAME
    if not path.is_file():
        return {}
    lines = (line.partition("  ") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: digest for digest, _, name in lines if name}


def write(release: Path, names: Iterable[str], others: Mapping[str, str]) -> None:
    """List the files `names` with their digests of now, and `others` with those given.

    Student wheels are left out, also those of an older list.
    """
    digests = {**others, **{name: _digest(release / name) for name in names}}
    listed = sorted(name for name in digests if not is_student_wheel(name))
    lines = (f"{digests[name]}  {name}\n" for name in listed)
    (release / NAME).write_text("".join(lines), encoding="utf-8")


def is_ours(release: Path, name: str, known: Mapping[str, str]) -> bool:
    """Whether a build wrote the present file, by the digests `known` from `read`."""
    if is_student_wheel(name):
        return True
    return name in known and _digest(release / name) == known[name]


def matches(release: Path, names: Iterable[str]) -> bool:
    """Whether the list has the right digests of the files `names`, and no student wheel."""
    known = read(release)
    if any(map(is_student_wheel, known)):
        return False
    return all(is_ours(release, name, known) for name in names if (release / name).is_file())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
