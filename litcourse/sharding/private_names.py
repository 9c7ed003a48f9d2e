"""Finds private names of torch and Lightning, and says clearly which one is gone."""

from __future__ import annotations

import importlib
from typing import Any

import lightning as L
import torch

from litcourse.core.tree import Tree
from litcourse.probing.attempts import NotMeasuredError


class ShardingError(NotMeasuredError):
    """Torch or Lightning has changed, so that a measurement of sharding would be wrong.

    Args:
        name: the private name.
        what: what is wrong with it.
    """

    def __init__(self, name: str, what: str) -> None:
        self.name = name
        super().__init__(
            f"{name} {what}: sharding can't be measured with the installed lightning "
            f"{L.__version__} and torch {torch.__version__}. Install lightning 2.6.6 and torch "
            "2.15, or tell whoever maintains litcourse.sharding."
        )


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


def find_private(path: str) -> Any:
    """The object at `path`, such as "package.module.name" or "package.module.Class.name".

    Raises:
        ShardingError: it is not there.
    """
    parts = path.split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        try:
            for part in parts[end:]:
                found = getattr(found, part)
        except AttributeError:
            break
        return found
    raise ShardingError(path, "is not there any more")
