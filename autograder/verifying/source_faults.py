"""Finds faults in a question's source: codes that the catalogue lacks, misspelt criteria.

The source is parsed, not imported, since that would import torch for seconds. So these rules see
literals and no computed values; `verify` checks those in each verdict.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.course import AuthorError, Lab, question_file
from autograder.verifying.bank_faults import again, nearest_first
from litcourse import labs
from litcourse.check import RESERVED
from litcourse.core.verdict import misnamed_criteria
from litcourse.feedback.catalogue import catalogue

_MARKS = {"Finding": 1, "Earned": 0, "NotLookedAt": 0}
"""Position of the argument `criteria`, by kind of mark."""
_CODE = re.compile(r"LIT\d+")


@dataclass(frozen=True)
class _Module:
    """One file of a question.

    Args:
        lab: the lab.
        question_id: the question; "" for a helper that several questions share.
        file: the path for errors.
        tree: the parsed source.
    """

    lab: Lab
    question_id: str
    file: str
    tree: ast.Module

    def error(self, node: ast.AST, fault: str, step: str) -> AuthorError:
        """The error of a fault at `node`."""
        fault = f"line {getattr(node, 'lineno', 0)}: {fault}"
        step = again(self.lab.id, self.question_id, step) if self.question_id else step
        return AuthorError(self.file, self.question_id, fault, step)


def check_source(lab: Lab) -> dict[str, list[str] | None]:
    """Check the modules of every question of `lab`, and those that questions share.

    Returns:
        ids of the criteria by question; None where they are not literals.

    Raises:
        AuthorError: there is a fault; the first one is reported.
    """
    found = {}
    for question_id in lab.questions:
        if question_id in RESERVED:
            fault = f"has the id of a method: check.{question_id}() is another thing"
            raise AuthorError(lab.path, question_id, fault, "give it another id")
        modules = [_parse(lab, question_id, path) for path in _paths(lab, question_id)]
        found[question_id] = criteria = _criteria(modules)
        for module in modules:
            _check_codes(module)
            _check_marks(module, criteria)
    for path in _shared(lab):
        _check_codes(_parse(lab, "", path))
    return found


def _paths(lab: Lab, question_id: str) -> list[Path]:
    """The files of a question: one module, or all those of its folder."""
    folders = [Path(place) / lab.id for place in labs.__path__]
    modules = [path for folder in folders for path in folder.glob(f"{question_id}.py")]
    return modules + [path for folder in folders for path in (folder / question_id).rglob("*.py")]


def _shared(lab: Lab) -> list[Path]:
    return [path for place in labs.__path__ for path in (Path(place) / lab.id).glob("_*.py")]


def _parse(lab: Lab, question_id: str, path: Path) -> _Module:
    inside = path.parts[len(path.parts) - path.parts[::-1].index(lab.id) :]
    file = "/".join(("litcourse/labs", lab.id, *inside))
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), path.name)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise AuthorError(
            file, question_id, f"it can't be read: {error}", f"mend {file}"
        ) from error
    return _Module(lab, question_id, file, tree)


def _criteria(modules: list[_Module]) -> list[str] | None:
    """Ids of the question's criteria; None if they are not literals."""
    for module in modules:
        for call in _calls(module.tree, "Question"):
            listed = _argument(call, 2, "criteria")
            if not isinstance(listed, (ast.Tuple, ast.List)):
                continue
            ids = [_id_of(element) for element in listed.elts]
            _check_unique(module, listed, ids)
            return None if None in ids else [name for name in ids if name is not None]
    return None


def _check_unique(module: _Module, listed: ast.AST, ids: list[str | None]) -> None:
    repeated = sorted({name for name in ids if name is not None and ids.count(name) > 1})
    if repeated:
        fault = f"two criteria have the id {repeated[0]!r}"
        raise module.error(listed, fault, "rename one of them")


def _id_of(element: ast.AST) -> str | None:
    """The id of a call `Criterion("id", ...)`; None if it is no literal."""
    if not isinstance(element, ast.Call) or _name(element) != "Criterion":
        return None
    return _text(_argument(element, 0, "id"))


def _check_codes(module: _Module) -> None:
    for node in _code_nodes(module.tree):
        code = _text(node)
        if code is not None and code not in catalogue():
            known = nearest_first(code, list(catalogue()))
            fault = f"the catalogue has no finding {code!r}. {known}"
            file = f"litcourse/feedback/findings/{module.lab.id}.toml"
            raise module.error(node, fault, f"name one of those, or add it to {file}")


def _code_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes with a code: the first argument of each Finding, and texts that look like a code."""
    for call in _calls(tree, "Finding"):
        code = _argument(call, 0, "code")
        if code is not None:
            yield code
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and _CODE.fullmatch(str(node.value)):
            yield node


def _check_marks(module: _Module, criteria: list[str] | None) -> None:
    constants = _constants(module.tree)
    for kind, call in _calls_of_marks(module.tree):
        node = _argument(call, _MARKS[kind], "criteria")
        if isinstance(node, ast.Name):
            node = constants.get(node.id, node)
        named = _named_criteria(node)
        # Computed names are no fault, nor is any name if the question computes its criteria.
        fault = "" if named is None else misnamed_criteria(named, criteria or list(named))
        if fault:
            code = _text(_argument(call, 0, "code")) or "of a computed code"
            what = f"the finding {code}" if kind == "Finding" else f"the mark {kind}"
            file = question_file(module.lab.id, module.question_id)
            step = f"name criteria of the question, as {file} lists them"
            raise module.error(call, f"{what} {fault}", step)


def _calls_of_marks(tree: ast.Module) -> list[tuple[str, ast.Call]]:
    return [(kind, call) for kind in _MARKS for call in _calls(tree, kind)]


def _named_criteria(node: ast.AST | None) -> tuple[str, ...] | str | None:
    """The criteria that `node` names as literals; None if there are none."""
    if node is None or _text(node) is not None:
        return _text(node)
    if not isinstance(node, ast.Tuple):
        return None
    texts = [text for text in map(_text, node.elts) if text is not None]
    return tuple(texts) if texts or not node.elts else None


def _constants(tree: ast.Module) -> dict[str, ast.AST]:
    """The values of the module's upper-case names; functions do not rebind such names."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }


def _calls(tree: ast.Module, name: str) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node) == name]


def _name(call: ast.Call) -> str:
    return str(getattr(call.func, "id", getattr(call.func, "attr", "")))


def _argument(call: ast.Call, position: int, name: str) -> ast.AST | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    before = call.args[: position + 1]
    if any(isinstance(argument, ast.Starred) for argument in before):
        return None
    return call.args[position] if position < len(call.args) else None


def _text(node: ast.AST | None) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None
