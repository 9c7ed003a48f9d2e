"""Writing to the gradebook: all of a submission's points at once, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from nbgrader.api import Gradebook
from nbgrader.preprocessors import SaveAutoGrades

from autograder.grading.gradebook import OneCommit

from .conftest import RIGHT, Class


def _assignments(url: str) -> list[str]:
    with Gradebook(url) as gradebook:
        return [assignment.name for assignment in gradebook.assignments]


def test_nobody_sees_a_part_of_the_changes(gradebook_url: str) -> None:
    with OneCommit(gradebook_url) as gradebook:
        gradebook.add_assignment("first")
        gradebook.add_assignment("second")
        assert _assignments(gradebook_url) == []
    assert _assignments(gradebook_url) == ["first", "second"]


def test_an_error_leaves_nothing(gradebook_url: str) -> None:
    def fail() -> None:
        with OneCommit(gradebook_url) as gradebook:
            gradebook.add_assignment("first")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _assignments(gradebook_url) == []


def test_a_step_that_breaks_off_leaves_no_points(
    group: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    add: Callable[..., None] = SaveAutoGrades._add_score

    def break_off(self: SaveAutoGrades, *args: Any) -> None:
        add(self, *args)
        raise OSError("no more")

    group.hand_in("ada", RIGHT)
    with monkeypatch.context() as patch:
        patch.setattr(SaveAutoGrades, "_add_score", break_off)
        assert group.grade() == 1
    assert group.students() == {"ada": None}
    assert group.grade() == 0
    assert group.students() == {"ada": 5.0}


@pytest.fixture
def gradebook_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('gradebook')}/gradebook.db"
