"""Reads untrusted evidence.

Evidence of a graded submission comes from a process that ran a student's code. A judge reads it
through `Evidence`, which checks the type at each step. A wrong type raises `MalformedError`, and
the question gets the finding LIT903.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from litcourse.core.tree import Tree


LONGEST_TEXT = 2000
"""A judge reads so many characters of a text; the rest is cut off."""
LONGEST_LIST = 100_000
"""Most children of a list or dict; no probe writes more."""


class MalformedError(ValueError):
    """Evidence that no probe writes; `path` is its place in the tree."""

    def __init__(self, path: str, wanted: str) -> None:
        self.path = path
        super().__init__(f"The evidence has no {wanted} at {path or 'its root'}.")


class Evidence:
    """A node of evidence and its path from the root; each method raises `MalformedError`."""

    def __init__(self, node: Tree, path: str = "") -> None:
        self._node = node
        self.path = path

    def __getitem__(self, key: str) -> Evidence:
        """The child `key` of a dict."""
        if not isinstance(self._node, dict) or key not in self._node:
            raise MalformedError(self.path, f"entry {key!r}")
        return Evidence(self._node[key], f"{self.path}/{key}")

    def __contains__(self, key: str) -> bool:
        return isinstance(self._node, dict) and key in self._node

    def __iter__(self) -> Iterator[Evidence]:
        """The children of a list."""
        if not isinstance(self._node, list) or len(self._node) > LONGEST_LIST:
            raise MalformedError(self.path, "list")
        children = enumerate(self._node)
        return iter([Evidence(child, f"{self.path}/{i}") for i, child in children])

    def keys(self) -> list[str]:
        """The keys of a dict."""
        if not isinstance(self._node, dict) or len(self._node) > LONGEST_LIST:
            raise MalformedError(self.path, "dict")
        return list(self._node)

    @property
    def is_none(self) -> bool:
        """Whether the probe measured nothing here."""
        return self._node is None

    def number(self) -> float:
        """An int or float, possibly NaN or infinite."""
        node = self._of((int, float), "number")
        try:
            return float(node)
        except OverflowError:
            raise MalformedError(self.path, "number that a float can hold") from None

    def integer(self) -> int:
        """An int."""
        return int(self._of((int,), "integer"))

    def flag(self) -> bool:
        """A bool."""
        return bool(self._of((bool,), "flag"))

    def text(self) -> str:
        """A string, cut to `LONGEST_TEXT` characters."""
        return str(self._of((str,), "text"))[:LONGEST_TEXT]

    def texts(self) -> list[str]:
        """A list of strings."""
        return [child.text() for child in self]

    def numbers(self) -> list[float]:
        """A list of numbers."""
        return [child.number() for child in self]

    def integers(self) -> list[int]:
        """A list of integers."""
        return [child.integer() for child in self]

    def tensor(self) -> Tensor:
        """A tensor of any shape and dtype, neither sparse nor quantised."""
        import torch

        node: Tensor = self._of((torch.Tensor,), "tensor")
        if node.layout is not torch.strided or node.is_quantized:
            raise MalformedError(self.path, "plain tensor")
        return node

    def tensors(self) -> dict[str, Tensor]:
        """A dict of tensors."""
        return {key: self[key].tensor() for key in self.keys()}

    def _of(self, types: tuple[type, ...], wanted: str) -> Any:
        if not isinstance(self._node, types) or (type(self._node) is bool and bool not in types):
            raise MalformedError(self.path, wanted)
        return self._node


def is_close(a: float, b: float, tolerance: float) -> bool:
    """Whether two finite numbers differ by at most `tolerance`."""
    return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= tolerance


def have_same_keys(a: Mapping[str, object], b: Mapping[str, object]) -> bool:
    """Whether two mappings have the same keys."""
    return set(a) == set(b)
