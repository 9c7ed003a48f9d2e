"""The table of docs/mutants.md holds the numbers of bench/results/."""

from __future__ import annotations

import json
from collections import Counter

from autograder.mutating.mutation_report import COLUMNS
from tests.course import ROOT


def test_the_table_is_what_was_measured() -> None:
    text = (ROOT / "docs/mutants.md").read_text(encoding="utf-8")
    results = sorted((ROOT / "bench/results").glob("mutants_*.json"))
    assert results
    for path in results:
        questions = json.loads(path.read_text(encoding="utf-8"))["questions"].values()
        total: Counter[str] = sum((Counter(counts) for counts in questions), Counter())
        lab = path.stem.removeprefix("mutants_")
        row = [f"`{lab}`", *(str(total[column]) for column in COLUMNS)]
        assert f"| {' | '.join(row)} |" in text
