"""Mistyped names are answered with the valid ones, nearest first."""

from __future__ import annotations

from litcourse.core.names import UnknownNameError, sort_by_similarity


def test_nearest_first_whatever_the_case() -> None:
    assert sort_by_similarity("WARP", ["timer", "fit", "wrap"]) == ["wrap", "timer", "fit"]


def test_equally_near_names_stand_in_their_order() -> None:
    assert sort_by_similarity("x", ["c", "a", "b"]) == ["a", "b", "c"]


def test_no_name_is_lost() -> None:
    assert sorted(sort_by_similarity("", ["a", "b", "b"])) == ["a", "b", "b"]
    assert sort_by_similarity("a", []) == []


def test_the_error_holds_the_data_and_says_it() -> None:
    error = UnknownNameError("lab", "lab1", ["lab2_b", "lab1_a"])
    assert (error.kind, error.name, error.valid) == ("lab", "lab1", ["lab1_a", "lab2_b"])
    assert str(error) == "There is no lab 'lab1'. Nearest first: lab1_a, lab2_b."
    assert isinstance(error, LookupError)
    assert str(UnknownNameError("lab", "x", [])) == "There is no lab 'x'. Nearest first: none."


def test_the_error_says_where_it_looked() -> None:
    error = UnknownNameError("question", "evalute", ["wrap", "evaluate"], "lab1_mnist")
    assert str(error) == "lab1_mnist has no question 'evalute'. Nearest first: evaluate, wrap."
    assert error.owner == "lab1_mnist"


def test_the_message_lists_the_nearest_eight_and_the_error_holds_all() -> None:
    names = [f"n{i}" for i in range(10)]
    assert str(UnknownNameError("lab", "n", names[:8])).endswith("n6, n7.")
    error = UnknownNameError("lab", "n", names)
    assert str(error).endswith("n6, n7 … and 2 more.")
    assert error.valid == names
