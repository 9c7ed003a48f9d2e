"""From a tree of evidence to a verdict, the same way for everyone who asks."""

from __future__ import annotations

from litcourse.evidence import Evidence, MalformedError
from litcourse.known_errors import error_finding
from litcourse.question import Draw, Finding, Question, Tree, Verdict, find_question, order
from litcourse.student import torch_state

_NOTHING_MEASURED = ("missing", "no_file", "error")


def reach(lab: str, question_id: str, draw: Draw, tree: Tree) -> Verdict:
    """The verdict on the evidence `tree` of `lab`'s question, taken on `draw`."""
    question = find_question(lab, question_id)
    evidence = Evidence(tree)
    try:
        with torch_state():
            findings = _findings(question, draw, evidence)
            picture = _picture(question, draw, evidence)
    except MalformedError as error:
        return failed(lab, question_id, "LIT903", got=str(error))
    return Verdict(lab, question_id, question, order(findings, question), picture)


def failed(lab: str, question_id: str, code: str, got: str = "", where: str = "") -> Verdict:
    """The verdict that the finding `code` costs the whole question."""
    question = find_question(lab, question_id)
    finding = Finding(code, tuple(c.id for c in question.criteria), got=got, where=where)
    return Verdict(lab, question_id, question, (finding,))


def _findings(question: Question, draw: Draw, evidence: Evidence) -> list[Finding]:
    every = tuple(criterion.id for criterion in question.criteria)
    if "missing" in evidence:
        return [_missing(evidence["missing"], every)]
    if "no_file" in evidence:
        return [_no_file(evidence["no_file"], every)]
    if "error" in evidence:
        return [error_finding(evidence["error"], every)]
    return question.judge(draw, evidence)


def _missing(evidence: Evidence, every: tuple[str, ...]) -> Finding:
    name, defined = evidence["name"].text(), evidence["defined"].texts()
    got = "your notebook defines " + ", ".join(defined) if defined else "nothing of that name"
    return Finding("LIT901", every, called=name, expected=f"the name {name}", got=got)


def _no_file(evidence: Evidence, every: tuple[str, ...]) -> Finding:
    name, there = evidence["name"].text(), evidence["there"].texts()
    got = "the folder has " + ", ".join(there) if there else "no such file"
    return Finding("LIT915", every, called=name, expected=f"a file {name}", got=got)


def _picture(question: Question, draw: Draw, evidence: Evidence) -> str:
    if question.picture is None or any(name in evidence for name in _NOTHING_MEASURED):
        return ""
    return question.picture(draw, evidence)
