"""Has the evidence judged, and writes points and cards into the notebook."""

from __future__ import annotations

import math
from typing import Any

from nbformat import NotebookNode, v4
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from traitlets import Unicode

from autograder.course import CHECK, grade_id
from autograder.engine.judge_server import NOT_LOOKED_AT
from autograder.nbgrader_plugins import evidence_store, submission_metadata
from autograder.nbgrader_plugins.execute import SKIPPED, QuestionEvidence
from autograder.nbgrader_plugins.failures import INSTEAD, judge_answer
from autograder.nbgrader_plugins.judge_client import Judgement
from autograder.nbgrader_plugins.penalties import EVIDENCE
from autograder.nbgrader_plugins.sanitize import sanitize
from autograder.nbgrader_plugins.submission_metadata import KEY, Context, Notice, SubmissionMetadata

UNDECIDED = "undecided"
"""Key of a graded check cell's metadata: why a person has to decide."""


class GradeEvidence(NbGraderPreprocessor):
    """Gives each check cell exactly one output: its points and the card.

    nbgrader 0.9.6 fails open: a cell without an output, or with one that is no number, earns
    full points. So every check cell gets a number here, whatever happened before. It is 0 where a
    person has to decide; `SaveScores` then leaves the score empty.
    """

    folder = Unicode("evidence", help="Where evidence is kept, under the course.").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Sanitize `nb`, replace the outputs of all check cells, and add the notices."""
        context: Context = resources[KEY]
        metadata = submission_metadata.read(nb)
        resources["question_results"] = {}
        place = context.root / self.folder / context.lab.id / context.student
        resources.setdefault(EVIDENCE, place)  # `autograder grade` names that of a try
        sanitize(nb, context.unsolved)
        for cell in nb.cells:
            if is_check(cell):
                self._grade(cell, context, metadata, resources)
        if head := format_head(metadata):
            nb.cells.insert(0, v4.new_markdown_cell(head))
        return nb, resources

    def _grade(
        self,
        cell: NotebookNode,
        context: Context,
        metadata: SubmissionMetadata,
        resources: dict[str, Any],
    ) -> None:
        question_id = grade_id(cell).removesuffix(CHECK)
        question: QuestionEvidence = resources["question_evidence"][question_id]
        skipped: dict[str, str] = resources[SKIPPED]
        if question_id in skipped:
            question = QuestionEvidence(question.inputs, None, NOT_LOOKED_AT, skipped[question_id])
        why = (question.code, question.detail)
        verdict = judge_answer(
            context.lab, question_id, question.inputs.all_inputs, question.evidence, why
        )
        has_reason = question.evidence is None or question.code in INSTEAD
        points = write_score(cell, verdict, metadata)
        more = {
            "points": points,
            "maximum": float(cell.metadata.nbgrader.points),
            "submission": metadata.submission,
            "reason": question.code if has_reason else "",
            "detail": question.detail if has_reason else "",
            "seconds": round(question.seconds, 3),
        }
        resources["question_results"][question_id] = evidence_store.keep(
            resources[EVIDENCE], question.inputs.all_inputs, question.evidence, verdict, more
        )


class SaveScores(SaveAutoGrades):
    """nbgrader's SaveAutoGrades; leaves the score empty where a person has to decide.

    The formgrader and `nbgrader export` then show that the cell needs a manual grade.
    """

    def _add_score(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        super()._add_score(cell, resources)
        if UNDECIDED not in cell.metadata:
            return
        names = resources["nbgrader"]
        grade = self.gradebook.find_grade(
            grade_id(cell), names["notebook"], names["assignment"], names["student"]
        )
        grade.auto_score, grade.needs_manual_grade = None, True
        self.gradebook.db.commit()


def is_check(cell: NotebookNode) -> bool:
    """Whether the cell is a check cell, which a judge scores."""
    return bool(utils.is_grade(cell) and not utils.is_solution(cell))


def format_head(metadata: SubmissionMetadata) -> str:
    """Source of the first cell of the graded notebook, with its notices; "" if there are none."""
    general = [notice for notice in metadata.notices if not notice.question_id]
    if metadata.trouble:
        general.append(Notice(metadata.trouble, "", "", metadata.detail))
    return _format_notices(general)


def write_score(
    cell: NotebookNode, verdict: Judgement, metadata: SubmissionMetadata
) -> float | None:
    """Give the check cell its output, and return the points in it; None if there is no score."""
    cell.metadata.pop(UNDECIDED, None)  # a submission may bring one
    points = points_of(verdict.score or 0.0, float(cell.metadata.nbgrader.points))
    if verdict.score is None:
        cell.metadata[UNDECIDED] = verdict.undecided
    notices = [notice for notice in metadata.notices if notice.question_id == verdict.question_id]
    data = {"text/plain": repr(points), "text/html": _format_notices(notices) + verdict.card}
    count = cell.get("execution_count") or 1
    cell.outputs = [v4.new_output("execute_result", data=data, execution_count=count)]
    cell.execution_count = count
    return None if verdict.score is None else points


def points_of(score: float, maximum: float) -> float:
    """The points for a score: a finite number from 0 to `maximum`."""
    points = score * maximum
    return round(min(maximum, max(0.0, points)), 4) if math.isfinite(points) else 0.0


def _format_notices(notices: list[Notice]) -> str:
    return "".join(notice.as_html() for notice in notices)
