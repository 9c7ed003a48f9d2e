"""The rules for a student notebook, which are checked before it is published.

Each rule compares the student notebook with its source and raises an `AuthorError`, which names
file, cell, fault and the next command.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from autograder.course import CHECK, DEMO_TAG, AuthorError, Lab, grade_id, is_demo

OTTER_IGNORE = "otter_ignore"
"""Tag of cells that otter skips."""
FIRST_MINOR_WITH_IDS = 5
_HIDDEN = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")


@dataclass(frozen=True)
class Compiled:
    """A lab's student notebook and its source.

    Args:
        lab: the lab; its notebook is the source.
        path: the student notebook.
        notebook: its content.
    """

    lab: Lab
    path: Path
    notebook: NotebookNode = field(init=False)

    def __post_init__(self) -> None:
        # NO_CONVERT: nbformat would silently add missing ids and upgrade old formats.
        text = self.path.read_text(encoding="utf-8")
        object.__setattr__(self, "notebook", nbformat.reads(text, as_version=nbformat.NO_CONVERT))

    def cell(self, name: str) -> NotebookNode:
        """The cell whose `grade_id` is `name`."""
        for cell in self.notebook.cells:
            if grade_id(cell) == name:
                found: NotebookNode = cell
                return found
        raise self.error(name, "the student notebook has no such cell", "restore the cell")

    def error(self, cell: str, fault: str, step: str) -> AuthorError:
        """An error about `cell` (its `grade_id` or id); it names the source notebook."""
        again = f"{step}, then: autograder build {self.lab.id}"
        return AuthorError(self.lab.path, cell, fault, again)


def check(compiled: Compiled) -> None:
    """Apply every rule, in the order listed in `RULES`.

    Raises:
        AuthorError: a rule does not hold; the first one is reported.
    """
    for rule in RULES:
        rule(compiled)


def _format(compiled: Compiled) -> None:
    notebook = compiled.notebook
    minor = (notebook.nbformat, notebook.nbformat_minor)
    if minor < (4, FIRST_MINOR_WITH_IDS):
        fault = f"its format is {minor[0]}.{minor[1]}, and cells have no ids before 4.5"
        raise compiled.error("", fault, "save it in a current JupyterLab")
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        raise compiled.error("", "its kernel is not python3", "choose the kernel 'Python 3'")


def _ids(compiled: Compiled) -> None:
    # From the source's JSON: nbformat replaces wrong ids by random ones, which differ in each
    # build.
    cells = json.loads(compiled.lab.path.read_text(encoding="utf-8"))["cells"]
    ids = [str(cell.get("id", "")) for cell in cells]
    repeated = sorted({name for name in ids if ids.count(name) > 1 or not name})
    if repeated:
        fault = f"cells without an id, or with the same one: {', '.join(map(repr, repeated))}"
        raise compiled.error("", fault, "give each cell its own id")


def _nothing_executed(compiled: Compiled) -> None:
    for cell in compiled.notebook.cells:
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None):
            raise compiled.error(_name(cell), "it holds an output", "clear all outputs")


def _nothing_hidden(compiled: Compiled) -> None:
    for cell in compiled.notebook.cells:
        for word in _HIDDEN:
            if f"BEGIN {word}" in cell.source or f"END {word}" in cell.source:
                fault = f"a marker of a {word.lower()} region is left"
                raise compiled.error(_name(cell), fault, "close the region")


def _compiles(compiled: Compiled) -> None:
    for cell in compiled.notebook.cells:
        if cell.cell_type != "code" or cell.source.startswith("%%"):
            continue
        try:
            _parse(cell)
        except SyntaxError as error:
            fault = f"unsolved, it does not compile: {error.msg} (line {error.lineno})"
            raise compiled.error(_name(cell), fault, "mend the cell") from error


def _parse(cell: NotebookNode) -> ast.Module:
    return ast.parse(TransformerManager().transform_cell(cell.source))


def _has_questions(compiled: Compiled) -> None:
    if not compiled.lab.questions:
        step = f"add one: autograder new {compiled.lab.id} my_question"
        raise compiled.error("", "it has no question", step)


def _solutions(compiled: Compiled) -> None:
    for name, cells in compiled.lab.questions.items():
        cell = compiled.cell(name)
        if not cell.metadata.nbgrader.get("solution"):
            raise compiled.error(name, "it is no solution cell", 'set nbgrader\'s "solution"')
        if "BEGIN SOLUTION" not in cells.solution:
            step = "mark the answer with ### BEGIN SOLUTION and ### END SOLUTION inside a body"
            raise compiled.error(name, "it has no solution region", step)
        if compiled.lab.find_question(name).files:
            _check_file_stub(compiled, name, cell)
        else:
            _check_stub(compiled, name, cell)


def _check_stub(compiled: Compiled, name: str, cell: NotebookNode) -> None:
    """Check that the stub defines the names of the question, and raises only inside of them."""
    body = _parse(cell).body
    defined = {getattr(node, "name", "") for node in body}
    if any(isinstance(node, ast.Raise) for node in body):
        step = "put the region inside the body of a function or method"
        raise compiled.error(name, "its solution region stands outside of any body", step)
    everywhere = _defined_names(compiled.notebook)
    missing = [n for n in compiled.lab.find_question(name).defines if n not in everywhere]
    if missing or not defined - {""}:
        fault = f"the unsolved notebook does not define {', '.join(missing) or 'anything here'}"
        raise compiled.error(name, fault, "keep class and def lines outside the region")


def _check_file_stub(compiled: Compiled, name: str, cell: NotebookNode) -> None:
    """Check that the stub writes a file of the question, in that file's language."""
    wanted = compiled.lab.find_question(name).files
    head, _, text = cell.source.partition("\n")
    magic, *arguments = head.split()
    if magic != "%%writefile" or arguments[-1:] != [f for f in wanted if f in arguments][:1]:
        step = f"begin the cell with %%writefile {wanted[0]}, outside the region"
        raise compiled.error(name, f"unsolved, it does not write {' or '.join(wanted)}", step)
    if arguments[-1].endswith(".py"):
        try:
            ast.parse(text)
        except SyntaxError as error:
            fault = f"unsolved, the file does not compile: {error.msg} (line {error.lineno})"
            raise compiled.error(name, fault, "put the region inside a body") from error
    elif "raise NotImplementedError" in text:
        step = "keep Python's raise out of a file that is not Python's"
        raise compiled.error(name, "unsolved, the file is in another language", step)


def _defined_names(notebook: NotebookNode) -> set[str]:
    cells = [c for c in notebook.cells if c.cell_type == "code" and not is_demo(c)]
    nodes = [node for c in cells if not c.source.startswith("%%") for node in _parse(c).body]
    return {getattr(node, "name", "") for node in nodes}


def _check_cells(compiled: Compiled) -> None:
    order = [grade_id(cell) for cell in compiled.notebook.cells]
    for name, question in compiled.lab.questions.items():
        cell, title = compiled.cell(name + CHECK), name + CHECK
        call = f"check.{name}()"
        if cell.cell_type != "code" or cell.source.strip() != call:
            raise compiled.error(title, f"a check cell holds just {call}", f"write {call}")
        if not _is_locked(cell) or not cell.metadata.nbgrader.get("grade"):
            raise compiled.error(title, "it is not locked", 'set "grade" and "locked"')
        if not question.points > 0:
            raise compiled.error(title, "it is worth no points", 'set "points"')
        if cell.metadata.get("otter", {}).get("tests") != [name]:
            step = f'add "otter": {{"tests": ["{name}"]}} to its metadata'
            raise compiled.error(title, "otter would not run its test there", step)
        if order.index(name) > order.index(title):
            raise compiled.error(title, "it stands before its solution cell", "move it down")


def _is_locked(cell: NotebookNode) -> bool:
    """Whether nbgrader restores the cell, and JupyterLab does not let a person edit it."""
    nbgrader, meta = cell.metadata.get("nbgrader", {}), cell.metadata
    return bool(nbgrader.get("locked")) and not meta.get("editable", True)


def _demonstrations(compiled: Compiled) -> None:
    for cell in compiled.notebook.cells:
        tags = set(cell.metadata.get("tags", []))
        if len(tags & {DEMO_TAG, OTTER_IGNORE}) == 1:
            fault = f"it needs both tags, {DEMO_TAG!r} and {OTTER_IGNORE!r}, or none"
            raise compiled.error(_name(cell), fault, "set both tags")
        if DEMO_TAG in tags and not _is_locked(cell):
            raise compiled.error(_name(cell), "a demonstration is not locked", 'set "locked"')


def _name(cell: NotebookNode) -> str:
    return grade_id(cell) or str(cell.get("id", ""))


RULES: tuple[Callable[[Compiled], None], ...] = (
    _format,
    _ids,
    _nothing_executed,
    _nothing_hidden,
    _compiles,
    _has_questions,
    _solutions,
    _check_cells,
    _demonstrations,
)
"""From the whole notebook to its cells: later rules rely on earlier ones."""
