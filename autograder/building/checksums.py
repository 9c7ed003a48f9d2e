"""SHA256SUMS in `release/`: which files of it a build wrote, and with which bytes.

What a build did not write, or what was changed since, may be somebody's work: a student who works
in the folder itself. Such a file is never replaced and never removed.

The student wheel is not listed. The list is committed and the wheel is not, so the list would
name a file that a bare clone lacks, and change with each change of `litcourse/`. A build knows
its wheel by the name alone: nobody writes answers into a wheel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from autograder.building.wheel import is_student_wheel

NAME = "SHA256SUMS"
"""The file, as `sha256sum` writes it and `sha256sum --check` reads it."""


def read(release: Path) -> dict[str, str]:
    """SHA-256 by name, hex; empty where there is no such file."""
    path = release / NAME
    if not path.is_file():
        return {}
    lines = (line.partition("  ") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: digest for digest, _, name in lines if name}


def write(release: Path, names: Iterable[str], others: Mapping[str, str]) -> None:
    """Note the bytes that the files `names` have now, and keep what is known of `others`.

    Student wheels are left out, and go away where an older list has them.
    """
    digests = {**others, **{name: _digest(release / name) for name in names}}
    listed = sorted(name for name in digests if not is_student_wheel(name))
    lines = (f"{digests[name]}  {name}\n" for name in listed)
    (release / NAME).write_text("".join(lines), encoding="utf-8")


def is_ours(release: Path, name: str, known: Mapping[str, str]) -> bool:
    """Whether a build wrote the file that is there now, by what `read` found."""
    if is_student_wheel(name):
        return True
    return name in known and _digest(release / name) == known[name]


def matches(release: Path, names: Iterable[str]) -> bool:
    """Whether the list tells of the files `names` what they are, and of no student wheel."""
    known = read(release)
    if any(map(is_student_wheel, known)):
        return False
    return all(is_ours(release, name, known) for name in names if (release / name).is_file())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
