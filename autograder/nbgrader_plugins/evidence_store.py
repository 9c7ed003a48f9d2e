"""Stores inputs, evidence and verdicts: `evidence/<lab>/<student>/<question>.*`.

`litcourse.core.serialization` encodes `.inputs` and `.evidence`; `.json` is the verdict. They allow
to judge the question again without a run. The verdict is written last and holds the digests of the
other two, so that files of two gradings never pass for those of one.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.nbgrader_plugins.judge_client import Judgement
from litcourse.core.atomic_write import write_atomically
from litcourse.core.serialization import MAX_BYTES


def read_untrusted(path: Path) -> bytes:
    """The bytes of a file that a student's process wrote.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it is too large, a link, or no plain file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "the evidence is no plain file")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(0, f"the evidence has more than {MAX_BYTES} bytes")
    return data


def make_private(folder: Path) -> None:
    """Make `folder`, and what is missing above it, for this account alone.

    Path.mkdir closes only the last one; whoever can read a folder can lock the files in it.
    """
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)


def keep(
    folder: Path, inputs: bytes, evidence: bytes | None, verdict: Judgement, entries: dict[str, Any]
) -> dict[str, Any]:
    """Write one question's files, in place of those of an earlier grading.

    Args:
        folder: the student's folder; made with mode 0700 if it is missing.
        inputs: `EncodedInputs.all_inputs`, on which the evidence was taken.
        evidence: encoded, or None if there is none.
        verdict: the judge's verdict.
        entries: further entries of the JSON file.

    Returns:
        the entries of the JSON file.
    """
    make_private(folder)
    name = verdict.question_id
    write_atomically(folder / f"{name}.inputs", inputs)
    if evidence is None:
        (folder / f"{name}.evidence").unlink(missing_ok=True)
    else:
        write_atomically(folder / f"{name}.evidence", evidence)
    digests = {"inputs": _digest(inputs), "evidence": _digest(evidence)}
    return _write_verdict(folder, verdict, {**entries, "sha256": digests})


@dataclass(frozen=True)
class StoredEvidence:
    """Inputs, evidence and verdict of one question, from an earlier grading.

    Args:
        inputs: `EncodedInputs.all_inputs`, on which the evidence was taken.
        evidence: encoded, or None if there is none.
        entries: the entries of the JSON file.
    """

    inputs: bytes
    evidence: bytes | None
    entries: dict[str, Any]


def load(folder: Path, question_id: str) -> StoredEvidence:
    """Read the files that `keep` wrote for one question.

    Raises:
        ValueError: files are missing, damaged, or of two gradings; the message says which.
    """
    try:
        entries = json.loads((folder / f"{question_id}.json").read_bytes())
        inputs = (folder / f"{question_id}.inputs").read_bytes()
        path = folder / f"{question_id}.evidence"
        evidence = path.read_bytes() if path.exists() else None
        if entries.get("sha256") != {"inputs": _digest(inputs), "evidence": _digest(evidence)}:
            raise ValueError(f"the files of {question_id} are not of one grading")
        return StoredEvidence(inputs, evidence, entries)
    except (OSError, LookupError, TypeError, AttributeError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise ValueError(f"the files of {question_id} can't be read: {detail}") from error


def replace_verdict(
    folder: Path, stored: StoredEvidence, verdict: Judgement, entries: dict[str, Any]
) -> dict[str, Any]:
    """Write another verdict on the same evidence.

    Args:
        folder: the student's folder.
        stored: the files there, from `load`.
        verdict: the new verdict.
        entries: other entries of the JSON file that change.

    Returns:
        the new entries of the JSON file.
    """
    return _write_verdict(folder, verdict, {**stored.entries, **entries})


def _write_verdict(folder: Path, verdict: Judgement, entries: dict[str, Any]) -> dict[str, Any]:
    content = {
        **entries,
        "lab": verdict.lab,
        "question": verdict.question_id,
        "score": verdict.score,
        "undecided": verdict.undecided,
        "marks": verdict.marks,
        "findings": verdict.findings,
    }
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    write_atomically(
        folder / f"{verdict.question_id}.json", (text + "\n").encode("utf-8", "replace")
    )
    return content


def _digest(data: bytes | None) -> str:
    return "" if data is None else hashlib.sha256(data).hexdigest()
