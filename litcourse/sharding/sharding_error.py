"""The error of all tools for sharding, and whether a rank met it."""

from __future__ import annotations

from litcourse.core.tree import Tree
from litcourse.probing.attempts import NotMeasuredError
from litcourse.probing.private_names import ChangedError


class ShardingError(ChangedError):
    """Torch or Lightning has changed, so that a measurement of sharding would be wrong."""

    cannot = "sharding can't be measured"
    works_with = "lightning 2.6.6 and torch 2.15"
    room = "litcourse.sharding"


def measured(evidence: dict[str, Tree]) -> dict[str, Tree]:
    """`evidence` of `run_ranks`, if every tool could measure there.

    Raises:
        NotMeasuredError: a rank says that one could not.
    """
    reason = _find_reason(evidence)
    if reason:
        raise NotMeasuredError(reason)
    return evidence


def _find_reason(node: Tree) -> str:
    if isinstance(node, list):
        return next(filter(None, map(_find_reason, node)), "")
    if not isinstance(node, dict):
        return ""
    if isinstance(node.get("not_measured"), str):
        return str(node["not_measured"])
    if node.get("type") == ShardingError.__name__:  # of an exception that ended a rank
        return str(node.get("message"))
    return next(filter(None, map(_find_reason, node.values())), "")
