"""Right, unusual and wrong answers to every question, each wrong one with its finding.

One package per lab, one module per question, `autograder/bank/<lab>/<question>.py`, with a
list `CASES`. Most cases are the instructor's solution with one change, so that it stays clear what
is wrong with them. Students never get the bank.
"""

from __future__ import annotations

import importlib
import re
import textwrap
from dataclasses import dataclass

from autograder.course import AuthorError, Lab, not_importable
from litcourse.core.registry import question_ids

SOLUTION, STUB = "solution", "stub"
FRESH = "solution, as fresh programs"
"""Cases that `verify` adds to those of a bank."""
_MARKER = re.compile(r"^[ \t]*#+ (BEGIN|END) SOLUTION[^\n]*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One answer to a question.

    Args:
        id: name within the question.
        edits: pairs `(old, new)`, applied to the solution in order; each `old` must occur.
        code: the whole answer, in place of an edited solution.
        expects: code of the finding that must come first; "" for a right answer.
        after: answers to earlier questions, as pairs of question id and case id ("stub" is the
            unsolved cell); all others are the instructor's solutions.
        costs: ids of the criteria that a wrong answer loses, no more and no fewer; () for any.
    """

    id: str
    edits: tuple[tuple[str, str], ...] = ()
    code: str = ""
    expects: str = ""
    after: tuple[tuple[str, str], ...] = ()
    costs: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Whether the answer deserves all points."""
        return not self.expects

    def answer(self, solution: str) -> str:
        """The source of the solution cell for this case.

        Args:
            solution: source of the instructor's solution cell.

        Raises:
            ValueError: an edit's old text does not occur in the solution.
        """
        if self.code:
            return textwrap.dedent(self.code).strip() + "\n"
        text = without_markers(solution)
        for old, new in self.edits:
            if old not in text:
                raise ValueError(f"case {self.id!r}: the solution has no {old!r}")
            text = text.replace(old, new, 1)
        return text


def right(
    name: str, *edits: tuple[str, str], code: str = "", after: tuple[tuple[str, str], ...] = ()
) -> Case:
    """An unusual answer that is right, or the solution after a wrong answer to another question."""
    return Case(name, edits, code, after=after)


def wrong(
    name: str,
    expects: str,
    *edits: tuple[str, str],
    code: str = "",
    after: tuple[tuple[str, str], ...] = (),
    costs: tuple[str, ...] = (),
) -> Case:
    """A wrong answer, with the finding that must come first and, perhaps, the criteria it costs."""
    return Case(name, edits, code, expects, after, costs)


def without_markers(solution: str) -> str:
    """A solution cell without nbgrader's BEGIN and END SOLUTION lines."""
    return _MARKER.sub("", solution)


def load(lab: Lab) -> dict[str, list[Case]]:
    """The cases of every question of `lab`, in the notebook's order.

    Cases behind an answer to a question that the instructor took out of the lab are left out.

    Raises:
        AuthorError: a question has no bank module, or the module can't be imported or has no cases.
    """
    return {question_id: _cases(lab, question_id) for question_id in lab.questions}


def _cases(lab: Lab, question_id: str) -> list[Case]:
    file = bank_file(lab, question_id)
    name = f"autograder.bank.{lab.id}.{question_id}"
    try:
        module = importlib.import_module(name)
    except Exception as error:
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        if absent is None or not f"{name}.".startswith(f"{absent}."):
            raise not_importable(file, question_id, error) from error
        step = f"write {file} with a list CASES"
        raise AuthorError(file, question_id, "it has no bank", step) from error
    found: object = getattr(module, "CASES", [])
    if not isinstance(found, list):
        raise AuthorError(file, question_id, "its CASES is no list", "write CASES = [...]")
    if not found:
        raise AuthorError(file, question_id, "its list CASES is empty", "add right and wrong cases")
    strange = [case for case in found if not isinstance(case, Case)]
    if strange:
        fault = f"its list CASES holds {str(strange[0])[:60]!r}, which is no case"
        raise AuthorError(file, question_id, fault, "write right(...) or wrong(...)")
    removed = set(question_ids(lab.id)) - lab.questions.keys()
    return [case for case in found if not removed & set(_earlier_questions(case))]


def _earlier_questions(case: Case) -> list[str]:
    """Questions that `after` names, as far as it is well made: `verify` reports what is not."""
    return [pair[0] for pair in case.after if isinstance(pair, tuple) and pair]


def bank_file(lab: Lab, question_id: str) -> str:
    """The path of a question's bank module, for errors."""
    return f"autograder/bank/{lab.id}/{question_id}.py"
