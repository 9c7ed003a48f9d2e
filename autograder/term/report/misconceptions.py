"""The findings of a lab, with who has them; what was not tried stands apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autograder.term.report.class_facts import Misconception, NotTried
from autograder.term.report.question_facts import Results
from litcourse.core.names import UnknownNameError
from litcourse.feedback.catalogue import explain

COMMON = 0.2
"""A finding is marked as common from this part of those who tried the question."""
_NOT_SOLVED = {"LIT900": "not solved", "LIT901": "the name is not there",
               "LIT904": "waits for an earlier question",
               "LIT915": "the file is not there"}  # fmt: skip
NO_NOTEBOOK = {"LIT908": "the file is no notebook", "LIT914": "no notebook of the lab",
               "LIT917": "the answers are in another file", "LIT918": "another lab's notebook",
               "LIT919": "a file that is too large", "LIT950": "grading failed"}  # fmt: skip
"""Why nothing of a submission was judged, by the code that each question has."""
_LONGEST = 400
"""Characters of what was expected and what came."""


def first_code(entry: Mapping[str, Any]) -> str:
    """The code of the finding that stands first, or ""."""
    return str(entry["findings"][0]["code"]) if entry.get("findings") else ""


def was_tried(entry: Mapping[str, Any]) -> bool:
    """Whether there was an answer that could be judged."""
    return first_code(entry) not in {*_NOT_SOLVED, *NO_NOTEBOOK}


def gather_misconceptions(results: Results) -> list[Misconception]:
    """The findings of answers that were tried, those of the most students first."""
    tried, found = defaultdict(set), defaultdict(list)
    for (student, question), entry in results.items():
        if was_tried(entry):
            tried[question].add(student)
            for finding in entry.get("findings", []):
                found[finding["code"]].append((student, question, finding))
    made = [_misconception(code, seen, tried) for code, seen in found.items()]
    return sorted(made, key=lambda one: (-len(one.students), one.code))


def _misconception(
    code: str,
    seen: Sequence[tuple[str, str, Mapping[str, str]]],
    tried: Mapping[str, set[str]],
) -> Misconception:
    students = sorted({student for student, _, _ in seen})
    questions = sorted({question for _, question, _ in seen})
    count = len(set().union(*(tried[question] for question in questions)))
    # Of the examples the one that says most: some findings of a kind have only a place.
    example = max(
        (finding for _, _, finding in seen),
        key=lambda f: (bool(f.get("expected")) + bool(f.get("got")), -len(f.get("got", ""))),
    )
    called, expected, got = (_short(example.get(key, "")) for key in ("called", "expected", "got"))
    title, why, fix = _explain(code)
    return Misconception(
        code, title, why, fix, questions, students, count,
        len(students) >= COMMON * count and len(students) > 1, called, expected, got,
    )  # fmt: skip


def _explain(code: str) -> tuple[str, str, str]:
    try:
        entry = explain(code)
    except UnknownNameError:  # of another version
        return "a finding that this version does not know", "", ""
    return entry.title, entry.why.strip(), entry.fix.strip()


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def gather_not_tried(results: Results, questions: Sequence[str]) -> list[NotTried]:
    """Why answers were not judged; a reason that concerns a whole submission counts once.

    Args:
        results: the verdicts.
        questions: ids of the lab's questions, in the notebook's order.
    """
    groups = defaultdict(set)
    for student, question, code in _first_codes(results):
        if code in NO_NOTEBOOK:
            groups[NO_NOTEBOOK[code], ""].add(student)
        elif code in _NOT_SOLVED:
            groups[_NOT_SOLVED[code], question].add(student)
    found = [NotTried(what, name, sorted(who)) for (what, name), who in groups.items()]
    order = {"": -1} | {name: number for number, name in enumerate(questions)}
    return sorted(found, key=lambda one: (one.what, order[one.question]))


def _first_codes(results: Results) -> Iterator[tuple[str, str, str]]:
    for (student, question), entry in results.items():
        yield student, question, first_code(entry)
