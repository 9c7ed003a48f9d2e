"""The pocket does what Slurm 22.05 did with every case of the corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.litcourse.pocket.corpus import cases, differences, replay


@pytest.mark.parametrize("name", cases())
def test_the_pocket_agrees_with_slurm(name: str, tmp_path: Path) -> None:
    case = cases()[name]
    outcome, program = replay(case, tmp_path)
    assert not differences(case, outcome, program, tmp_path)


def test_the_corpus_is_whole() -> None:
    assert len(cases()) == 223
