"""Stores one record per submission: its result, and whether that is written to the gradebook.

In `evidence/<lab>/<student>/`, beside the evidence, `_graded.ipynb` is the graded notebook and
`_grading.json` the record, which is written last. Ids of questions never begin with an underscore.
A record without its own notebook does not count, so a run that is killed at any moment leaves
either the old result or the new one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from litcourse.core.atomic_write import write_atomically

RECORD, NOTEBOOK = "_grading.json", "_graded.ipynb"
GRADED, FAILED = "graded", "failed"
"""States: scored, or without a score because grading failed."""
GRADE, REJUDGE = "grade", "rejudge"
"""Causes of a result: a run of the submission, or another judgement of its evidence."""
_HISTORY_FIELDS = ("graded_at", "state", "submission", "timestamp", "points", "maximum",
         "undecided", "findings",
         "detail", "sandbox", "cause")  # fmt: skip
_RESULT_FIELDS = ("state", "submission", "points", "maximum", "undecided", "findings")


@dataclass
class Record:
    """The result of one submission.

    Args:
        lab: id of the lab.
        student: id of the student.
        fingerprint: `Contents.fingerprint` of its files; "" if not known.
        submission: SHA-256, hex, from which the inputs follow: `digest_submission`, or the digest
            of the notebook's bytes if it could not be read.
        timestamp: time of submission, as nbgrader's exchange wrote it, or "".
        state: `GRADED` or `FAILED`.
        cause: `GRADE` or `REJUDGE`.
        graded_at: time of the result, UTC.
        points: automatic points by question id, without the questions in `undecided`.
        undecided: by question id, why a person has to decide.
        maximum: maximum points by question id.
        findings: codes by question id, without the questions that have none.
        notices: codes of the notices.
        suspicious_imports: modules of `litcourse` that it names and the lab does not.
        place: path of the notebook in the submission, if it was not in its place; else "".
        detail: why grading failed, or what is wrong with the file, or "".
        seconds: wall time of grading.
        cpu_seconds: processor time of grading.
        student_seconds: processor time of the student's cells and of the probes.
        sandbox: whether the code ran in the sandbox.
        notebook: SHA-256 of `_graded.ipynb`, hex.
        written: whether it is in the gradebook and in `autograded/`.
        feedback: whether it is in `feedback/`.
        page: `gradebook.read_shown` of the page in `feedback/`, or "".
        history: earlier results that were written, oldest first.
        tries: number of tries, if `autograder collect` keeps them; else 0.
        try_key: the try that it is of, or "".
        held_back: ids of the questions that nobody got a score for, see `canary`; the next run
            grades the submission again.
    """

    lab: str
    student: str
    fingerprint: str = ""
    submission: str = ""
    timestamp: str = ""
    state: str = GRADED
    cause: str = GRADE
    graded_at: str = ""
    points: dict[str, float] = field(default_factory=dict)
    maximum: dict[str, float] = field(default_factory=dict)
    undecided: dict[str, str] = field(default_factory=dict)
    findings: dict[str, list[str]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    suspicious_imports: list[str] = field(default_factory=list)
    place: str = ""
    detail: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    student_seconds: float = 0.0
    sandbox: bool = True
    notebook: str = ""
    written: bool = False
    feedback: bool = False
    page: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    held_back: list[str] = field(default_factory=list)
    tries: int = 0
    try_key: str = ""

    @property
    def total(self) -> float:
        """Sum of the automatic points."""
        return round(sum(self.points.values()), 4)

    @property
    def full_marks(self) -> bool:
        """Whether every question earned all its points."""
        return self.points == self.maximum

    def follow(self, earlier: Record | None) -> None:
        """Take over the history of `earlier`, which this record replaces."""
        if earlier is None:
            return
        self.history = list(earlier.history)
        if earlier.written and any(getattr(earlier, n) != getattr(self, n) for n in _RESULT_FIELDS):
            self.history.append({name: getattr(earlier, name) for name in _HISTORY_FIELDS})


class RecordStore:
    """The records of a course.

    Args:
        folder: `evidence/`, or another folder by `GradeEvidence.folder`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self, lab: str, student: str) -> Path:
        """The folder of one student's evidence and record."""
        return self._folder / lab / student

    def load(self, lab: str, student: str) -> Record | None:
        """The record, or None if there is no readable one."""
        try:
            text = (self.folder(lab, student) / RECORD).read_text(encoding="utf-8")
            plain = json.loads(text)
            names = {f.name for f in fields(Record)}
            return Record(**{name: value for name, value in plain.items() if name in names})
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def notebook(self, record: Record) -> str | None:
        """The graded notebook that belongs to `record`, or None."""
        try:
            data = (self.folder(record.lab, record.student) / NOTEBOOK).read_bytes()
        except OSError:
            return None
        return data.decode() if hashlib.sha256(data).hexdigest() == record.notebook else None

    def keep(self, record: Record, notebook: str) -> None:
        """Write a new result: first the notebook, then the record."""
        data = notebook.encode()
        record.notebook = hashlib.sha256(data).hexdigest()
        record.graded_at = datetime.now(UTC).isoformat(timespec="seconds")
        folder = self.folder(record.lab, record.student)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in folder.glob("_*.part"):
            left.unlink()
        write_atomically(folder / NOTEBOOK, data, durable=True)
        self.update(record)

    def update(self, record: Record) -> None:
        """Write `record` in place of the earlier one, without its notebook."""
        text = json.dumps(asdict(record), indent=1, ensure_ascii=True)
        write_atomically(
            self.folder(record.lab, record.student) / RECORD, (text + "\n").encode(), durable=True
        )
