"""Mends a submitted notebook, so that every question has its cells in their places.

The lab as students got it decides on metadata and locked cells; solution cells and the student's
own cells keep their sources.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

from nbformat import NotebookNode, v4
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.course import CHECK, is_demo
from autograder.nbgrader_plugins import submission_metadata
from autograder.nbgrader_plugins.submission_metadata import KEY, Context, Notice


class Repair(NbGraderPreprocessor):
    """Runs `repair` on a submission and adds its notices; the first step of sanitizing."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Mend `nb` in place."""
        context: Context = resources[KEY]
        metadata = submission_metadata.read(nb)
        mended = repair(nb, context.unsolved)
        for notice in mended:
            self.log.warning("%s: %s, cell %s", context.student, notice.code, notice.cell)
        metadata.notices += mended
        metadata.write(nb)
        return nb, resources


def repair(notebook: NotebookNode, unsolved: NotebookNode) -> list[Notice]:
    """Mend `notebook` in place.

    Args:
        notebook: a submission, from `reading.read`.
        unsolved: the lab as students got it.

    Returns:
        a notice of each change that concerns the student.
    """
    return _Mender(notebook, unsolved).mend()


def is_executed(cell: NotebookNode) -> bool:
    """Whether grading executes the cell."""
    mark = cell.metadata.get(KEY, {})
    return cell.cell_type == "code" and bool(cell.source.strip()) and not mark.get("skip")


class _Mender:
    """Matches the cells of a notebook with those of the lab, by id, and mends them."""

    def __init__(self, notebook: NotebookNode, unsolved: NotebookNode) -> None:
        self.cells: list[NotebookNode] = notebook.cells
        self.wanted = {_grade_id(cell): cell for cell in unsolved.cells if _grade_id(cell)}
        self.order = {name: index for index, name in enumerate(self.wanted)}
        self.notices: list[Notice] = []
        self.ids = [_grade_id(cell) for cell in self.cells]
        self.ids = [name if name in self.wanted else "" for name in self.ids]

    def mend(self) -> list[Notice]:
        self._identify_cells()
        for name in self.wanted:
            self._keep_one(name)
        for name in filter(_is_check, self.wanted):
            self._drop_early_check(name)
        for cell, name in zip(self.cells, self.ids, strict=True):
            self._restore(cell, name)
        for name in self.wanted:
            if name not in self.ids and not is_demo(self.wanted[name]):
                self._put_back(name)
        return self.notices

    def _note(self, code: str, name: str) -> None:
        question_id = name.removesuffix(CHECK)
        known = question_id + CHECK in self.wanted
        self.notices.append(Notice(code, question_id if known else "", name))

    def _identify_cells(self) -> None:
        """Identify cells that lost nbgrader's metadata: by cell id, check cells also by text."""
        by_id = {cell.get("id"): name for name, cell in self.wanted.items()}
        taken = set(self.ids)
        for index, cell in enumerate(self.cells):
            name = by_id.get(cell.get("id"), "")
            if name and name not in taken and not self.ids[index]:
                self.ids[index] = name
                taken.add(name)
        texts = {cell.source.strip(): name for name, cell in self.wanted.items() if _is_check(name)}
        for index, cell in reversed(list(enumerate(self.cells))):
            name = texts.get(cell.source.strip(), "")
            if name and name not in taken and not self.ids[index]:
                self.ids[index] = name
                taken.add(name)

    def _keep_one(self, name: str) -> None:
        """Of several cells of one id keep the last that stands in place; the others lose the id."""
        indices = [index for index, found in enumerate(self.ids) if found == name]
        if len(indices) < 2:  # noqa: PLR2004 (more than one)
            return
        kept = self._well_placed(name, indices) or indices
        for index in set(indices) - {kept[-1]}:
            self.ids[index] = ""
            if not self.wanted[name].metadata.nbgrader.solution:
                self.cells[index].metadata[KEY] = {"skip": True}
        if not is_demo(self.wanted[name]):
            self._note("LIT911", name)

    def _drop_early_check(self, name: str) -> None:
        """Drop a check cell in front of its solution cell: the check would find nothing."""
        solution = name.removesuffix(CHECK)
        if {name, solution} <= set(self.ids) and self.ids.index(name) < self.ids.index(solution):
            index = self.ids.index(name)
            self.ids[index] = ""
            self.cells[index].metadata[KEY] = {"skip": True}

    def _well_placed(self, name: str, indices: list[int]) -> list[int]:
        """Those of `indices` that stand in the lab's order, among the cells that occur once."""
        counts, mine = Counter(self.ids), self.order[name]
        single = [(p, self.order[n]) for p, n in enumerate(self.ids) if n and counts[n] == 1]
        after = max((index for index, order in single if order < mine), default=-1)
        before = min((index for index, order in single if order > mine), default=len(self.ids))
        return [index for index in indices if after < index < before]

    def _restore(self, cell: NotebookNode, name: str) -> None:
        """Restore the cell's metadata and type from the lab, and the source of a locked cell."""
        kept = {key: cell.metadata[key] for key in (KEY,) if key in cell.metadata}
        if not name:
            cell.metadata = NotebookNode(kept)
            return
        wanted = self.wanted[name]
        demo = is_demo(wanted)
        if cell.cell_type != wanted.cell_type:
            _retype(cell, wanted.cell_type)
            if not demo:
                self._note("LIT912", name)
        cell.metadata = copy.deepcopy(wanted.metadata)
        if demo:
            cell.metadata[KEY] = {"skip": True}
        if not wanted.metadata.nbgrader.solution and cell.source != wanted.source:
            if cell.source.strip() != wanted.source.strip() and not demo:
                self._note("LIT913", name)
            cell.source = wanted.source

    def _put_back(self, name: str) -> None:
        cell = copy.deepcopy(self.wanted[name])
        if cell.metadata.nbgrader.solution:
            # A stub must not run: it would undo an answer that stands in another cell.
            cell.metadata[KEY] = {"skip": True}
        index = self._before_next(name) if _is_check(name) else self._after_previous(name)
        self.cells.insert(index, cell)
        self.ids.insert(index, name)
        code = "LIT909" if _is_check(name) else "LIT910"
        self._note(code, name)

    def _after_previous(self, name: str) -> int:
        """Index behind the nearest cell that precedes `name` in the lab and is there."""
        earlier = [other for other in self.wanted if self.order[other] < self.order[name]]
        return next((self.ids.index(e) + 1 for e in reversed(earlier) if e in self.ids), 0)

    def _before_next(self, name: str) -> int:
        """Index of the next question: all cells that may belong to `name` run before it."""
        solution = name.removesuffix(CHECK)
        start = self.ids.index(solution) + 1 if solution in self.ids else 0
        later = {other for other in self.wanted if self.order[other] > self.order[name]}
        indices = range(start, len(self.ids))
        return next((index for index in indices if self.ids[index] in later), len(self.ids))


def _grade_id(cell: NotebookNode) -> str:
    found = cell.metadata.get("nbgrader", {}).get("grade_id", "")
    return found if isinstance(found, str) else ""


def _is_check(name: str) -> bool:
    return name.endswith(CHECK)


def _retype(cell: NotebookNode, kind: str) -> None:
    makers: dict[str, Callable[..., NotebookNode]] = {
        "code": v4.new_code_cell,
        "markdown": v4.new_markdown_cell,
    }
    make = makers.get(kind, v4.new_raw_cell)
    fresh = make(cell.source, metadata=cell.metadata)  # type: ignore[no-untyped-call]
    fresh["id"] = cell["id"]
    cell.clear()
    cell.update(fresh)
