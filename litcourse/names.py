"""Names that a person may mistype, answered with the valid ones, nearest first."""

from collections.abc import Iterable
from difflib import SequenceMatcher


def nearest(name: str, valid: Iterable[str]) -> list[str]:
    """All `valid` names, the most similar to `name` first, equal ones alphabetically."""

    def distance(candidate: str) -> tuple[float, str]:
        ratio = SequenceMatcher(None, name.lower(), candidate.lower()).ratio()
        return -ratio, candidate

    return sorted(valid, key=distance)


class UnknownNameError(LookupError):
    """A lab, question or finding that does not exist.

    Args:
        kind: what was looked up, e.g. "question".
        name: the name as it was given.
        valid: the names that do exist.
    """

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.valid = nearest(name, valid)
        known = ", ".join(self.valid) or "none"
        super().__init__(f"There is no {kind} {name!r}. Nearest first: {known}.")
