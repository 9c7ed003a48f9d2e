"""Writing a file so that whoever looks finds all of it or nothing."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write `data` to `path` by way of `<path>.part`, which is gone afterwards.

    Args:
        path: the file.
        data: its bytes.
        durable: whether it has to outlive a power cut; that takes milliseconds.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
