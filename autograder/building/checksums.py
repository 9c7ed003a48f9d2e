"""SHA256SUMS in `release/`: which files of it a build wrote, and with which bytes.

What a build did not write, or what was changed since, may be somebody's work: a student who works
in the folder itself. Such a file is never replaced and never removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

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
    """Note the bytes that the files `names` have now, and keep what is known of `others`."""
    all_known = {**others, **{name: _digest(release / name) for name in names}}
    lines = (f"{digest}  {name}\n" for name, digest in sorted(all_known.items()))
    (release / NAME).write_text("".join(lines), encoding="utf-8")


def is_ours(release: Path, name: str, known: Mapping[str, str]) -> bool:
    """Whether a build wrote the file that is there now, by what `read` found."""
    return name in known and _digest(release / name) == known[name]


def fits(release: Path, names: Iterable[str]) -> bool:
    """Whether the list tells of the files `names` what they are."""
    known = read(release)
    return all(is_ours(release, name, known) for name in names if (release / name).is_file())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
