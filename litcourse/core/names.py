"""Words of messages: valid names, nearest first, for a mistyped one; a number with its noun."""

from collections.abc import Iterable
from difflib import SequenceMatcher

_SHOWN = 8
"""A message lists at most so many names: they fit on two lines of a terminal."""


def sort_by_similarity(name: str, valid: Iterable[str]) -> list[str]:
    """All `valid` names, the most similar to `name` first, equal ones alphabetically."""

    def distance(candidate: str) -> tuple[float, str]:
        ratio = SequenceMatcher(None, name.lower(), candidate.lower()).ratio()
        return -ratio, candidate

    return sorted(valid, key=distance)


def count_noun(number: int, noun: str) -> str:
    """A number with its noun: "1 rank", "2 ranks"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class UnknownNameError(LookupError):
    """A lab, question or finding that does not exist.

    Args:
        kind: kind of thing that the name stands for, e.g. "question".
        name: the unknown name.
        valid: the names that exist; the message lists the nearest of them, `self.valid` all.
        owner: the thing that was searched, e.g. "lab1_mnist"; empty for the course itself.
    """

    def __init__(self, kind: str, name: str, valid: Iterable[str], owner: str = "") -> None:
        self.kind = kind
        self.name = name
        self.valid = sort_by_similarity(name, valid)
        self.owner = owner
        missing = f"{owner} has no" if owner else "There is no"
        super().__init__(f"{missing} {kind} {name!r}. Nearest first: {self._known()}")

    def _render_traceback_(self) -> list[str]:
        """IPython shows this in place of a traceback, which would be all of the course's lines."""
        return [str(self)]

    def _known(self) -> str:
        shown = ", ".join(self.valid[:_SHOWN]) or "none"
        hidden = len(self.valid) - _SHOWN
        return f"{shown} … and {hidden} more." if hidden > 0 else f"{shown}."
