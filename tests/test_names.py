"""Whatever names a module, a thing in one, or a file of ours, names one that there is."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.test_repository import ROOT, files, prose

KINDS = {".py", ".md", ".toml", ".yaml", ".template", ".jinja", ".sbatch", ".sh", ".ipynb"}
DOTTED = re.compile(r"(?<![\w./-])(?:litcourse|autograder|reference)(?:\.\w+)+")
PATH = re.compile(
    r"(?<![\w./-])(?:litcourse|autograder|reference|tests|tools|docs|slurm)/[\w./<>-]*?"
    r"\.(?:py|toml|md|jinja|sbatch|template)\b"
)
OTHERS = ("CHANGELOG.md", "release/")  # what was, and what is made of the rest
MADE_UP_IN = ("tests/test_rooms.py", "tests/test_names.py")
"""Tests that are about trees which are not there."""
MADE_UP = (
    "lab0_tiny",  # the course of tests/autograder/conftest.py
    "autograder/bank/answers.py",  # what must not be published
    "litcourse/extra.py",
    "litcourse/hidden.py",
    "litcourse/hint.py",
    "litcourse.data.nothing",
    "autograder.nbgrader_road",  # a package of before, in an older nbgrader_config.py
    "reference.in_proj",  # a variable that is called `reference`
    "reference.out_proj",
)


def texts() -> dict[str, str]:
    """What people and programs read in this repository, by path; of notebooks the cells."""
    paths = {path.relative_to(ROOT).as_posix(): path for path in files() if path.suffix in KINDS}
    wanted = {n: p for n, p in paths.items() if not n.startswith(OTHERS) and n not in MADE_UP_IN}
    return {name: prose(name, path.read_text(encoding="utf-8")) for name, path in wanted.items()}


@cache
def defined(path: Path, within: str = "") -> frozenset[str]:
    """Names at the top of a module, or in the body of its class `within`; nothing is imported."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    if within:
        classes = [node for node in body if isinstance(node, ast.ClassDef) and node.name == within]
        body = classes[0].body if classes else []
    found: set[str] = set()
    for node in ast.walk(ast.Module([n for n in body if not holds(n)], [])):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(name.asname or name.name).split(".")[0] for name in node.names}
    return frozenset(found | {n.name for n in body if holds(n)})  # type: ignore[attr-defined]


def holds(node: ast.AST) -> bool:
    """Whether a node has names of its own inside."""
    return isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)


def exists(root: Path, dotted: str) -> bool:
    """Whether a dotted name is a module, a name in one, or one in a class of one."""
    place, parts = root, dotted.split(".")
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    if parts and (place / f"{parts[0]}.py").is_file():
        module = place / f"{parts.pop(0)}.py"
    else:
        module = place / "__init__.py"
    if not parts or re.fullmatch(r"__\w+__", parts[0]):
        return module.is_file() or not parts
    if not module.is_file() or parts[0] not in defined(module):
        return False
    inner = defined(module, parts[0])
    return len(parts) == 1 or not inner or parts[1] in inner


def is_there(root: Path, path: str) -> bool:
    """Whether a file is there; `<lab>` stands for whichever."""
    return any(root.glob(re.sub(r"<\w+>", "*", path)))


def unresolved(root: Path, text: str) -> list[str]:
    """Names in a text that lead nowhere."""
    dotted = [name for name in DOTTED.findall(text) if not exists(root, name)]
    paths = [path for path in PATH.findall(text) if not is_there(root, path)]
    gone = [*dotted, *paths]
    return [name for name in gone if not any(word in name for word in MADE_UP)]


def test_every_name_of_ours_leads_somewhere() -> None:
    found = {name: gone for name, text in texts().items() if (gone := unresolved(ROOT, text))}
    assert not found


def test_no_exception_is_left_over() -> None:
    everything = "\n".join(texts().values())
    assert not [word for word in MADE_UP if word not in everything]


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("see `litcourse.core.tree`, `litcourse.core.tree.Tree` and litcourse/core/tree.py", []),
        ("`reference.classifier` or autograder.course.Lab.path, autograder.course.Lab.paths",
         ["autograder.course.Lab.paths"]),
        ("`litcourse.core.trees` is gone", ["litcourse.core.trees"]),
        ("litcourse.core.tree.Tre", ["litcourse.core.tree.Tre"]),
        ("`litcourse.explain`, litcourse.__version__", []),
        ("docs/design.md, docs/desing.md", ["docs/desing.md"]),
        ("litcourse/labs/<lab>/<question>.py", []),
        ("litcourse/questions/<lab>.py", ["litcourse/questions/<lab>.py"]),
    ],
)  # fmt: skip
def test_a_name_that_leads_nowhere_is_noticed(text: str, gone: list[str]) -> None:
    assert unresolved(ROOT, text) == gone
