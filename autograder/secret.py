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
import stat
import tempfile
from pathlib import Path

from autograder.course import AuthorError

SECRET_FILE = ".course-secret"  # noqa: S105 (its name, not the secret)
SECRET_BYTES = 32
_OTHER_USERS, _GROUP_READS = 0o077, 0o040


def is_shared(root: Path) -> bool:
    """Whether a group shares the course: whether it may write in the course's folder."""
    return bool(root.stat().st_mode & stat.S_IWGRP)


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
    status, shared = path.stat(), is_shared(root)
    others = _OTHER_USERS & ~_GROUP_READS if shared else _OTHER_USERS
    if status.st_mode & others:
        fault = "other users of this machine may read the course secret"
        raise AuthorError(path, "", fault, f"chmod {640 if shared else 600} {path}")
    try:
        data = path.read_bytes()
    except PermissionError:
        fault = "it belongs to another account, and you may not read it"
        step = "work as that account, or share the course with a group (docs/term.md)"
        raise AuthorError(path, "", fault, step) from None
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
