"""Keeps what `autograder verify --resume` has found, so that many draws can be done in pieces.

One file a lab in the course, `.verify/<lab>.jsonl`: first the digest of the code by which its
results were made, then a line for each trial, written when it ends. With another digest it starts
anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from pathlib import Path

import litcourse
from autograder import bank
from autograder.course import AuthorError, Course, Lab, unwritable_error
from litcourse import labs

FOLDER = ".verify"
"""Folder in the course; git ignores it."""
PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "numpy")
"""Libraries whose versions decide on results, too."""


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
    def key(self) -> tuple[str, str, str, int]:
        """The trial that it belongs to."""
        return self.lab, self.question_id, self.case, self.seed


class KeptTrials:
    """The results of labs, in their files.

    Args:
        results: those of earlier runs.
        notes: a line for each lab, of what was found there.
        files: the open file of each lab.
    """

    def __init__(
        self, results: Sequence[Result], notes: list[str], files: dict[str, TextIOWrapper]
    ) -> None:
        self.results = {result.key: result for result in results}
        self.notes, self._files = notes, files

    def keep(self, result: Result) -> None:
        """Write a result at once: the run may be stopped at any moment."""
        file = self._files[result.lab]
        file.write(json.dumps(asdict(result)) + "\n")
        file.flush()


@contextlib.contextmanager
def keep_trials(course: Course, chosen: Sequence[Lab]) -> Iterator[KeptTrials]:
    """Open the results of `chosen`.

    Raises:
        AuthorError: another run holds them, or they can't be written.
    """
    folder = course.root / FOLDER
    with contextlib.ExitStack() as stack:
        kept = KeptTrials([], [], {})
        for lab in chosen:
            path = folder / f"{lab.id}.jsonl"
            try:
                folder.mkdir(exist_ok=True, mode=0o700)  # who may read a file may lock it
                file = stack.enter_context(path.open("a+", encoding="utf-8"))
            except OSError as error:
                raise unwritable_error(path, error) from error
            lock(path, file)
            found = _load(file, path, digest_of(lab), kept.notes)
            kept.results |= {result.key: result for result in found}
            kept._files[lab.id] = file  # noqa: SLF001 (of this module)
        yield kept


def lock(path: Path, file: TextIOWrapper) -> None:
    """Hold a file until it is closed.

    Raises:
        AuthorError: another run holds it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        fault, step = "another run writes it", "wait for its end, or run without --resume"
        raise AuthorError(path, "", fault, step) from None


def _load(file: TextIOWrapper, path: Path, digest: str, notes: list[str]) -> list[Result]:
    """The results in a file; it is emptied if they were made by other code."""
    file.seek(0)
    head, *lines = file.read().split("\n")
    if head == digest:
        found = [result for result in map(_parse, lines) if result]
        file.write("\n" if lines and lines[-1] else "")  # a line that was cut by a kill
        notes.append(f"{path}: {len(found)} trials are done")
        return found
    if head:
        notes.append(f"{path}: the code has changed since, so it starts anew")
    file.seek(0)
    file.truncate()
    file.write(f"{digest}\n")
    file.flush()
    return []


def _parse(line: str) -> Result | None:
    try:
        return Result(**json.loads(line))
    except (ValueError, TypeError):
        return None


def digest_of(lab: Lab) -> str:
    """SHA-256, hex, of all that decides on a lab's results, with the versions of its libraries."""
    places = [Path(litcourse.__file__).parent, Path(__file__).parent]
    places += [Path(place) / lab.id for place in (*labs.__path__, *bank.__path__)]
    paths = sorted(p for place in places for p in place.rglob("*") if p.is_file())
    found = hashlib.sha256()
    for path in [lab.path, *(p for p in paths if "__pycache__" not in p.parts)]:
        found.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found.update(f"{name} {version(name)}\n".encode())
    found.update(f"{platform.python_version()} {platform.machine()}".encode())
    return found.hexdigest()
