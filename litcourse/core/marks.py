"""Combines the marks of a judge's parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from litcourse.core.evidence import Evidence
from litcourse.core.question import Earned, Finding, Mark, NotLookedAt

LONGEST_REASON = 500
"""A card, the output of a run and its tables show so many characters of a reason in evidence."""
_Mark = TypeVar("_Mark", bound=Mark)


def merge(parts: Iterable[Sequence[Mark]]) -> list[Mark]:
    """The marks of an answer that was measured in several parts, e.g. on several networks.

    A criterion is earned only if each part earns it. So one part that breaks off before it looks
    at a criterion leaves that criterion open, and no parts at all earn nothing.

    Returns:
        the findings and the reasons of all parts, then one `Earned` if there is anything to earn.
    """
    all_parts = list(parts)
    others: list[Mark] = [
        mark for part in all_parts for mark in part if not isinstance(mark, Earned)
    ]
    by_part = [earned_criteria(part) for part in all_parts]
    common = [name for name in (by_part[0] if by_part else []) if all(name in e for e in by_part)]
    return [*others, Earned(tuple(common))] if common else others


def earned_criteria(marks: Sequence[Mark]) -> list[str]:
    """Ids of the criteria that `marks` earn, without those that another mark names."""
    open_or_failed = {c for mark in marks if not isinstance(mark, Earned) for c in mark.criteria}
    named = [c for mark in marks if isinstance(mark, Earned) for c in mark.criteria]
    return [name for name in dict.fromkeys(named) if name not in open_or_failed]


def find_findings(marks: Sequence[Mark]) -> list[Finding]:
    """The findings among `marks`."""
    return [mark for mark in marks if isinstance(mark, Finding)]


def first_of_each(marks: Sequence[_Mark]) -> list[_Mark]:
    """`marks`; of findings with one code and criteria the first, at the place of the last one."""
    found = {_key(mark): mark for mark in reversed(marks)}
    return list(found.values())[::-1]


def without_repeats(marks: Sequence[_Mark]) -> list[_Mark]:
    """`marks`; of findings with one code and criteria the first, at its own place."""
    found: dict[object, _Mark] = {}
    for mark in marks:
        found.setdefault(_key(mark), mark)
    return list(found.values())


def _key(mark: Mark) -> object:
    return (mark.code, mark.criteria) if isinstance(mark, Finding) else mark


def not_measured(evidence: Evidence, criteria: tuple[str, ...]) -> NotLookedAt:
    """The mark for evidence of `litcourse.probing.attempts.NotMeasuredError`."""
    # A frontend ends the sentence.
    reason = evidence["not_measured"].text()[:LONGEST_REASON].removesuffix(".")
    return NotLookedAt(criteria, reason, by_machine=True)
