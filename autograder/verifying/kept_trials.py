"""Keeps what `autograder verify` has found, so that it runs what has changed since, and that alone.

One file a lab in the course, `.verify/<lab>.jsonl`, with a line for each trial, written when it
ends. A line counts as long as the digest of all that decides on its result is the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from autograder.course import AuthorError, Course, Lab

FOLDER = ".verify"
"""Folder in the course; git ignores it."""


Key = tuple[str, str, str, int]
"""A trial: lab, question, case and seed."""


@dataclass(frozen=True)
class Result:
    """The result of one case with one draw of inputs.

    Args:
        lab: id of the lab.
        question_id: id of the question.
        case: id of the case.
        seed: number of the draw; 0 is the public one.
        fault: one of `verify_summary.FAULTS`, or "".
        detail: text for the fault, or "".
        cpu_seconds: processor time.
    """

    lab: str
    question_id: str
    case: str
    seed: int
    fault: str
    detail: str
    cpu_seconds: float

    @property
    def key(self) -> Key:
        """The trial that it belongs to."""
        return self.lab, self.question_id, self.case, self.seed


class KeptTrials:
    """The results of labs, in their files.

    Args:
        files: the open file of each lab, by its id.
    """

    def __init__(self, files: Mapping[str, TextIO]) -> None:
        self._files = files
        self._results: dict[Key, tuple[str, Result]] = {}
        for file in files.values():
            self._results |= _load(file)

    def find(self, key: Key, decided_by: str) -> Result | None:
        """The result of a trial if all that decides on it is what it was.

        Args:
            key: the trial.
            decided_by: digest of all that decides on its result.
        """
        digest, result = self._results.get(key, ("", None))
        return result if digest == decided_by else None

    def keep(self, result: Result, decided_by: str) -> None:
        """Write a result at once: the run may be stopped at any moment."""
        file = self._files.get(result.lab)
        if file is not None:
            file.write(_line_of(decided_by, result))
            file.flush()


@contextlib.contextmanager
def keep_trials(course: Course, chosen: Sequence[Lab]) -> Iterator[KeptTrials]:
    """Open the results of `chosen`; a lab whose file can't be had has none, and is told of."""
    folder = course.root / FOLDER
    with contextlib.ExitStack() as stack:
        files: dict[str, TextIO] = {}
        for lab in chosen:
            path = folder / f"{lab.id}.jsonl"
            try:
                folder.mkdir(exist_ok=True, mode=0o700)  # who may read a file may lock it
                file = stack.enter_context(path.open("a+", encoding="utf-8"))
                lock(path, file)
            except (OSError, AuthorError) as error:
                print(f"results of {lab.id} are not kept: {error}", file=sys.stderr)  # noqa: T201 (the command's own words)
            else:
                files[lab.id] = file
        yield KeptTrials(files)


def lock(path: Path, file: TextIO) -> None:
    """Hold a file until it is closed.

    Raises:
        AuthorError: another run holds it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise AuthorError(path, "", "another run writes it", "wait for its end") from None


def _load(file: TextIO) -> dict[Key, tuple[str, Result]]:
    """The last result of each trial in a file; what is older than these is taken out of it."""
    file.seek(0)
    lines = file.read().split("\n")
    found = {entry[1].key: entry for entry in map(_parse, lines) if entry}
    if len(lines) > 2 * len(found) + 1:
        file.seek(0)
        file.truncate()
        file.writelines(_line_of(*entry) for entry in found.values())
    elif lines[-1]:
        file.write("\n")  # a line that was cut by a kill
    file.flush()
    return found


def _line_of(decided_by: str, result: Result) -> str:
    return json.dumps({"decided_by": decided_by, **asdict(result)}) + "\n"


def _parse(line: str) -> tuple[str, Result] | None:
    try:
        fields = json.loads(line)
        return fields.pop("decided_by"), Result(**fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
