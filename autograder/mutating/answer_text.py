"""An answer as text with its syntax tree, and changes of that text.

Changes are replacements in the text, not in the tree: so a diff shows one line, and comments stay.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Change:
    """Text from offset `start` to `end` is replaced by `new`."""

    start: int
    end: int
    new: str


Operator = Callable[["AnswerText"], Iterator[Change]]
"""Gives every change of one kind."""


class AnswerText:
    """The source of an answer.

    Args:
        text: Python; without a line that begins with %%.

    Raises:
        SyntaxError: when the tree is asked for and the text is no Python.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node, outer ones first."""
        return list(ast.walk(self.tree))

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The parent of each node."""
        return {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def docstrings(self) -> set[ast.AST]:
        """Constants that are docstrings, and the statements that hold them."""
        found: set[ast.AST] = set()
        for node in self.nodes:
            if isinstance(node, Function | ast.ClassDef | ast.Module) and node.body:
                first = node.body[0]
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                    found |= {first, first.value}
        return found

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        for line in self.text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        return starts

    def offset(self, line: int, column: int) -> int:
        """The offset of a place as `ast` gives it: lines from 1, columns in bytes of UTF-8."""
        start = self._line_starts[line - 1]
        text = self.text[start : self._line_starts[min(line, len(self._line_starts) - 1)]]
        return start + len(text.encode()[:column].decode())

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Offsets of the start and the end of a node."""
        place: ast.expr = node  # type: ignore[assignment]  # statements have these, too
        assert place.end_lineno is not None  # noqa: S101 (parsed nodes have it)
        assert place.end_col_offset is not None  # noqa: S101
        start = self.offset(place.lineno, place.col_offset)
        return start, self.offset(place.end_lineno, place.end_col_offset)

    def source(self, node: ast.AST) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def replace(self, node: ast.AST, new: str) -> Change:
        """The change that puts `new` in a node's place."""
        return Change(*self.span(node), new)

    def drop_statement(self, node: ast.stmt) -> Change:
        """The change that takes a statement out; `pass` stands in where it was the only one."""
        siblings = self.siblings(node)
        if len([s for s in siblings if s not in self.docstrings]) == 1:
            return self.replace(node, "pass")
        decorators = getattr(node, "decorator_list", [])
        first = decorators[0].lineno if decorators else node.lineno
        start = self._line_starts[first - 1]
        return Change(start, self._line_starts[node.end_lineno or node.lineno], "")

    def siblings(self, node: ast.stmt) -> list[ast.stmt]:
        """The block that holds a statement."""
        for _, value in ast.iter_fields(self.parents[node]):
            if isinstance(value, list) and node in value:
                return value
        return [node]

    def insert_before(self, node: ast.stmt, *lines: str) -> Change:
        """The change that puts lines above a statement, as far to the right."""
        start = self.span(node)[0]
        indent = " " * node.col_offset
        return Change(start, start, "".join(f"{line}\n{indent}" for line in lines))

    def insert_after(self, node: ast.stmt, *lines: str) -> Change:
        """The change that puts lines below a statement."""
        end = self.span(node)[1]
        indent = " " * node.col_offset
        return Change(end, end, "".join(f"\n{indent}{line}" for line in lines))

    def functions(self) -> Iterator[Function]:
        """All functions and methods."""
        for node in self.nodes:
            if isinstance(node, Function):
                yield node

    def body(self, function: Function) -> list[ast.stmt]:
        """The statements of a function, its docstring left out."""
        return [statement for statement in function.body if statement not in self.docstrings]

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """All calls, with the last part of what is called: `Trainer` of `L.Trainer(...)`."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else ""
                yield (called.id if isinstance(called, ast.Name) else name), node

    def drop_item(self, items: list[ast.AST], index: int) -> Change:
        """The change that takes one of several items out, with a comma beside it."""
        start, end = self.span(items[index])
        if index + 1 < len(items):
            return Change(start, self.span(items[index + 1])[0], "")
        if index:
            return Change(self.span(items[index - 1])[1], end, "")
        rest = self.text[end:]
        gap = len(rest) - len(rest.lstrip())
        return Change(start, end + gap + 1 if rest[gap : gap + 1] == "," else end, "")


def apply(text: str, change: Change) -> str:
    """The text after a change."""
    return text[: change.start] + change.new + text[change.end :]
