"""Makes the mutants of a question: its solution and its bank's right answers, each changed once.

Mutants that say the same, by their syntax tree, are merged. One that says what an answer of the
bank says is left out: `verify` judges those. Of a right answer only the lines that are not the
solution's are changed: the others were changed there.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from autograder.bank import SOLUTION, Case, without_markers
from autograder.course import Lab
from autograder.mutating import (
    batch_script_operators,
    library_calls,
    lightning_operators,
    program_operators,
    python_operators,
)
from autograder.mutating.answer_text import AnswerText, Operator, apply

_IN_CELLS = (python_operators, library_calls, lightning_operators)
_MAGIC = re.compile(r"%%writefile\s+(\S+)")


@dataclass(frozen=True)
class Mutant:
    """A right answer with one change.

    Args:
        question_id: id of the question.
        answer: id of the case that was changed, or "solution".
        operator: name of the kind of change.
        code: the whole changed answer.
        before: changed lines as they were, without indentation; the line below if lines were added.
        after: the same lines as they are.
        diff: the change as a unified diff without context.
    """

    question_id: str
    answer: str
    operator: str
    code: str
    before: str
    after: str
    diff: str

    @property
    def of_solution(self) -> bool:
        """Whether the instructor's solution was changed."""
        return self.answer == SOLUTION

    @property
    def digest(self) -> str:
        """SHA-256 of the code, hex, shortened."""
        return hashlib.sha256(self.code.encode()).hexdigest()[:16]

    @property
    def change(self) -> tuple[str, str, str, str]:
        """By what an entry of `equivalent.toml` finds it."""
        return self.question_id, self.operator, self.before, self.after


def mutants_of(lab: Lab, question_id: str, cases: list[Case]) -> list[Mutant]:
    """All mutants of a question, those of its solution first.

    Args:
        lab: the lab.
        question_id: id of the question.
        cases: its bank.
    """
    solution = without_markers(lab.questions[question_id].solution)
    answers = {case.id: case.answer(solution) for case in cases if not case.after}
    right = {case.id: answers[case.id] for case in cases if case.right and not case.after}
    seen = {_meaning(text) for text in (*answers.values(), solution)}
    lines = {line.strip() for line in solution.splitlines()}
    found = []
    for answer, text in {SOLUTION: solution, **right}.items():
        shared = lines if answer != SOLUTION else set()
        for operator, code in _changed(text):
            meaning = _meaning(code)
            if not meaning or meaning in seen:
                continue
            mutant = _mutant(question_id, answer, operator, text, code)
            if set(mutant.before.splitlines()) - shared:
                seen.add(meaning)
                found.append(mutant)
    return found


def _changed(text: str) -> Iterator[tuple[str, str]]:
    """The kind of each change of an answer, and the text after it."""
    magic, body, file = split_magic(text)
    if file and not file.endswith(".py"):
        for name, (change_lines, *_) in batch_script_operators.OPERATORS.items():
            for changed in change_lines(body.splitlines()):
                yield name, magic + "\n".join(changed) + "\n"
        return
    answer = AnswerText(body)
    rooms = (*_IN_CELLS, program_operators) if file else _IN_CELLS
    operators: dict[str, Operator] = {n: o[0] for room in rooms for n, o in room.OPERATORS.items()}
    for name, operator in operators.items():
        for change in operator(answer):
            yield name, magic + apply(body, change)


def split_magic(text: str) -> tuple[str, str, str]:
    """The line of %%writefile or "", what is below it, and the file's name or ""."""
    found = _MAGIC.match(text)
    if not found:
        return "", text, ""
    magic, _, body = text.partition("\n")
    return f"{magic}\n", body, found[1]


def _meaning(text: str) -> str:
    """What decides whether two answers say the same; "" if it is no code at all."""
    _, body, file = split_magic(text)
    if file and not file.endswith(".py"):
        return "\n".join(line.strip() for line in body.splitlines() if line.strip())
    try:
        return ast.dump(ast.parse(body))
    except (SyntaxError, ValueError):
        return ""


def _mutant(question_id: str, answer: str, operator: str, text: str, code: str) -> Mutant:
    old, new = text.splitlines(), code.splitlines()
    diff = [*difflib.unified_diff(old, new, n=0, lineterm="")][2:]
    before = [line[1:].strip() for line in diff if line.startswith("-")]
    after = [line[1:].strip() for line in diff if line.startswith("+")]
    if not before:  # the line below tells where the others came in
        same = next(n for n, (a, b) in enumerate(zip([*old, ""], new, strict=False)) if a != b)
        below = [line.strip() for line in old[same:] if line.strip()][:1]
        before, after = below, [*after, *below]
    joined = "\n".join(before), "\n".join(after)
    return Mutant(question_id, answer, operator, code, *joined, "\n".join(diff))
