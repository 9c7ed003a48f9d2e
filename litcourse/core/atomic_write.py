"""Writes a file so that a reader finds all of it or no file."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write `data` to `<path>.part`, a new file, then rename that to `path`.

    Args:
        path: the file.
        data: its bytes.
        durable: whether the data must survive a power cut; fsync takes milliseconds.

    Raises:
        OSError: the file can't be written; `<path>.part` is removed.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)  # of a killed run; or a link that somebody else put there
        with part.open("xb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
