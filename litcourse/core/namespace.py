"""The names that a notebook defines, and the files that it wrote, as a probe reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litcourse.core.names import sort_by_similarity
from litcourse.core.tree import Tree

NEIGHBOURS = 5
"""A message lists at most so many names in place of a missing one."""


class Student:
    """The names that a notebook defines, read by a probe as `student["LitClassifier"]`.

    Args:
        namespace: the notebook's names and their values.
        files: texts of the files that the notebook wrote, by name.
    """

    def __init__(
        self, namespace: Mapping[str, Any], files: Mapping[str, str] | None = None
    ) -> None:
        self._namespace = namespace
        self._files = dict(files or {})

    def __getitem__(self, name: str) -> Any:
        return self._namespace[name]

    def file(self, name: str) -> str:
        """The text of a file that the question's `files` lists."""
        return self._files[name]

    def missing(self, names: tuple[str, ...]) -> dict[str, Tree] | None:
        """The first of `names` that is not defined and similar names that are; None if all are."""
        for name in names:
            if name not in self._namespace:
                known = [key for key, value in self._namespace.items() if _is_students(key, value)]
                return {"name": name, "defined": sort_by_similarity(name, known)[:NEIGHBOURS]}
        return None


def _is_students(key: str, value: object) -> bool:
    main = getattr(value, "__module__", None) == "__main__"
    return main and callable(value) and not key.startswith("_")
