"""Where inputs, evidence and verdicts are kept: `evidence/<lab>/<student>/<question>.*`.

`.inputs` and `.evidence` are of `litcourse.core.serialization`, `.json` is the verdict. With them a
question can be judged again without running anything. The verdict is written last and holds
the digests of the other two, so that files of two gradings are never taken for one.
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
        FileNotFoundError: there is none.
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


def keep(
    folder: Path, inputs: bytes, evidence: bytes | None, verdict: Judgement, entries: dict[str, Any]
) -> dict[str, Any]:
    """Write one question's files, in place of those of an earlier grading.

    Args:
        folder: the student's, made if it is not there, for its owner alone.
        inputs: `EncodedInputs.all_inputs` of what the evidence was taken on.
        evidence: encoded, or None if there is none.
        verdict: what the judge said.
        entries: further entries of the JSON file.

    Returns:
        what the JSON file holds.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
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
    """What an earlier grading left of one question.

    Args:
        inputs: `EncodedInputs.all_inputs` of what the evidence was taken on.
        evidence: encoded, or None if there is none.
        entries: what the JSON file holds.
    """

    inputs: bytes
    evidence: bytes | None
    entries: dict[str, Any]


def load(folder: Path, question_id: str) -> StoredEvidence:
    """What `keep` wrote of one question.

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
        folder: the student's.
        stored: what `load` found there.
        verdict: what the judge says now.
        entries: entries of the JSON file that changed with it.

    Returns:
        what the JSON file holds now.
    """
    return _write_verdict(folder, verdict, {**stored.entries, **entries})


def _write_verdict(folder: Path, verdict: Judgement, entries: dict[str, Any]) -> dict[str, Any]:
    content = {
        **entries,
        "lab": verdict.lab,
        "question": verdict.question_id,
        "score": verdict.score,
        "findings": verdict.findings,
    }
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    write_atomically(
        folder / f"{verdict.question_id}.json", (text + "\n").encode("utf-8", "replace")
    )
    return content


def _digest(data: bytes | None) -> str:
    return "" if data is None else hashlib.sha256(data).hexdigest()
