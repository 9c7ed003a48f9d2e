"""Packs the students' archive: one file with all that they need, the same bytes each time."""

from __future__ import annotations

import zipfile
from pathlib import Path

import litcourse

FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""Time stamp of every member: the earliest that a zip can hold."""


def pack_students(release: Path, folder: Path) -> Path:
    """Pack a release into `folder/lightning-course-<version>.zip`; returns its path.

    Args:
        release: a folder that a build has just made: all its files are packed.
        folder: folder of the archive, made if it is missing. It must hold nothing else, because a
            person hands out what it holds.
    """
    top = f"lightning-course-{litcourse.__version__}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{top}.zip"
    names = sorted(p.relative_to(release).as_posix() for p in release.rglob("*") if p.is_file())
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            # One folder on top keeps the files together wherever they are unpacked.
            add_member(archive, f"{top}/{name}", (release / name).read_bytes())
    return path


def add_member(archive: zipfile.ZipFile, name: str, data: bytes, *, program: bool = False) -> None:
    """Add a file without its time and mode, so that two builds give the same bytes."""
    info = zipfile.ZipInfo(name, FIRST_DAY)
    info.external_attr = (0o755 if program else 0o644) << 16
    archive.writestr(info, data, zipfile.ZIP_DEFLATED)
