"""Which parts of `litcourse` a submission names, though its lab does not.

Whoever forges evidence has to find the channel that it leaves by, and the judge that it has to
please. This looks for the names alone: it helps a person who reads code, and stops nobody.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import litcourse
from autograder.grading.submissions import opened

if TYPE_CHECKING:
    from nbformat import NotebookNode

_PART = re.compile(r"\blitcourse\s*\.\s*(\w+)")
_IMPORT = re.compile(r"\bfrom\s+litcourse\s+import\b(\s*\([^)]{0,300}|[^\n]{0,300})")
"""The bounds keep a search linear that a submission's text can be made for."""


def beyond(notebook: NotebookNode, files: Mapping[str, Path], unsolved: NotebookNode) -> list[str]:
    """Modules of `litcourse` that are named in code which was handed in.

    Args:
        notebook: what was handed in.
        files: what came with it, path by name; of them the modules of Python count.
        unsolved: the lab as students got it; what it names does not count.
    """
    texts = [*_code(notebook)]
    for name, path in files.items():
        if name.endswith(".py"):
            with opened(path) as file:
                texts.append(file.read().decode(errors="replace"))
    return sorted(_named(texts) - _named(_code(unsolved)))


def _code(notebook: NotebookNode) -> Iterable[str]:
    return (cell.source for cell in notebook.cells if cell.cell_type == "code")


def _named(texts: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for text in texts:
        found.update(_PART.findall(text))
        for names in _IMPORT.findall(text):
            found.update(re.findall(r"\w+", names))
    return found & _modules()


@cache
def _modules() -> frozenset[str]:
    return frozenset(module.name for module in pkgutil.iter_modules(litcourse.__path__))
