"""Reading evidence step by step: the right type, or MalformedError with its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from litcourse.core.comparison import distance, is_not_finite, largest_difference
from litcourse.core.evidence import LONGEST_LIST, LONGEST_TEXT, Evidence, MalformedError, is_close

Reading = Callable[[Evidence], Any]
RIGHT: dict[str, tuple[Reading, list[Any]]] = {
    "number": (Evidence.number, [0.0, -2.5, math.nan, math.inf]),
    "integer": (Evidence.integer, [0, -3, 10**30]),
    "flag": (Evidence.flag, [True, False]),
    "text": (Evidence.text, ["", "x"]),
    "texts": (Evidence.texts, [[], ["a", "b"]]),
    "numbers": (Evidence.numbers, [[], [1.0, 2.5]]),
    "integers": (Evidence.integers, [[], [1, 2]]),
    "tensor": (Evidence.tensor, [torch.zeros(2), torch.tensor(1), torch.zeros(0)]),
    "tensors": (Evidence.tensors, [{}, {"a": torch.zeros(1)}]),
    "keys": (Evidence.keys, [{}, {"a": 1}]),
}
NODES = [None, True, 1, 1.5, 10**400, "x", [], ["a"], [1], [[]], {}, {"a": 1}, {"a": None},
         torch.zeros(1), {"a": torch.zeros(1)}, [torch.zeros(1)], object(), (1, 2), b"x",
         torch.ones(2).to_sparse(), torch.ones(1)]  # fmt: skip


@pytest.mark.parametrize("kind", RIGHT)
def test_right_nodes_are_read(kind: str) -> None:
    read, values = RIGHT[kind]
    for value in values:
        got = read(Evidence(value))
        assert list(got) == list(value) if isinstance(value, dict) else repr(got) == repr(value)


@pytest.mark.parametrize("kind", RIGHT)
def test_any_other_node_is_malformed(kind: str) -> None:
    read, _ = RIGHT[kind]
    for node in NODES:
        try:
            read(Evidence(node, "/a/b"))
        except MalformedError as error:
            assert "/a/b" in error.path  # noqa: PT017 (some nodes are right)


@pytest.mark.parametrize(
    ("kind", "node"),
    [("number", True), ("number", "1"), ("number", 10**400), ("integer", 1.0), ("integer", True),
     ("flag", 1), ("text", None), ("texts", ["a", 1]), ("texts", "ab"), ("numbers", [None]),
     ("integers", [1.0]), ("integers", [math.nan]), ("tensor", [1.0]), ("tensors", {"a": 1}),
     ("tensors", []), ("keys", []), ("tensor", torch.ones(2).to_sparse()),
     ("tensor", torch.quantize_per_tensor(torch.ones(1), 0.1, 0, torch.quint8)),
     ("texts", ["x"] * (LONGEST_LIST + 1)), ("numbers", torch.zeros(3)), ("numbers", (1, 2))],
)  # fmt: skip
def test_wrong_nodes_are_refused(kind: str, node: Any) -> None:
    with pytest.raises(MalformedError):
        RIGHT[kind][0](Evidence(node))


def test_the_message_says_where() -> None:
    tree = Evidence({"cases": [{"loss": "x"}]})
    with pytest.raises(MalformedError, match=r"no number at /cases/0/loss\.") as error:
        next(iter(tree["cases"]))["loss"].number()
    assert error.value.path == "/cases/0/loss"
    with pytest.raises(MalformedError, match=r"no entry 'loss' at its root\."):
        Evidence({})["loss"]


def test_what_is_there() -> None:
    tree = Evidence({"a": None})
    assert "a" in tree
    assert "b" not in tree
    assert "a" not in Evidence(["a"])
    assert "a" not in Evidence("a")
    assert tree["a"].is_none
    assert not tree.is_none


def test_long_texts_are_cut_off() -> None:
    assert len(Evidence("x" * 10**6).text()) == LONGEST_TEXT


def test_integers_are_numbers() -> None:
    assert Evidence(3).number() == 3.0
    assert Evidence([3, 4]).numbers() == [3.0, 4.0]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [(1.0, 1.05, True), (1.0, 1.2, False), (math.nan, math.nan, False), (math.inf, math.inf, False),
     (1.0, math.inf, False), (-math.inf, math.inf, False)],
)  # fmt: skip
def test_close_wants_finite_numbers(a: float, b: float, same: bool) -> None:
    assert is_close(a, b, 0.1) is same
    assert not is_close(a, b, math.nan)


# --- comparing tensors -----------------------------------------------------------------------

ONES = torch.ones(4)


@pytest.mark.parametrize(
    ("seen", "right", "gap"),
    [(ONES, ONES, 0), (ONES * 1.5, ONES, 0.5), (ONES.double(), ONES, 0), (ONES.long(), ONES, 0),
     (ONES[:3], ONES, math.inf), (ONES[None], ONES, math.inf), (0 * ONES, 0 * ONES, 0),
     (ONES, 0 * ONES, math.inf), (ONES * math.nan, ONES, math.inf), (ONES * 0, ONES, 1),
     (ONES * math.inf, ONES, math.inf), (ONES.to(torch.complex64), ONES, math.inf),
     (ONES.to_sparse(), ONES, math.inf), (torch.zeros(0), torch.zeros(0), 0),
     (ONES.bool(), ONES, 0), (ONES.to(torch.float8_e4m3fn), ONES, 0),
     (ONES.to(torch.uint16), ONES, 0)],
)  # fmt: skip
def test_distance(seen: torch.Tensor, right: torch.Tensor, gap: float) -> None:
    assert distance(seen, right) == gap


def test_distance_of_numbers_whose_difference_overflows() -> None:
    assert distance(torch.tensor([-1.7e308]).double(), torch.tensor([1.7e308]).double()) > 1


def test_largest_difference() -> None:
    assert largest_difference({}, {}) == 0
    assert largest_difference({"a": ONES, "b": ONES}, {"a": ONES, "b": 3 * ONES}) == 2


def test_not_finite() -> None:
    assert [is_not_finite(value) for value in (1.0, math.nan, math.inf)] == [False, True, True]
