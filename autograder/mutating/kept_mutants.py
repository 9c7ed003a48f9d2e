"""Keeps what `autograder mutate` has found, so that a run that was stopped goes on.

One file a lab in the course, `.verify/mutants_<lab>.jsonl`, a line for each mutant, written when
its fate is known. A line counts as long as the digest of all that decides on its question is the
same: a judge that was mended sends the mutants of its own question through again, and no others.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path

from autograder.course import Course, Lab, unwritable_error
from autograder.verifying.dependencies import digest_of_question
from autograder.verifying.kept_trials import FOLDER, append, open_kept, read_lines
from autograder.verifying.solutions import solved_cells

OWN, GENERAL, SURVIVED, UNDECIDED = "own", "general", "survived", "undecided"
"""Fates: killed by a finding of the question; by one of any question; not killed; no score."""


@dataclass(frozen=True)
class Fate:
    """What became of a mutant.

    Args:
        question_id: id of the question.
        digest: digest of the mutant's code.
        decided_by: digest of what decides on its question.
        fate: `OWN`, `GENERAL`, `SURVIVED` or `UNDECIDED`.
        code: code of the first finding, or "".
        score: what it earned, 0 to 1.
        draws: draws that it was judged with: 1 if the first one killed it.
        cpu_seconds: processor time, of all draws.
    """

    question_id: str
    digest: str
    decided_by: str
    fate: str
    code: str
    score: float
    draws: int
    cpu_seconds: float


class KeptMutants:
    """The fates of a lab's mutants, in their file.

    Args:
        file: the file, open for reading and appending, and locked.
        digests: what decides on each question.
    """

    def __init__(self, file: FileIO, digests: dict[str, str]) -> None:
        self._file, self._digests = file, digests
        found = [fate for line in read_lines(file) if (fate := _parse(line))]
        self.fates = {
            (fate.question_id, fate.digest): fate
            for fate in found
            if digests.get(fate.question_id) == fate.decided_by
        }

    def decided_by(self, question_id: str) -> str:
        """The digest of what decides on a question."""
        return self._digests[question_id]

    def keep(self, fate: Fate) -> None:
        """Write a fate at once: the run may be stopped at any moment.

        Raises:
            AuthorError: it can't be written, as on a full disk.
        """
        self.fates[fate.question_id, fate.digest] = fate
        try:  # the end of a line in front: one may have been cut
            append(self._file, "\n" + json.dumps(asdict(fate)))
        except OSError as error:
            raise unwritable_error(Path(str(self._file.name)), error) from error


@contextlib.contextmanager
def keep_mutants(course: Course, lab: Lab) -> Iterator[KeptMutants]:
    """Open the fates of a lab's mutants.

    Raises:
        AuthorError: another run holds them, or they can't be written.
    """
    path = course.root / FOLDER / f"mutants_{lab.id}.jsonl"
    try:
        path.parent.mkdir(exist_ok=True)
        file = open_kept(path)
    except OSError as error:
        raise unwritable_error(path, error) from error
    with file:
        yield KeptMutants(file, {name: _decided_by(lab, name) for name in lab.questions})


def _parse(line: str) -> Fate | None:
    try:
        return Fate(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _decided_by(lab: Lab, question_id: str) -> str:
    """SHA-256, hex, of all that decides on a question's mutants: probe, judge, cells, libraries."""
    parts = (digest_of_question(lab, question_id), *solved_cells(lab, question_id))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
