"""Notes which execution of which cell defined a name, so that a card can say what it judged.

A check sees the kernel's names, not the notebook's text: after an edit that was not run, or that
did not run to its end, the names are still those of before.
"""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from litcourse.frontends.foreign_imports import imported_names

_WRITTEN = re.compile(r"\s*%%(?:writefile|file)\b(.*)")
_DEFINED = re.compile(
    r"^(?:class|def|async\s+def)\s+(\w+)|^(\w+)\s*(?::[^=\n]*)?=(?!=)", re.MULTILINE
)


@dataclass(frozen=True)
class Execution:
    """One run of a cell.

    Args:
        number: the number that the notebook shows, as in `[83]`.
        source: text of the cell.
        names: names of classes, functions and variables that the cell defines, and files that it
            writes.
        undone: those of them that it did not come to define.
        error: name of the exception that ended it, or "".
    """

    number: int
    source: str
    names: frozenset[str]
    undone: frozenset[str]
    error: str


@dataclass
class Executions:
    """The executions of a kernel since `watch`.

    Attributes:
        known: those that define something, in order.
        objects: the identity of each name's value after the last of them, which tells whether a
            cell that failed had come to define it.
        imports: packages that any cell imports.
        watches: whether `watch` was called.
    """

    known: list[Execution] = field(default_factory=list)
    objects: dict[str, int] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)
    watches: bool = False

    def watch(self) -> None:
        """Note each cell that this process's IPython shell runs from now on."""
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        if shell is not None and not self.watches:
            shell.events.register("post_run_cell", lambda result: self.note(result, shell.user_ns))
            self.objects.update({name: id(value) for name, value in shell.user_ns.items()})
            self.watches = True

    def note(self, result: Any, namespace: Mapping[str, object]) -> None:
        """Note one execution, from IPython's `ExecutionResult` and the names after it."""
        number, source = result.execution_count, getattr(result.info, "raw_cell", "")
        self.imports |= imported_names(source)
        names = defined_names(source) if number else frozenset()
        if not names:
            return
        now = {name: id(namespace[name]) for name in names if name in namespace}
        error = result.error_before_exec or result.error_in_exec
        undone = [name for name in names if error and now.get(name) == self.objects.get(name)]
        self.objects.update(now)
        kind = type(error).__name__ if error else ""
        self.known.append(Execution(number, source, names, frozenset(undone), kind))

    def find_last(self, names: Sequence[str]) -> Execution | None:
        """The last execution that defined one of `names`."""
        for each in reversed(self.known):
            if any(name in each.names and name not in each.undone for name in names):
                return each
        return None

    def describe(self, names: Sequence[str]) -> str:
        """What a check of `names` judges: the executions that count, and later ones that failed."""
        failed, done = [], []
        for name in names:
            runs = [each for each in self.known if name in each.names]
            failed += [each for each in runs[-1:] if name in each.undone]
            done += [each for each in runs if name not in each.undone][-1:]
        parts = [
            f"The cell run as [{each.number}] ended with {each.error}, so this is not about it."
            for each in _unique(failed)
        ]
        numbers = ", ".join(f"[{each.number}]" for each in _unique(done))
        parts += [f"Judged: your code as run in {numbers}."] if numbers else []
        return " ".join(parts)


def _unique(executions: Iterable[Execution]) -> list[Execution]:
    return sorted(set(executions), key=lambda each: each.number)


def defined_names(source: str) -> frozenset[str]:
    """Names that a cell defines at its top level, or the file that it writes.

    In a cell that Python can't parse, the lines that look like definitions.
    """
    written = _WRITTEN.match(source)
    if written:
        return frozenset(_last_word(written[1]))
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        guessed = [name for found in _DEFINED.finditer(source) for name in found.groups()]
        return frozenset(name for name in guessed if name)
    return frozenset(name for node in body for name in _names_of(node))


def _last_word(text: str) -> list[str]:
    """The file's name among the arguments of a magic, which may be options and quoted."""
    try:
        return shlex.split(text)[-1:]
    except ValueError:  # a quote that is not closed
        return []


def _names_of(node: ast.stmt) -> Iterable[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        yield node.name
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for each in (inner for target in targets for inner in ast.walk(target)):
            if isinstance(each, ast.Name):
                yield each.id


EXECUTIONS = Executions()
"""Those of this kernel."""
