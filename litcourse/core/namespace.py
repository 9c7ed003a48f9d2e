"""What a notebook defines, and the files that it wrote, as a probe reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litcourse.core.names import sort_by_similarity
from litcourse.core.tree import Tree

NEIGHBOURS = 5
"""Most names that a message lists in place of one that is missing."""


class Student:
    """The names that a notebook defines, read by a probe as `student["LitClassifier"]`.

    Args:
        namespace: of the notebook.
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
        """Text of a file that the question's `files` lists."""
        return self._files[name]

    def missing(self, names: tuple[str, ...]) -> dict[str, Tree] | None:
        """The first of `names` that is not defined and what is defined instead, or None."""
        for name in names:
            if name not in self._namespace:
                own = [key for key, value in self._namespace.items() if _is_own(key, value)]
                return {"name": name, "defined": sort_by_similarity(name, own)[:NEIGHBOURS]}
        return None


def _is_own(key: str, value: object) -> bool:
    main = getattr(value, "__module__", None) == "__main__"
    return main and callable(value) and not key.startswith("_")
