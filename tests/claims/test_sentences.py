"""Each test of a claim quotes the sentence that it holds, as the lessons have it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.claims.lessons import plain, said
from tests.course import LABS

TABLES = sorted(Path(__file__).parent.glob("test_*_claims.py"))
CLAIMS = [
    pytest.param(ast.get_docstring(node) or "", id=f"{path.stem}-{node.name}")
    for path in TABLES
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
]


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_sentence_stands_in_a_lesson(claim: str) -> None:
    """A claim has one sentence or more; ` … ` stands for words between two parts of it."""
    assert claim, "quote the sentence that the test holds"
    missing = [part for part in plain(claim).removesuffix(".").split(" … ") if part not in said()]
    assert not missing, "the lessons say it in other words: mend the quote, or the lesson"


def test_every_lesson_has_a_table() -> None:
    assert {path.stem.split("_")[1] for path in TABLES} >= {name.split("_")[0] for name in LABS}
