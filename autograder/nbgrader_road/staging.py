"""What a kernel finds beside the notebook, and the digest that the inputs are drawn for.

The inputs of a question follow from all that a student can change and their code can see. If
they followed from the notebook alone, a file beside it could be filled with answers that the
feedback on an earlier submission of the same notebook told.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath

from autograder.grading.submissions import TIMESTAMP, Contents, lay_out


def stage(files: Path, work: Path) -> None:
    """Copy what a kernel may see into the new folder `work`, and of it no more than bytes.

    Modes and times are not copied: a file could say something by them that no digest holds.
    """
    work.mkdir()
    lay_out(visible(files), work)


def visible(files: Path) -> dict[str, Path]:
    """Files in `files` by name, without notebooks and without the time of handing in."""
    found = {}
    for place, folders, names in os.walk(files):
        folders[:] = [name for name in folders if not name.endswith(".ipynb")]
        for name in names:
            path = Path(place, name)
            relative = str(PurePosixPath(path.relative_to(files)))
            if not name.endswith(".ipynb") and relative != TIMESTAMP:
                found[relative] = path
    return found


def sealed(notebook: str, files: Path) -> str:
    """SHA-256, hex, of a notebook's digest and of names and bytes of the files that go with it.

    Args:
        notebook: SHA-256 of the notebook's bytes, hex.
        files: folder with the files.
    """
    beside = Contents(visible(files)).fingerprint()
    return hashlib.sha256(f"{notebook} {beside}".encode()).hexdigest()
