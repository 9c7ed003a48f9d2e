"""Executes a submitted notebook and takes evidence at its check cells."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, v4
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Dict, Integer

from autograder.course import CHECK, grade_id
from autograder.engine.cell_client import Outcome
from autograder.engine.client import scratch
from autograder.engine.limits import MEBI
from autograder.engine.machine_faults import (
    NO_ROOM,
    STRETCH,
    MachineError,
    count_memory_kills,
    is_starved,
)
from autograder.nbgrader_plugins import canary, repair, submission_metadata
from autograder.nbgrader_plugins.failures import (
    Failure,
    explain_end,
    explain_missing,
    find_failure,
)
from autograder.nbgrader_plugins.graded_kernel import Kernel
from autograder.nbgrader_plugins.judge_client import EncodedInputs, judge_client
from autograder.nbgrader_plugins.submission_metadata import KEY, Context, Notice, SubmissionMetadata
from autograder.nbgrader_plugins.submissions.submission_files import copy_visible, digest_submission
from autograder.secret import seed_for
from litcourse.core.known_errors import LIMITS, error_code

ALONE, SKIPPED = "alone", "skipped"
"""Keys of nbconvert's resources: whether no other submission runs, and what the canary found, by
question id. nbgrader's own commands give neither: there a submission runs once more where the
machine was at fault, and the canary flies before the first one."""


@dataclass
class QuestionEvidence:
    """Inputs and evidence of one question.

    Args:
        inputs: the inputs of the check.
        evidence: encoded, or None.
        code: without evidence, the finding that gives the reason; with it, the finding that takes
            the place of LIT901 if a cell failed.
        detail: text for that finding.
        seconds: seconds that the probe had for itself.
    """

    inputs: EncodedInputs
    evidence: bytes | None = None
    code: str = "LIT905"
    detail: str = "the kernels before it had died, or none started"
    seconds: float = 0.0


class RunSubmission(NbGraderPreprocessor):
    """Executes the notebook and collects the evidence of each question.

    It leaves in nbconvert's resources: `question_evidence`, a `QuestionEvidence` by question id,
    and `cpu_seconds`, processor time of the cells and probes without the starts of kernels.
    """

    cell_seconds = Integer(120, help="Time limit of a cell.").tag(config=True)
    notebook_seconds = Integer(900, help="Time limit of all cells together.").tag(config=True)
    startup_seconds = Integer(120, help="Time limit of a kernel's start.").tag(config=True)
    sandbox = Bool(default_value=True, help="Isolate the student's code.").tag(config=True)
    limits = Dict(help="Limits by name, see autograder.engine.limits.").tag(config=True)
    output_mib = Integer(8, help="MiB of output of all cells together.").tag(config=True)
    restarts = Integer(3, help="Kernels that may die before the rest is given up.").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Execute the cells of `nb`, unless its metadata says that nobody could read it."""
        context: Context = resources[KEY]
        metadata = self._read_metadata(nb, context)
        resources["cpu_seconds"] = 0.0
        if SKIPPED not in resources:
            resources[SKIPPED] = canary.fly_once(self, context)
        inputs = self.draw_inputs(context, metadata.submission)
        if metadata.trouble:
            why = metadata.trouble, metadata.detail
            resources["question_evidence"] = {
                name: QuestionEvidence(encoded, None, *why) for name, encoded in inputs.items()
            }
            return nb, resources
        alone = resources.get(ALONE)
        try:
            self.run_notebook(nb, resources, inputs, alone=bool(alone))
        except MachineError as error:
            if alone is not None:
                raise  # `autograder grade` decides, which runs many at a time
            self.log.warning("%s: %s; it runs once more", context.student, error)
            self.run_notebook(nb, resources, inputs, alone=True)
        return nb, resources

    def run_notebook(
        self,
        nb: NotebookNode,
        resources: dict[str, Any],
        inputs: Mapping[str, EncodedInputs],
        *,
        alone: bool,
    ) -> None:
        """Execute `nb`.

        Raises:
            MachineError: the machine ended it, or nobody knows whether it did.
        """
        questions = {name: QuestionEvidence(encoded) for name, encoded in inputs.items()}
        killed, stretch = count_memory_kills(), STRETCH if alone else 1
        with tempfile.TemporaryDirectory(prefix="grading-", dir=scratch()) as folder:
            run = _NotebookRun(self, nb, resources[KEY], questions, Path(folder), stretch)
            run.run_all()
        if run.disturbed:
            raise MachineError(f"others took all {run.disturbed}")
        if count_memory_kills() > killed:
            raise MachineError("the machine ran out of memory meanwhile")
        run.add_notices()
        resources["cpu_seconds"], resources["question_evidence"] = run.cpu_seconds, questions

    def _read_metadata(self, nb: NotebookNode, context: Context) -> SubmissionMetadata:
        """The metadata of `nb`; from here on its digest covers all files that the kernel sees."""
        metadata = submission_metadata.read(nb)
        if not metadata.trouble:  # of a notebook with trouble nothing is run
            metadata.submission = digest_submission(metadata.submission, context.files)
            metadata.write(nb)
        return metadata

    def draw_inputs(self, context: Context, submission: str) -> dict[str, EncodedInputs]:
        """Draw the inputs of each question."""
        lab, of = context.lab, (context.root, context.student, context.lab.id)
        seeds = {name: seed_for(*of, name, submission) for name in lab.questions}
        return judge_client().draw_inputs(lab, seeds)


@dataclass
class _NotebookRun:
    """The execution of one notebook, in one or more kernels."""

    limits: RunSubmission
    notebook: NotebookNode
    context: Context
    questions: dict[str, QuestionEvidence]
    folder: Path  # private: TemporaryDirectory makes it with mode 0700
    stretch: int
    lost_cells: set[int] = field(default_factory=set)
    failures: dict[int, Failure] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    kernel: Kernel | None = None
    cpu_seconds: float = 0.0
    own_seconds: float = 0.0
    disturbed: str = ""

    def run_all(self) -> None:
        """Execute every cell that grading runs; when a kernel dies, continue in another."""
        copy_visible(self.context.files, self.folder / "work")
        self.began = time.monotonic()
        self.left, self.room = self.limits.restarts, self.limits.output_mib * MEBI
        indices = [i for i, cell in enumerate(self.notebook.cells) if repair.is_executed(cell)]
        for index in indices:
            self.notebook.cells[index].outputs = []  # of a run that the machine ended
        self.kernel = self._start()
        try:
            self._walk(indices)
        finally:
            self._stop()

    def add_notices(self) -> None:
        """Add the notices of this run to the notebook's metadata."""
        metadata = submission_metadata.read(self.notebook)
        metadata.notices += self.notices
        metadata.write(self.notebook)

    def _stop(self) -> None:
        kernel, self.kernel = self.kernel, None
        if kernel is not None:
            self.cpu_seconds += kernel.stop()
            self.disturbed, self.room = self.disturbed or kernel.disturbed, kernel.room

    def _start(self) -> Kernel:
        settings = self.limits
        try:
            return Kernel(
                self.folder / "work",
                settings.startup_seconds,
                sandbox=settings.sandbox,
                limits=settings.limits,
                stretch=self.stretch,
                room=self.room,
            )
        except (RuntimeError, TimeoutError) as error:
            raise MachineError(f"no kernel: {error}") from error

    def _walk(self, indices: list[int]) -> None:
        for count, index in enumerate(indices, 1):
            cell = self.notebook.cells[index]
            cell.execution_count = count
            question_id = _question(cell)
            outcome = self._run_check(question_id) if question_id else self._run_cell(cell)
            if not question_id:
                self._note_failure(index, outcome)
            self._note_limits(outcome, cell)
            if outcome.status != "done":
                self.lost_cells.add(index)
                what = (self.context.student, grade_id(cell) or index, outcome.status)
                self.limits.log.warning("%s: cell %s is %s", *what)
            if outcome.kernel_lost and not self._revive([p for p in indices if p <= index]):
                return

    def _note_limits(self, outcome: Outcome, cell: NotebookNode) -> None:
        """Add a notice of each limit that the cell exceeded, for the head of the notebook."""
        kind, _, message = outcome.error.partition(": ")
        code = error_code(kind, message) if kind else ""
        codes = {code} & set(LIMITS)
        if outcome.limit or (outcome.status != "done" and not _question(cell)):
            codes.add(explain_end(outcome, self.limits.cell_seconds)[0])
        if outcome.flooded:
            codes.add("LIT926")
        self.notices += [Notice(code, "", grade_id(cell)) for code in sorted(codes)]

    def _note_failure(self, index: int, outcome: Outcome) -> None:
        found = find_failure(outcome, explain_end(outcome, self.limits.cell_seconds)[1])
        if found is not None:
            self.failures.setdefault(index, found)

    def _explain_missing(self, question_id: str) -> tuple[str, str] | None:
        """Finding and detail for this check in case that it misses a name."""
        cells, own, others = self.notebook.cells, None, {}
        for index, found in sorted(self.failures.items()):
            if grade_id(cells[index]) == question_id:
                own = found
            else:
                others[cells[index].execution_count] = found
        return explain_missing(own, others)

    def _run(self, source: str, *, ours: bool = False) -> Outcome:
        """Execute `source`; a cell of the lab (`ours`) may take as long as a kernel's start."""
        limit = self.limits.startup_seconds if ours else self.limits.cell_seconds
        seconds = self._seconds_left(limit)
        if self.kernel is None or seconds <= 0:
            outcome = Outcome("late")
        else:
            outcome = self.kernel.run(source, seconds)
        self._check_machine(outcome, seconds, limit)
        return outcome

    def _seconds_left(self, limit: int) -> float:
        """Seconds for a cell: of its limit, or of what the notebook's own has left."""
        most, took = self.limits.notebook_seconds, time.monotonic() - self.began
        return min(limit, most - self.own_seconds, most - took / self.stretch)

    def _check_machine(self, outcome: Outcome, seconds: float, limit: int) -> None:
        """Note the time of a cell; a cell that ended by the machine's fault counts for nothing.

        Raises:
            MachineError: so it ended.
        """
        self.own_seconds += outcome.own_seconds
        if outcome.fault:
            raise MachineError(outcome.fault)
        took = time.monotonic() - self.began
        late = outcome.status in {"late", "stuck"} and seconds < limit
        if late and is_starved(self.own_seconds, took, self.limits.notebook_seconds):
            raise MachineError(f"no end of the notebook within {took:.0f} s on a busy machine")

    def _run_cell(self, cell: NotebookNode) -> Outcome:
        outcome = self._run(cell.source, ours=utils.is_locked(cell))
        cell.outputs = outcome.outputs
        if outcome.status != "done":
            cell.outputs.append(_ending_output(outcome, self.limits.cell_seconds))
        return outcome

    def _revive(self, indices: list[int]) -> bool:
        """Start another kernel and run the earlier cells again, except lost ones."""
        while self.left > 0 and self._seconds_left(1) > 0:
            self.left -= 1
            self._stop()
            self.kernel = self._start()
            if self._replay(indices):
                return True
        return False

    def _replay(self, indices: list[int]) -> bool:
        for index in indices:
            cell = self.notebook.cells[index]
            if index in self.lost_cells or _question(cell):
                continue
            outcome = self._run(cell.source, ours=utils.is_locked(cell))
            self._note_failure(index, outcome)
            if outcome.status != "done":
                self.lost_cells.add(index)
            if outcome.kernel_lost:
                return False
        return True

    def _run_check(self, question_id: str) -> Outcome:
        """Take evidence on the drawn inputs; it is read before another cell runs."""
        question = self.questions[question_id]
        seconds = self._seconds_left(self.limits.cell_seconds)
        if self.kernel is None or seconds <= 0:
            outcome = Outcome("late")
        else:
            lab, shown = self.context.lab.id, question.inputs.shown
            try:
                outcome, encoded = self.kernel.take_evidence(lab, question_id, shown, seconds)
            except OSError as error:
                if error.errno in NO_ROOM:
                    raise
                question.code, question.detail = "LIT903", error.strerror or type(error).__name__
                return Outcome("done")
            question.evidence = encoded or None
        self._check_machine(outcome, seconds, self.limits.cell_seconds)
        question.seconds = outcome.own_seconds
        question.code, question.detail = explain_end(outcome, self.limits.cell_seconds)
        if question.evidence is not None:
            missing = self._explain_missing(question_id)
            question.code, question.detail = missing or (question.code, question.detail)
        return outcome


def _question(cell: NotebookNode) -> str:
    """The question of a check cell, or ""."""
    return grade_id(cell).removesuffix(CHECK) if grade_id(cell).endswith(CHECK) else ""


def _ending_output(outcome: Outcome, limit: int) -> NotebookNode:
    text = explain_end(outcome, limit)[1]
    traceback = [f"Grading stopped this cell: {text}. The cells after it were run."]
    made: NotebookNode = v4.new_output("error", ename="Stopped", evalue=text, traceback=traceback)
    return made
