"""The course secret and the seeds that follow from it; no other module reads the secret.

The same submission always gets the same inputs, a changed one gets others. A student's process
gets the values, never the seed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from pathlib import Path

from autograder.course import AuthorError

SECRET_FILE = ".course-secret"  # noqa: S105 (its name, not the secret)
SECRET_BYTES = 32
_OTHER_USERS = 0o077


def seed_for(root: Path, student: str, lab: str, question_id: str, sha256: str) -> int:
    """The seed of the inputs with which one answer is graded.

    Args:
        root: the course folder, which holds the secret; first use makes one.
        student: id of the student.
        lab: id of the lab.
        question_id: id of the question.
        sha256: hex digest of the notebook and the files that the student's code can see.

    Raises:
        AuthorError: other users can read the secret, or it is damaged.
    """
    message = json.dumps([student, lab, question_id, sha256]).encode()
    digest = hmac.new(_read_secret(root), message, hashlib.sha256).digest()
    return int.from_bytes(digest, "big")


def _read_secret(root: Path) -> bytes:
    path = root / SECRET_FILE
    if not path.exists():
        _make_secret(path)
    if path.stat().st_mode & _OTHER_USERS:
        fault = "other users of this machine may read the course secret"
        raise AuthorError(path, "", fault, f"chmod 600 {path}")
    data = path.read_bytes()
    if len(data) != SECRET_BYTES:
        fault = f"the course secret has {len(data)} bytes in place of {SECRET_BYTES}"
        raise AuthorError(path, "", fault, "restore it from a backup, or delete it for a new one")
    return data


def _make_secret(path: Path) -> None:
    """Write a new secret; if several processes do, on any machines, the first one's stays."""
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mode 0600
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
        path.hardlink_to(part)
    except FileExistsError:
        pass
    finally:
        part.unlink()
