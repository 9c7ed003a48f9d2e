"""The course secret, and the seeds that follow from it; nothing else reads it.

Inputs go into a student's process as values, never as a seed: the same submission always gets the
same ones, a changed one gets others.
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
    """The seed of the inputs on which one answer is graded.

    Args:
        root: the course folder, which holds the secret; it is made there on first use.
        student: id of the student.
        lab: id of the lab.
        question_id: id of the question.
        sha256: hex digest of all that was submitted and that the student's code can see.

    Raises:
        AuthorError: the secret can be read by other users, or is damaged.
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
    """Write a new secret; of several processes that try, on whichever machines, one wins."""
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
