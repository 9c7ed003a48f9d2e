"""`autograder/bank/<lab>/equivalent.toml`: survivors that are right, each with a reason.

    [[equivalent]]
    question = "wrap"
    operator = "argument"
    before = 'self.log("train_loss", loss)'
    after = ['self.log("train_loss", loss, on_step=True)']
    reason = "Lightning's own default in training_step"

`before` and `after` are the changed lines without indentation, as `autograder mutate` prints them;
`after` lists one or more of the same reason.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
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
    if not path.exists():
        return []
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("equivalent", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AuthorError(path, "", f"it can't be read: {error}", "mend its TOML") from error
    found = [entry for number, item in enumerate(entries, 1) for entry in _read(path, number, item)]
    for entry in found:
        if [other.change for other in found].count(entry.change) > 1:
            fault = f"two entries are of one change: {entry.before!r} to {entry.after!r}"
            raise AuthorError(path, entry.question_id, fault, "leave one of them out")
    return found


def _read(path: Path, number: int, item: dict[str, object]) -> list[Equivalent]:
    after = item.get("after")
    listed = [after] if isinstance(after, str) else after
    whole = set(item) == {*_TEXTS, "after"} and all(isinstance(item[n], str) for n in _TEXTS)
    if not whole or not isinstance(listed, list) or not all(isinstance(a, str) for a in listed):
        step = f"write {', '.join(_TEXTS)} as texts, and after as a text or a list of texts"
        raise AuthorError(path, "", f"entry {number} is no entry: {str(item)[:200]}", step)
    question, operator, before, reason = (str(item[name]).strip() for name in _TEXTS)
    if len(reason) < _SHORTEST:
        step = "say why the changed answer is right"
        raise AuthorError(path, question, f"entry {number} gives {reason!r} as its reason", step)
    return [Equivalent(question, operator, before, str(text).strip(), reason) for text in listed]


def match(lab: Lab, entries: Iterable[Equivalent], mutants: Iterable[Mutant]) -> Reasons:
    """The reasons by change.

    Raises:
        AuthorError: an entry is of no mutant any more.
    """
    known = {mutant.change for mutant in mutants}
    reasons = {}
    for entry in entries:
        if entry.change not in known:
            raise stale_error(lab, entry, "no mutant is changed like that any more")
        reasons[entry.change] = entry.reason
    return reasons


def stale_error(lab: Lab, entry: Equivalent, why: str) -> AuthorError:
    """The error of an entry that says nothing any more."""
    fault = f"{entry.operator}: {entry.before!r} to {entry.after!r}: {why}"
    return AuthorError(file_of(lab), entry.question_id, fault, "take the entry out")
