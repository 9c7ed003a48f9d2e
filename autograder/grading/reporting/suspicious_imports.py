"""Finds modules of `litcourse` that a submission names and its lab does not.

To forge evidence, code needs the channel by which evidence leaves, and the judge. This module only
looks for their names: it helps a person who reads code, and stops nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import litcourse
from autograder.nbgrader_plugins.submissions.submission_files import open_plain

if TYPE_CHECKING:
    from nbformat import NotebookNode

_DOTTED = r"((?:\s*\.\s*\w+){0,8})"
_NAME = re.compile(rf"\blitcourse{_DOTTED}")
_IMPORT = re.compile(rf"\bfrom\s+litcourse{_DOTTED}\s+import\b(\s*\([^)]{{0,300}}|[^\n]{{0,300}})")
"""The bounds keep the search linear, whatever text a submission holds."""


def find_suspicious_imports(
    notebook: NotebookNode, files: Mapping[str, Path], unsolved: NotebookNode
) -> list[str]:
    """Modules of `litcourse` that submitted code names, such as `core.evidence`.

    Args:
        notebook: the submitted notebook.
        files: the files beside it, path by name; only Python modules are read.
        unsolved: the lab as students got it; modules that it names do not count.
    """
    texts = [*_code(notebook)]
    for name, path in files.items():
        if name.endswith(".py"):
            with open_plain(path) as file:
                texts.append(file.read().decode(errors="replace"))
    found = _find_modules(texts) - _find_modules(_code(unsolved))
    return sorted(n for n in found if not any(other.startswith(f"{n}.") for other in found))


def _code(notebook: NotebookNode) -> Iterable[str]:
    return (cell.source for cell in notebook.cells if cell.cell_type == "code")


def _find_modules(texts: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for text in texts:
        found.update(_longest_module(_split(dotted)) for dotted in _NAME.findall(text))
        for dotted, names in _IMPORT.findall(text):
            found.update(
                _longest_module([*_split(dotted), name]) for name in re.findall(r"\w+", names)
            )
    return found - {""}


def _split(dotted: str) -> list[str]:
    return re.findall(r"\w+", dotted)


def _longest_module(parts: list[str]) -> str:
    """The longest beginning of a dotted name that is a module, or ""."""
    ends = range(len(parts), 0, -1)
    return next((name for end in ends if (name := ".".join(parts[:end])) in _modules()), "")


@cache
def _modules() -> frozenset[str]:
    """All modules of `litcourse`, found as files: importing them would import torch."""
    (root,) = map(Path, litcourse.__path__)
    paths = [path.relative_to(root).with_suffix("") for path in root.rglob("*.py")]
    return frozenset(".".join(path.parts).removesuffix(".__init__") for path in paths)
