"""Which modules of `litcourse` a submission names, though its lab does not.

Whoever forges evidence has to find the channel that it leaves by, and the judge that it has to
please. This looks for the names alone: it helps a person who reads code, and stops nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import litcourse
from autograder.nbgrader_plugins.submission_files import open_plain

if TYPE_CHECKING:
    from nbformat import NotebookNode

_DOTTED = r"((?:\s*\.\s*\w+){0,8})"
_NAME = re.compile(rf"\blitcourse{_DOTTED}")
_IMPORT = re.compile(rf"\bfrom\s+litcourse{_DOTTED}\s+import\b(\s*\([^)]{{0,300}}|[^\n]{{0,300}})")
"""The bounds keep a search linear that a submission's text can be made for."""


def find_suspicious_imports(
    notebook: NotebookNode, files: Mapping[str, Path], unsolved: NotebookNode
) -> list[str]:
    """Modules of `litcourse` that are named in code which was handed in, as `core.evidence`.

    Args:
        notebook: what was handed in.
        files: what came with it, path by name; of them the modules of Python count.
        unsolved: the lab as students got it; what it names does not count.
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
    """The longest beginning of the dotted name that is a module, or ""."""
    ends = range(len(parts), 0, -1)
    return next((name for end in ends if (name := ".".join(parts[:end])) in _modules()), "")


@cache
def _modules() -> frozenset[str]:
    """Found as files: whoever grades imports no torch."""
    (root,) = map(Path, litcourse.__path__)
    paths = [path.relative_to(root).with_suffix("") for path in root.rglob("*.py")]
    return frozenset(".".join(path.parts).removesuffix(".__init__") for path in paths)
