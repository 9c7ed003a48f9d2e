"""Keeps what `autograder verify` has found, so that it runs what has changed since, and that alone.

One file a lab in the course, `.verify/<lab>.jsonl`, with a line for each trial, written when it
ends. A line counts as long as the digest of all that decides on its result is the same.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path

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
        files: the open file of each lab, by its id; a lab without one is not kept.
        results: the digest and the result of each trial that is in the files.
    """

    def __init__(self, files: dict[str, FileIO], results: Mapping[Key, tuple[str, Result]]) -> None:
        self._files, self._results = files, results

    def find(self, key: Key, decided_by: str) -> Result | None:
        """The result of a trial if all that decides on it is what it was.

        Args:
            key: the trial.
            decided_by: digest of all that decides on its result.
        """
        digest, result = self._results.get(key, ("", None))
        return result if digest == decided_by else None

    def keep(self, result: Result, decided_by: str) -> None:
        """Write a result at once: the run may be stopped at any moment.

        If that fails, as on a full disk, it says so and keeps no more of this lab.
        """
        if result.lab not in self._files:
            return
        try:
            append(self._files[result.lab], _line_of(decided_by, result))
        except OSError as error:
            _tell(result.lab, error)
            del self._files[result.lab]


@contextlib.contextmanager
def keep_trials(course: Course, chosen: Sequence[Lab]) -> Iterator[KeptTrials]:
    """Open the results of `chosen`; a lab whose file can't be had has none, and is told of."""
    folder = course.root / FOLDER
    files: dict[str, FileIO] = {}
    results: dict[Key, tuple[str, Result]] = {}
    with contextlib.ExitStack() as stack:
        for lab in chosen:
            try:
                folder.mkdir(exist_ok=True, mode=0o700)  # who may read a file may lock it
                file = stack.enter_context(open_kept(folder / f"{lab.id}.jsonl"))
                results |= _load(file)
            except (OSError, AuthorError) as error:
                _tell(lab.id, error)
            else:
                files[lab.id] = file
        yield KeptTrials(files, results)


def open_kept(path: Path) -> FileIO:
    """Open a file for reading and appending, and hold it until it is closed.

    Nothing is buffered: a disk that is full is told of by the write, and not by the close.

    Raises:
        AuthorError: another run holds it.
        OSError: it can't be opened.
    """
    file = path.open("a+b", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise AuthorError(path, "", "another run writes it", "wait for its end") from None
    return file


def read_lines(file: FileIO) -> list[str]:
    """The lines of a kept file, from its beginning."""
    file.seek(0)
    return file.read().decode("utf-8", "replace").split("\n")


def append(file: FileIO, text: str) -> None:
    """Write at the end of a kept file.

    Raises:
        OSError: not all of it could be written.
    """
    data = text.encode()
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _tell(lab: str, error: Exception) -> None:
    print(f"results of {lab} are not kept: {error}", file=sys.stderr)  # noqa: T201 (the command's own words)


def _load(file: FileIO) -> dict[Key, tuple[str, Result]]:
    """The last result of each trial in a file; what is older than these is taken out of it."""
    lines = read_lines(file)
    found = {entry[1].key: entry for entry in map(_parse, lines) if entry}
    if len(lines) > 2 * len(found) + 1:
        file.truncate(0)
        append(file, "".join(_line_of(*entry) for entry in found.values()))
    elif lines[-1]:
        append(file, "\n")  # a line that was cut by a kill
    return found


def _line_of(decided_by: str, result: Result) -> str:
    return json.dumps({"decided_by": decided_by, **asdict(result)}) + "\n"


def _parse(line: str) -> tuple[str, Result] | None:
    try:
        fields = json.loads(line)
        return fields.pop("decided_by"), Result(**fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
