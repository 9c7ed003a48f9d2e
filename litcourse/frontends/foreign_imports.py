"""Finds imports that the course does not bring, which work at home and fail where it is graded."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

BROUGHT = ("litcourse", "ipykernel", "ipywidgets", "jupyterlab", "matplotlib")
"""What `release/requirements.txt` asks for; all that these need comes along."""


def imported_names(source: str) -> set[str]:
    """Names of the packages that a cell imports, at any place in it."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        return set()
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    froms = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in [*plain, *filter(None, froms)]}


def tell_foreign(names: Iterable[str]) -> str:
    """A sentence on those of `names` that the course does not bring, or ""."""
    others = sorted(name for name in names if not _is_usual(name))
    foreign = [name for name in others if not _belongs(name)]
    if not foreign:
        return ""
    several = len(foreign) > 1
    return (
        f"Your notebook imports {', '.join(foreign)}, which the course does not bring: where it is "
        f"graded, {'they' if several else 'it'} may be missing."
    )


def _is_usual(name: str) -> bool:
    """Whether a name is of Python itself, or of a file beside the notebook."""
    return name in sys.stdlib_module_names or Path(f"{name}.py").is_file() or Path(name).is_dir()


def _belongs(name: str) -> bool:
    """Whether a package comes with the course."""
    owners = {_normalise(owner) for owner in metadata.packages_distributions().get(name, [])}
    return bool(owners & _brought())


@cache
def _brought() -> frozenset[str]:
    """Names of the distributions that the course's requirements bring."""
    found: set[str] = set()
    waiting = [(name, frozenset[str]()) for name in BROUGHT]
    while waiting:
        name, extras = waiting.pop()
        if _normalise(name) in found and not extras:
            continue
        found.add(_normalise(name))
        waiting += [each for each in _needs(name, extras) if _normalise(each[0]) not in found]
    return frozenset(found)


def _needs(name: str, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """What a distribution needs here, with the extras that it asks for."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    needed = []
    for line in lines:
        try:
            required = Requirement(line)
        except InvalidRequirement:
            continue
        marker = required.marker
        if marker is None or any(marker.evaluate({"extra": each}) for each in ("", *extras)):
            needed.append((required.name, frozenset(required.extras)))
    return needed


def _normalise(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
