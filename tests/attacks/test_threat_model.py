"""docs/threat-model.md names a test in every covered line, and each of them exists."""

import ast
import re
from pathlib import Path

import pytest

PAGE = "docs/threat-model.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)(?:\[([\w-]+)\])?`")
COVERED = re.compile(
    r"^\| (?!a submission|another user wants|---|question|`|every).*\|$", re.MULTILINE
)


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / PAGE).read_text(encoding="utf-8")


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_named_test_exists(page: str, root: Path) -> None:
    named = NAMED.findall(page)
    assert named
    for file, function, attack in named:
        assert function in functions(root / file), f"{file}::{function}"
        if attack:
            assert (root / "tests/attacks" / f"{attack}.py").is_file(), attack


def test_every_covered_line_names_a_test(page: str) -> None:
    covered = page.partition("## Covered")[2].partition("## Where forging")[0]
    rows = COVERED.findall(covered)
    assert len(rows) > 20
    assert [row for row in rows if not NAMED.search(row)] == []
