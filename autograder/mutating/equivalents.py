"""`autograder/bank/<lab>/equivalent.toml`: survivors that are right, each with a reason.

    [[equivalent]]
    question = "wrap"
    operator = "argument"
    before = 'self.log("train_loss", loss)'
    after = ['self.log("train_loss", loss, on_step=True)']
    reason = "Lightning's own default in training_step"

`before` and `after` are the changed lines without indentation, as `autograder mutate` prints them;
`after` lists one or more of the same reason. Lines that the task leaves to the student have no
wrong change, so that a survivor among their changes is right whatever it says:

    [[free]]
    question = "launch"
    lines = ["return torch.optim.SGD(self.parameters(), lr=0.05)"]
    reason = "the task leaves data and module to the student"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder import bank
from autograder.course import AuthorError, Lab
from autograder.mutating.mutants import Mutant

_TEXTS = ("question", "operator", "before", "reason")
_SHORTEST = 12
"""Letters of the shortest reason: "equal" alone is none."""


@dataclass(frozen=True)
class Equivalent:
    """A change after which an answer is still right.

    Args:
        question_id: id of the question.
        operator: name of the kind of change.
        before: the changed lines as they were.
        after: the changed lines as they are.
        reason: why nothing is wrong with it.
    """

    question_id: str
    operator: str
    before: str
    after: str
    reason: str

    @property
    def change(self) -> tuple[str, str, str, str]:
        """As `Mutant.change`."""
        return self.question_id, self.operator, self.before, self.after


@dataclass(frozen=True)
class FreeLine:
    """A line of a solution that the task leaves to the student.

    Args:
        question_id: id of the question.
        line: the line, without indentation.
        reason: what the task says.
    """

    question_id: str
    line: str
    reason: str


Reasons = dict[tuple[str, str, str, str], str]
"""Reasons by `Mutant.change`."""


def file_of(lab: Lab) -> Path:
    """The path of a lab's file, there or not."""
    folders = [Path(place) / lab.id for place in bank.__path__]
    there = [folder for folder in folders if folder.is_dir()]
    return (there or folders)[-1] / "equivalent.toml"


def load_equivalents(lab: Lab) -> list[Equivalent]:
    """The entries of a lab; none if there is no file.

    Raises:
        AuthorError: the file can't be read, an entry lacks a part or its reason says nothing, or
            two entries are of one change.
    """
    path = file_of(lab)
    entries = enumerate(_tables(path, "equivalent"), 1)
    found = [entry for number, item in entries for entry in _read(path, number, item)]
    for entry in found:
        if [other.change for other in found].count(entry.change) > 1:
            fault = f"two entries are of one change: {entry.before!r} to {entry.after!r}"
            raise AuthorError(path, entry.question_id, fault, "leave one of them out")
    return found


def load_free_lines(lab: Lab) -> list[FreeLine]:
    """The lines of a lab that are the student's; none if there is no file.

    Raises:
        AuthorError: the file can't be read, or an entry lacks a part or its reason says nothing.
    """
    path, found = file_of(lab), []
    for number, item in enumerate(_tables(path, "free"), 1):
        lines = item.get("lines")
        texts = [
            item.get("question"),
            item.get("reason"),
            *(lines if isinstance(lines, list) else [None]),
        ]
        if set(item) != {"question", "lines", "reason"} or not all(
            isinstance(t, str) for t in texts
        ):
            step = "write question and reason as texts, and lines as a list of texts"
            raise AuthorError(path, "", f"free {number} is no entry: {str(item)[:200]}", step)
        question, reason, *every = (str(text).strip() for text in texts)
        _check_reason(path, question, number, reason)
        found += [FreeLine(question, line, reason) for line in every]
    return found


def _tables(path: Path, name: str) -> list[dict[str, object]]:
    if not path.exists():
        return []
    try:
        found: list[dict[str, object]] = tomllib.loads(path.read_text(encoding="utf-8")).get(
            name, []
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AuthorError(path, "", f"it can't be read: {error}", "mend its TOML") from error
    return found


def _check_reason(path: Path, question: str, number: int, reason: str) -> None:
    if len(reason) < _SHORTEST:
        step = "say why the changed answer is right"
        raise AuthorError(path, question, f"entry {number} gives {reason!r} as its reason", step)


def _read(path: Path, number: int, item: dict[str, object]) -> list[Equivalent]:
    after = item.get("after")
    listed = [after] if isinstance(after, str) else after
    whole = set(item) == {*_TEXTS, "after"} and all(isinstance(item[n], str) for n in _TEXTS)
    if not whole or not isinstance(listed, list) or not all(isinstance(a, str) for a in listed):
        step = f"write {', '.join(_TEXTS)} as texts, and after as a text or a list of texts"
        raise AuthorError(path, "", f"entry {number} is no entry: {str(item)[:200]}", step)
    question, operator, before, reason = (str(item[name]).strip() for name in _TEXTS)
    _check_reason(path, question, number, reason)
    return [Equivalent(question, operator, before, str(text).strip(), reason) for text in listed]


def match(
    lab: Lab,
    entries: Iterable[Equivalent],
    free: Iterable[FreeLine],
    mutants: Sequence[Mutant],
) -> Reasons:
    """The reasons by change.

    Raises:
        AuthorError: an entry is of no mutant any more.
    """
    known = {mutant.change for mutant in mutants}
    reasons: Reasons = {}
    for line in free:
        changes = [
            m.change for m in mutants if (m.question_id, m.before) == (line.question_id, line.line)
        ]
        if not changes:
            fault, step = f"no mutant changes {line.line!r} any more", "take the line out"
            raise AuthorError(file_of(lab), line.question_id, fault, step)
        reasons |= dict.fromkeys(changes, line.reason)
    for entry in entries:
        if entry.change not in known:
            raise stale_error(lab, entry, "no mutant is changed like that any more")
        reasons[entry.change] = entry.reason
    return reasons


def stale_error(lab: Lab, entry: Equivalent, why: str) -> AuthorError:
    """The error of an entry that says nothing any more."""
    fault = f"{entry.operator}: {entry.before!r} to {entry.after!r}: {why}"
    return AuthorError(file_of(lab), entry.question_id, fault, "take the entry out")
