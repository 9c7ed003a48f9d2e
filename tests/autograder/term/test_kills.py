"""Killed at any moment, `collect` and `grade` lose nothing, and the same command does the rest."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from autograder.grading.tries import counting
from tests.autograder.grading.conftest import LAB, RIGHT, WRONG, Class

from .conftest import Exchange, Said

EARLY, LATER = "2026-11-01 10:00:00", "2026-11-01 11:00:00"
POINTS = 5.0


class Bomb:
    """Kills at the n-th change of a name in a folder."""

    def __init__(self, patch: pytest.MonkeyPatch, fuse: int) -> None:
        self.left = fuse
        for name in ("rename", "replace", "hardlink_to", "mkdir", "symlink_to"):
            patch.setattr(Path, name, self.around(getattr(Path, name)))

    def around(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return do(*arguments, **options)

        return change


def leftovers(root: Path) -> list[str]:
    places = (root / "tries", root / "submitted")
    return [p.name for place in places for p in place.rglob("*") if p.name[0] == "."]


@pytest.mark.release
def test_collect_at_any_moment(group: Class, exchange: Exchange, call: Callable[..., Said]) -> None:
    exchange.submit("ada", RIGHT, EARLY, "1")
    exchange.submit("ada", WRONG, LATER, "2")
    for fuse in count(1):
        with pytest.MonkeyPatch.context() as patch:
            Bomb(patch, fuse)
            said = call("collect", LAB)
        if said.code == 0:
            break
        assert said.code == 130
        complete = [p for p in (group.root / "tries").rglob("*Z") if p.name[0] != "."]
        assert all(len(list(p.iterdir())) == 3 for p in complete), "a try is half there"
    assert fuse > 5
    assert call("collect", LAB).text.startswith("0 new tries of 0 students, 2 known.")
    assert group.grade() == 0
    assert group.score("ada") == 0
    assert not leftovers(group.root)


def test_a_grade_between_evidence_and_record(
    group: Class, exchange: Exchange, call: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.submit("ada", RIGHT, EARLY)
    call("collect", LAB)
    assert group.grade() == 0
    exchange.submit("ada", WRONG, LATER)
    call("collect", LAB)
    copy = counting.copy_evidence

    def killed(*arguments: Any, **options: Any) -> None:
        copy(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(counting, "copy_evidence", killed)
        assert group.grade() == 130
    assert group.grade() == 0
    assert group.score("ada") == 0
    record = group.record("ada")
    assert [entry["points"] for entry in record.history] == [{"add_one": POINTS}]
    assert record.tries == 2
