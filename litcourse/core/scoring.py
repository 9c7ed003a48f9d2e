"""Computes a verdict from a tree of evidence, in the same way for every frontend."""

from __future__ import annotations

from collections.abc import Sequence

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.known_errors import error_finding
from litcourse.core.marks import not_measured
from litcourse.core.question import Finding, Inputs, Mark, NotLookedAt, Question
from litcourse.core.registry import find_question
from litcourse.core.torch_state import keep_torch_state
from litcourse.core.tree import Tree
from litcourse.core.verdict import Verdict

_NOTHING_MEASURED = ("missing", "no_file", "error", "not_measured")


def grade(lab: str, question_id: str, inputs: Inputs, tree: Tree) -> Verdict:
    """The verdict on the evidence `tree`, which `lab`'s question gave for `inputs`.

    Raises:
        JudgeError: the judge returned a mark that can't be scored. `verify` stops there; a
            frontend gives LIT903, so that nobody earns points by it.
    """
    question = find_question(lab, question_id)
    evidence = Evidence(tree)
    try:
        with keep_torch_state():
            marks = _mark(question, inputs, evidence)
            picture = _draw_picture(question, inputs, evidence)
    except MalformedError as error:
        return fail_question(lab, question_id, "LIT903", got=str(error))
    return Verdict(lab, question_id, question, _sort_marks(marks, question), picture)


def fail_question(lab: str, question_id: str, code: str, got: str = "", where: str = "") -> Verdict:
    """A verdict with the finding `code`, which costs every criterion."""
    question = find_question(lab, question_id)
    finding = Finding(code, tuple(c.id for c in question.criteria), got=got, where=where)
    return Verdict(lab, question_id, question, (finding,))


def skip_question(lab: str, question_id: str, reason: str) -> Verdict:
    """A verdict without a score: nothing was measured, for a `reason` that is the machine's."""
    question = find_question(lab, question_id)
    mark = NotLookedAt(tuple(c.id for c in question.criteria), reason, by_machine=True)
    return Verdict(lab, question_id, question, (mark,))


def _mark(question: Question, inputs: Inputs, evidence: Evidence) -> Sequence[Mark]:
    every = tuple(criterion.id for criterion in question.criteria)
    if "missing" in evidence:
        return [_name_finding(evidence["missing"], every)]
    if "no_file" in evidence:
        return [_file_finding(evidence["no_file"], every)]
    if "error" in evidence:
        return [error_finding(evidence["error"], every)]
    if "not_measured" in evidence:
        return [not_measured(evidence, every)]
    return question.judge(inputs, evidence)


def _name_finding(evidence: Evidence, every: tuple[str, ...]) -> Finding:
    name, defined = evidence["name"].text(), evidence["defined"].texts()
    got = "your notebook defines " + ", ".join(defined) if defined else "nothing of that name"
    return Finding("LIT901", every, called=name, expected=f"the name {name}", got=got)


def _file_finding(evidence: Evidence, every: tuple[str, ...]) -> Finding:
    name, there = evidence["name"].text(), evidence["there"].texts()
    got = "the folder has " + ", ".join(there) if there else "no such file"
    return Finding("LIT915", every, called=name, expected=f"a file {name}", got=got)


def _draw_picture(question: Question, inputs: Inputs, evidence: Evidence) -> str:
    if question.picture is None or any(name in evidence for name in _NOTHING_MEASURED):
        return ""
    return question.picture(inputs, evidence)


def _sort_marks(marks: Sequence[Mark], question: Question) -> tuple[Mark, ...]:
    """`marks` in the order of the first criterion that each names; a stable sort."""
    positions = {criterion.id: position for position, criterion in enumerate(question.criteria)}
    last = len(positions)  # for an unknown criterion, which the verdict refuses
    return tuple(
        sorted(marks, key=lambda m: min((positions.get(c, last) for c in m.criteria), default=last))
    )
