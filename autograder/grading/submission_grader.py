"""Grades one submission, gives it up, or judges it again; runs in a worker.

It leaves the gradebook alone. Its results go to `evidence/` (see `records`).
"""

from __future__ import annotations

import copy
import errno
import json
import logging
import resource
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode

from autograder.course import CHECK, AuthorError, Lab, grade_id
from autograder.engine.client import scratch
from autograder.engine.judge_server import NOT_LOOKED_AT
from autograder.engine.limits import Limits
from autograder.engine.machine_faults import NO_ROOM
from autograder.engine.user_quotas import find_exhausted
from autograder.grading.records import FAILED, GRADE, REJUDGE, Record
from autograder.grading.reporting.suspicious_imports import find_suspicious_imports
from autograder.grading.settings import CourseSettings
from autograder.nbgrader_plugins import canary, evidence_store, submission_metadata
from autograder.nbgrader_plugins.execute import ALONE, SKIPPED
from autograder.nbgrader_plugins.failures import judge_answer
from autograder.nbgrader_plugins.grade import format_head, is_check, write_score
from autograder.nbgrader_plugins.judge_client import Judgement
from autograder.nbgrader_plugins.penalties import EVIDENCE
from autograder.nbgrader_plugins.sanitize import sanitize
from autograder.nbgrader_plugins.submission_metadata import KEY, Context, SubmissionMetadata
from autograder.nbgrader_plugins.submissions import reading, submission_files
from autograder.nbgrader_plugins.submissions.locate import locate

GIVE_UP, CANARY = "give up", "canary"
DONE, SAME, BROKEN, AUTHOR, FULL = "done", "same", "broken", "author", "full"
"""Outcomes of a task: a new result; the same result as before; an error; an error that the
instructor has to mend; a full disk."""
FAILURE, UNREADABLE = "LIT950", "LIT903"
_SUBMISSION_FIELDS = (
    "fingerprint", "timestamp", "state", "detail", "seconds", "cpu_seconds",
    "student_seconds", "sandbox", "suspicious_imports", "place",
)  # fmt: skip
"""Fields of a record that another judgement of the same submission does not change."""
_log = logging.getLogger(__name__)


def describe_full_disk(error: OSError) -> str:
    """A message for an error whose number is in `NO_ROOM`."""
    if error.errno != errno.EROFS:
        return f"the disk is full: {error}"
    folder = error.filename or "the course"
    return f"{folder} can't be written: {error.strerror}"


@dataclass(frozen=True)
class PreparedLab:
    """A lab with its student notebook.

    Args:
        lab: the lab.
        unsolved: its notebook as students get it.
    """

    lab: Lab
    unsolved: NotebookNode


@dataclass(frozen=True)
class Task:
    """A submission and the action on it.

    Args:
        action: `GRADE`, `GIVE_UP`, `REJUDGE` or `CANARY`, which grades the solution of the lab.
        lab: id of the lab.
        student: id of the student.
        detail: why it is given up.
        penalty: whether to assign the late penalty again, even if the points stay.
        alone: whether no other task runs meanwhile.
        skipped: ids of the questions that nobody gets a score for.
    """

    action: str
    lab: str
    student: str
    detail: str = ""
    penalty: bool = False
    alone: bool = False
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "skipped", tuple(self.skipped))  # JSON made a list of it


@dataclass(frozen=True)
class Reply:
    """A worker's reply about a task.

    Args:
        outcome: `DONE`, `SAME`, `BROKEN`, `AUTHOR` or `FULL`.
        detail: the error, or "".
        before: for a rejudge, the points before it, by question id.
        failed: for a canary, what went wrong, by question id.
    """

    outcome: str
    detail: str = ""
    before: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class SubmissionGrader:
    """Does tasks, one after another.

    Args:
        settings: the course's settings.
        labs: the labs, by id.
    """

    def __init__(self, settings: CourseSettings, labs: dict[str, PreparedLab]) -> None:
        self._settings, self._labs = settings, labs
        self._sanitizing = settings.chain(settings.sanitizing)
        self._running = settings.chain(settings.running)

    def run(self, task: Task) -> Reply:
        """Do one task. Every `Exception` becomes a reply."""
        actions = {GRADE: self._grade, GIVE_UP: self._give_up, REJUDGE: self._rejudge,
                   CANARY: self._fly_canary}  # fmt: skip
        try:
            return actions[task.action](task)
        except AuthorError as error:
            return Reply(AUTHOR, str(error))
        except OSError as error:
            # epoll has the same number for a user that has no watches left.
            if error.errno in NO_ROOM and not find_exhausted(Limits().open_files):
                return Reply(FULL, describe_full_disk(error))
            return self._broken_reply(task, error)
        except Exception as error:  # noqa: BLE001 (the other submissions have to be graded)
            return self._broken_reply(task, error)

    def _broken_reply(self, task: Task, error: Exception) -> Reply:
        _log.warning("%s, %s: %s failed", task.lab, task.student, task.action, exc_info=error)
        line = (str(error).strip() or "no message").splitlines()[0][:300]
        return Reply(BROKEN, f"{type(error).__name__}: {line}")

    def _grade(self, task: Task) -> Reply:
        prepared = self._labs[task.lab]
        course = self._settings.course
        submitted = self._settings.submitted_folder(task.lab, task.student)
        scanned = submission_files.scan(course, submitted)
        record = self._record(task, scanned.fingerprint(), scanned.timestamp)
        with (
            locate(course, submitted, prepared.unsolved, task.lab) as found,
            tempfile.TemporaryDirectory(prefix="submission-", dir=scratch()) as folder,
        ):
            files, sent_files = Path(folder), found.contents.files
            staged = submission_files.add_master_files(
                self._settings.converter, task.lab, sent_files
            )
            here = {n: p for n, p in sent_files.items() if n.endswith(".ipynb")}
            submission_files.copy_files(staged | here, files)
            sent = reading.read(files / f"{task.lab}.ipynb", prepared.unsolved, found.missing)
            record.place, record.held_back = found.place, list(task.skipped)
            record.suspicious_imports = find_suspicious_imports(sent, sent_files, prepared.unsolved)
            submission_metadata.note_left_out(sent, found.contents.left_out)
            submission_metadata.note_moved(sent, found.place)
            skipped = dict.fromkeys(task.skipped, canary.WHY)
            self._run_pipeline(record, sent, files, skipped, alone=task.alone)
        return Reply(DONE)

    def _fly_canary(self, task: Task) -> Reply:
        prepared, settings = self._labs[task.lab], self._settings
        runner = settings.runner()
        failed = canary.fly(runner, settings.root, prepared.lab, prepared.unsolved)
        if not failed:
            canary.keep(runner, settings.records.folder("", ""), prepared.lab)
        return Reply(DONE, failed=failed)

    def _give_up(self, task: Task) -> Reply:
        """Leave all scores empty; of the submission read only its time: it may be the reason."""
        sent = self._settings.submitted_folder(task.lab, task.student)
        record = self._record(task, "", submission_files.read_timestamp(sent))
        record.state, record.detail = FAILED, task.detail
        notebook = copy.deepcopy(self._labs[task.lab].unsolved)
        SubmissionMetadata("", FAILURE, "the instructor's log tells more").write(notebook)
        with tempfile.TemporaryDirectory(prefix="submission-", dir=scratch()) as folder:
            skipped = dict.fromkeys(self._labs[task.lab].lab.questions, task.detail)
            self._run_pipeline(record, notebook, Path(folder), skipped)
        return Reply(DONE)

    def _record(self, task: Task, fingerprint: str, timestamp: str) -> Record:
        return Record(
            task.lab,
            task.student,
            fingerprint=fingerprint,
            timestamp=timestamp,
            sandbox=self._settings.sandbox,
        )

    def _run_pipeline(
        self,
        record: Record,
        notebook: NotebookNode,
        files: Path,
        skipped: dict[str, str],
        *,
        alone: bool = False,
    ) -> None:
        """Run nbgrader's steps up to those that need the gradebook, and store the result."""
        started, before = time.monotonic(), _cpu_seconds()
        prepared = self._labs[record.lab]
        resources = self._settings.resources(record.lab, record.student)
        resources[ALONE], resources[SKIPPED] = alone, skipped
        resources[EVIDENCE] = self._settings.records.folder(record.lab, record.student)
        resources[KEY] = Context(
            self._settings.root, prepared.lab, prepared.unsolved, record.student, files
        )
        resources["metadata"] = ResourcesDict(name=record.lab, path=str(files))
        clean, resources = self._sanitizing(notebook, resources)
        graded, resources_after = self._running(clean, resources)
        metadata = submission_metadata.read(graded)
        record.submission = metadata.submission
        record.detail = record.detail or metadata.detail
        record.notices = [notice.code for notice in metadata.notices]
        for question_id, result in resources_after["question_results"].items():
            _note_question(record, question_id, result)
        record.seconds = round(time.monotonic() - started, 3)
        record.student_seconds = round(float(resources_after["cpu_seconds"]), 3)
        record.cpu_seconds = round(_cpu_seconds() - before + record.student_seconds, 3)
        self._keep(record, graded)

    def _keep(self, record: Record, notebook: NotebookNode) -> None:
        record.follow(self._settings.records.load(record.lab, record.student))
        self._settings.records.keep(record, json.dumps(notebook))  # the writer formats it

    def _rejudge(self, task: Task) -> Reply:
        """Judge the stored evidence with the points of the lab of now."""
        path = self._settings.graded_notebook(task.lab, task.student)
        text = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(text, as_version=4)
        metadata = submission_metadata.read(notebook)
        earlier = self._settings.records.load(task.lab, task.student)
        record = self._new_record(task, metadata, earlier)
        before = self._judge_cells(record, notebook, metadata)
        if earlier is not None and earlier.submission == record.submission:
            before = earlier.points
            same = nbformat.writes(notebook) == text.rstrip("\n")
            if same and earlier.written and not task.penalty:
                return Reply(SAME, before=before)
        self._keep(record, notebook)
        return Reply(DONE, before=before)

    def _judge_cells(
        self, record: Record, notebook: NotebookNode, metadata: SubmissionMetadata
    ) -> dict[str, float]:
        """Fill the check cells again, and return the earlier points by question id."""
        folder = self._settings.records.folder(record.lab, record.student)
        lab, unsolved = self._labs[record.lab].lab, self._labs[record.lab].unsolved
        wanted = {grade_id(cell): cell for cell in unsolved.cells}
        cells = {grade_id(c).removesuffix(CHECK): c for c in notebook.cells if is_check(c)}
        all_stored = {name: evidence_store.load(folder, name) for name in cells}
        if any(
            stored.entries["submission"] != metadata.submission for stored in all_stored.values()
        ):
            raise ValueError("its evidence is of another submission than its graded notebook")
        # Judge all questions before writing any: if one can't be judged, all keep their points.
        verdicts = {name: _judge_again(lab, name, stored) for name, stored in all_stored.items()}
        sanitize(notebook, unsolved, format_head(metadata))  # an earlier version may have graded it
        record.held_back = [
            name for name, stored in all_stored.items() if stored.entries["reason"] == NOT_LOOKED_AT
        ]
        for name, stored in all_stored.items():
            cell, verdict = cells[name], verdicts[name]
            cell.metadata.nbgrader = copy.deepcopy(wanted[name + CHECK].metadata.nbgrader)
            points = write_score(cell, verdict, metadata)
            more = {"points": points, "maximum": float(cell.metadata.nbgrader.points)}
            _note_question(
                record, name, evidence_store.replace_verdict(folder, stored, verdict, more)
            )
        before = {name: stored.entries["points"] for name, stored in all_stored.items()}
        return {name: points for name, points in before.items() if points is not None}

    def _new_record(
        self, task: Task, metadata: SubmissionMetadata, earlier: Record | None
    ) -> Record:
        """A record for a submission that was graded before, by `autograder` or nbgrader."""
        record = Record(task.lab, task.student, cause=REJUDGE)
        if earlier is not None and earlier.submission == metadata.submission:
            for name in _SUBMISSION_FIELDS:
                setattr(record, name, getattr(earlier, name))
        record.submission = metadata.submission
        record.notices = [notice.code for notice in metadata.notices]
        return record


def _judge_again(lab: Lab, name: str, stored: evidence_store.StoredEvidence) -> Judgement:
    """Judge stored evidence with the judge of now.

    Raises:
        ValueError: this judge needs other evidence, as one of another version may. Points that the
            stored evidence earned must not be lost for that.
    """
    verdict = judge_answer(
        lab,
        name,
        stored.inputs,
        stored.evidence,
        (stored.entries["reason"], stored.entries["detail"]),
    )
    before, now = (
        [f["code"] for f in found] for found in (stored.entries["findings"], verdict.findings)
    )
    if UNREADABLE in now and UNREADABLE not in before:
        raise ValueError(f"the judge of {name} is another one now, and asks for other evidence")
    return verdict


def _note_question(record: Record, question_id: str, result: dict[str, Any]) -> None:
    if result["points"] is None:
        record.undecided[question_id] = result["undecided"]
    else:
        record.points[question_id] = result["points"]
    record.maximum[question_id] = result["maximum"]
    codes = [finding["code"] for finding in result["findings"]]
    if codes:
        record.findings[question_id] = codes


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
