"""Runs a probe beside the student's code, in a folder of its own and silently.

Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litcourse.core.names import sort_by_similarity
from litcourse.core.namespace import NEIGHBOURS, Student
from litcourse.core.question import Question
from litcourse.core.tree import Tree
from litcourse.probing.attempts import attempt
from litcourse.probing.silenced import scratch_folder

_LARGEST_FILE = 2**20  # bytes; a program that somebody wrote has thousands


def take_evidence(question: Question, shown: dict[str, Tree], namespace: Mapping[str, Any]) -> Tree:
    """Run the probe beside the student's code.

    Returns:
        what the probe measured; `{"missing": ...}` if a name is not defined, `{"no_file": ...}`
        if a file is not there, and `{"error": ...}` if the student's code raised where the probe
        can't go on.
    """
    files = {name: text for name in question.files if (text := _read_text(Path(name))) is not None}
    unwritten = [name for name in question.files if name not in files]
    if unwritten:
        return {"no_file": {"name": unwritten[0], "there": _similar_files(unwritten[0])}}
    student = Student(namespace, files)
    missing = student.missing(question.defines)
    if missing is not None:
        return {"missing": missing}
    with scratch_folder():
        return attempt(lambda: question.probe(shown, student), f"the check of {question.title!r}")


def _read_text(path: Path) -> str | None:
    """Text of a plain file of reasonable size, else None."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            return None
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _similar_files(name: str) -> list[str]:
    """Files of the working folder that may have been meant."""
    own = [path.name for path in Path().iterdir() if path.suffix == Path(name).suffix]
    return sort_by_similarity(name, own)[:NEIGHBOURS]
