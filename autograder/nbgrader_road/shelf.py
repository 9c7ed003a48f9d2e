"""Where inputs, evidence and verdicts are kept: `evidence/<lab>/<student>/<question>.*`.

`.inputs` and `.evidence` are packets (`litcourse.packet`), `.json` is the verdict. With them a
question can be judged again without running anything.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Any

from litcourse.packet import MAX_BYTES, encode
from litcourse.question import Draw, Verdict


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
    folder: Path, draw: Draw, evidence: bytes | None, verdict: Verdict, known: dict[str, Any]
) -> None:
    """Write one question's files, in place of those of an earlier grading.

    Args:
        folder: the student's, made if it is not there, for its owner alone.
        draw: what the evidence was taken on.
        evidence: the packet, or None if there is none.
        verdict: what the judge said.
        known: further entries of the JSON file.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = verdict.question_id
    _write(folder / f"{name}.inputs", encode({"given": draw.given, "kept": draw.kept}))
    if evidence is None:
        (folder / f"{name}.evidence").unlink(missing_ok=True)
    else:
        _write(folder / f"{name}.evidence", evidence)
    plain = {
        "lab": verdict.lab,
        "question": name,
        "score": verdict.score,
        "findings": [asdict(finding) for finding in verdict.findings],
        **known,
    }
    text = json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False)
    _write(folder / f"{name}.json", (text + "\n").encode("utf-8", "replace"))


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
