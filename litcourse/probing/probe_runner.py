"""Runs a probe beside the student's code, silently and in a scratch folder. Judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litcourse.core.names import sort_by_similarity
from litcourse.core.namespace import NEIGHBOURS, Student
from litcourse.core.question import Question
from litcourse.core.tree import Tree
from litcourse.probing.attempts import attempt
from litcourse.probing.silenced import Printed, scratch_folder

_LARGEST_FILE = 2**20  # bytes; a program that a person writes has thousands


def take_evidence(
    question: Question,
    shown: dict[str, Tree],
    namespace: Mapping[str, Any],
    printed: Printed | None = None,
) -> Tree:
    """Run the probe beside the student's code.

    Args:
        question: the question.
        shown: the inputs that a student's code may see.
        namespace: the names that the notebook has defined so far.
        printed: gets what the student's code prints.

    Returns:
        the probe's evidence; `{"missing": ...}` if the notebook does not define a name,
        `{"no_file": ...}` if it did not write a file, and `{"error": ...}` if the student's code
        raised and the probe could not go on.
    """
    files = {name: text for name in question.files if (text := _read_text(Path(name))) is not None}
    unwritten = [name for name in question.files if name not in files]
    if unwritten:
        return {"no_file": {"name": unwritten[0], "there": _similar_files(unwritten[0])}}
    student = Student(namespace, files)
    missing = student.missing(question.defines)
    if missing is not None:
        return {"missing": missing}
    with scratch_folder(printed):
        return attempt(lambda: question.probe(shown, student), f"the check of {question.title!r}")


def _read_text(path: Path) -> str | None:
    """Text of a regular file of at most `_LARGEST_FILE` bytes, else None; line ends as they are."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            return None
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return None


def _similar_files(name: str) -> list[str]:
    """Files of the working folder with the suffix of `name`, the most similar names first."""
    names = [path.name for path in Path().iterdir() if path.suffix == Path(name).suffix]
    return sort_by_similarity(name, names)[:NEIGHBOURS]
