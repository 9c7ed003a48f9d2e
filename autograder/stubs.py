"""Unsolved cells: what takes the place of an answer."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from nbgrader.preprocessors import ClearSolutions

if TYPE_CHECKING:
    from nbformat import NotebookNode

COMMENT = "# YOUR CODE HERE"
_PYTHON, _WRITES = ".py", "%%writefile"


class ClearAnswers(ClearSolutions):
    """nbgrader's step, but for files in another language than the notebook's.

    In a batch script Python's `raise` would be a syntax error. A comment is enough there.
    """

    def _replace_solution_region(self, cell: NotebookNode, language: str) -> bool:
        if not is_foreign(cell.source):
            return bool(super()._replace_solution_region(cell, language))
        before: dict[str, str] = self.code_stub  # type: ignore[has-type]  # a trait of nbgrader's
        self.code_stub = {**before, language: COMMENT}
        try:
            return bool(super()._replace_solution_region(cell, language))
        finally:
            self.code_stub = before


def is_foreign(source: str) -> bool:
    """Whether a cell writes a file that is not Python's."""
    head = source.partition("\n")[0]
    return head.startswith(_WRITES) and not head.endswith(_PYTHON)


def clear_answers(notebook: NotebookNode) -> NotebookNode:
    """A copy of an instructor's notebook with stubs in place of its answers."""
    cleared: NotebookNode = ClearAnswers().preprocess(copy.deepcopy(notebook), {})[0]
    return cleared
