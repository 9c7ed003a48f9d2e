"""The pocket does what Slurm 22.05 did with every case of the corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.litcourse.pocket.corpus import cases, differences, replay

DRAWN = [
    json.loads(line)
    for line in Path(__file__).with_name("fuzz_cases.jsonl").read_text("utf-8").splitlines()
]
"""Cases of fuzz runs: most of them the pocket had wrong once, the others it had right."""


@pytest.mark.parametrize("name", cases())
def test_the_pocket_agrees_with_slurm(name: str, tmp_path: Path) -> None:
    case = cases()[name]
    outcome, program = replay(case, tmp_path)
    assert not differences(case, outcome, program, tmp_path)


@pytest.mark.parametrize("case", DRAWN, ids=lambda case: str(case["name"]))
def test_the_pocket_agrees_with_what_was_drawn(case: dict[str, Any], tmp_path: Path) -> None:
    outcome, program = replay(case, tmp_path, ("student", 1000, 1000))
    assert not differences(case, outcome, program, tmp_path)


def test_the_corpus_is_whole() -> None:
    assert len(cases()) == 223
    assert len(DRAWN) > 110
