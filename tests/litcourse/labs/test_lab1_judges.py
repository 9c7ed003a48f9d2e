"""The judges of lab 1: the same inputs and evidence, the same verdict; nonsense earns nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest
import torch

from litcourse.evidence import LONGEST_LIST
from litcourse.labs.lab1_mnist import fit as fit_module
from litcourse.packet import decode, encode
from litcourse.question import Draw, Tree, Verdict, find_question
from litcourse.verdicts import reach

from .conftest import LAB, QUESTIONS, Answered

HUGE = 10**400  # no float can hold it
SIMPLE = [None, True, -1, HUGE, float("nan"), float("inf"), "x", [], {}, [None], {"error": None}]
OTHER_TYPES = [torch.complex64, torch.float16, torch.uint16, torch.bool, torch.float8_e4m3fn]

pytestmark = [
    pytest.mark.parametrize("name", QUESTIONS),
    pytest.mark.filterwarnings("ignore:Casting complex values", "ignore:torch.quantize"),
]


def judged(name: str, of: Answered, tree: Tree) -> Verdict:
    return reach(LAB, name, of.draw, tree)


def same(a: Tree, b: Tree) -> bool:
    return encode(a) == encode(b)


# --- draws and verdicts ---------------------------------------------------------------------


def test_a_draw_depends_on_its_source_alone(name: str) -> None:
    question = find_question(LAB, name)
    torch.manual_seed(1)
    first = question.draw(Random("one"))
    torch.manual_seed(2)
    again, other = question.draw(Random("one")), question.draw(Random("two"))
    assert same([first.given, first.kept], [again.given, again.kept])
    assert not same(first.given, other.given)


def test_inputs_and_evidence_travel_as_packets(name: str, answered: dict[str, Answered]) -> None:
    of = answered[name]
    assert same(of.draw.given, decode(encode(of.draw.given)))
    verdict = judged(name, of, decode(encode(of.solution)))
    assert (verdict.score, verdict.findings) == (1.0, ())


def test_the_same_evidence_gets_the_same_verdict(name: str, answered: dict[str, Answered]) -> None:
    of = answered[name]
    for tree in (of.solution, of.stub):
        first, again = judged(name, of, tree), judged(name, of, tree)
        assert first.findings == again.findings


def test_judging_changes_neither_inputs_nor_evidence(
    name: str, answered: dict[str, Answered]
) -> None:
    of = answered[name]
    trees = [of.draw.given, of.draw.kept, of.solution]
    before = encode(trees)
    judged(name, of, of.solution)
    assert encode(trees) == before


def test_the_stub_earns_nothing_and_is_called_unsolved(
    name: str, answered: dict[str, Answered]
) -> None:
    of = answered[name]
    verdict = judged(name, of, of.stub)
    assert (verdict.score, verdict.findings[0].code) == (0.0, "LIT900")


# --- evidence that no probe wrote -----------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Matplotlib would take nearly all of the time; one test below draws for real."""
    if "figure" not in request.node.name:
        monkeypatch.setattr(fit_module, "figure", lambda *_: "")


def places(tree: Tree, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Ways to all nodes; of many children of one kind the first and the last."""
    yield way
    if isinstance(tree, dict):
        keys: list[Any] = list(tree)
        kinds = {type(child) for child in tree.values()}
    elif isinstance(tree, list):
        keys, kinds = list(range(len(tree))), {type(child) for child in tree}
    else:
        return
    alike = len(kinds) == 1 and not kinds & {dict, list}
    for key in [keys[0], keys[-1]] if alike and len(keys) > 2 else keys:
        yield from places(tree[key], (*way, key))


def at(tree: Tree, way: tuple[Any, ...]) -> Tree:
    for key in way:
        tree = tree[key]
    return tree


def replaced(tree: Tree, way: tuple[Any, ...], value: Tree) -> Tree:
    """`tree` with `value` in one place; everything else is shared."""
    if not way:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[way[0]] = replaced(tree[way[0]], way[1:], value)
    return copy


def without(tree: Tree, way: tuple[Any, ...]) -> Tree:
    parent = at(tree, way[:-1])
    keep = (
        {key: child for key, child in parent.items() if key != way[-1]}
        if isinstance(parent, dict)
        else [child for place, child in enumerate(parent) if place != way[-1]]
    )
    return replaced(tree, way[:-1], keep)


def substitutes(node: Tree) -> Iterator[Tree]:
    yield from SIMPLE
    yield from (torch.tensor(float("nan")), torch.zeros(3, 28), torch.zeros(0))
    if not isinstance(node, torch.Tensor):
        return
    yield from (node[:0] if node.dim() else node[None], node[None])
    yield torch.full_like(node, float("nan"), dtype=torch.float32)
    yield torch.full_like(node, 1e38, dtype=torch.float32)
    yield from (node.abs().to(dtype) for dtype in OTHER_TYPES)
    yield from (node.reshape(-1).to_sparse(), torch.quantize_per_tensor(
        torch.ones(node.shape), 0.1, 0, torch.quint8))  # fmt: skip


@pytest.fixture
def of(name: str, answered: dict[str, Answered]) -> Answered:
    """The question, of `wrap` with one of its four networks, which saves most of the time."""
    whole = answered[name]
    if name != "wrap":
        return whole
    given, seen, stub = (_conv(tree) for tree in (whole.draw.given, whole.solution, whole.stub))
    return replace(whole, draw=Draw(given), solution=seen, stub=stub)


def _conv(tree: Tree) -> Tree:
    return {**tree, "cases": {"conv": tree["cases"]["conv"]}}


def mutants(tree: Tree) -> Iterator[tuple[str, Tree]]:
    for way in places(tree):
        for value in substitutes(at(tree, way)):
            yield f"{way} -> {str(value)[:60]}", replaced(tree, way, value)
        if way:
            yield f"{way} deleted", without(tree, way)


def test_no_single_change_of_evidence_breaks_the_judge(name: str, of: Answered) -> None:
    count = 0
    for what, tree in mutants(of.solution):
        count += 1
        try:
            score = judged(name, of, tree).score
        except Exception as error:  # noqa: BLE001 (whichever it is)
            pytest.fail(f"{what}: {error!r}")
        assert 0 <= score <= 1, what
    assert count > 100


def test_no_single_change_makes_points_out_of_a_stub(name: str, of: Answered) -> None:
    earned = [what for what, tree in mutants(of.stub) if judged(name, of, tree).score > 0]
    assert not earned


def test_a_missing_or_strange_root_is_malformed(name: str, answered: dict[str, Answered]) -> None:
    of = answered[name]
    roots: list[Tree] = [{}, [], None, 1, "x", torch.zeros(2), {"missing": {}}, {"error": {}}]
    for tree in roots:
        verdict = judged(name, of, tree)
        assert (verdict.score, verdict.findings[0].code) == (0.0, "LIT903"), tree


def test_what_is_not_finite_never_stands_for_a_right_number(
    name: str, answered: dict[str, Answered]
) -> None:
    """Replacing every number at once by the same NaN or infinity earns what it did at most."""
    of = answered[name]
    for value in (float("nan"), float("inf"), float("-inf")):
        verdict = judged(name, of, _every_float(of.solution, value))
        assert verdict.score < 1


def _every_float(tree: Tree, value: float) -> Tree:
    if isinstance(tree, dict):
        return {key: _every_float(child, value) for key, child in tree.items()}
    if isinstance(tree, list):
        return [_every_float(child, value) for child in tree]
    if isinstance(tree, torch.Tensor) and tree.is_floating_point():
        return torch.full_like(tree, value)
    return value if isinstance(tree, float) else tree


def test_figures_are_drawn_of_any_curve(name: str, answered: dict[str, Answered]) -> None:
    if name != "fit":
        return
    of = answered[name]
    curves = [[], [0.5], [float("nan"), 0.3], [float("-inf")], [1e30, 0.1]]
    for curve in curves:
        tree = replaced(of.solution, ("digits", "curve"), curve)
        assert judged(name, of, tree).score == 1
    tree = replaced(of.solution, ("digits", "curve"), [0.1] * (LONGEST_LIST + 1))
    assert judged(name, of, tree).findings[0].code == "LIT903"


def test_an_empty_draw_is_an_error_of_ours(name: str, answered: dict[str, Answered]) -> None:
    """So the tests above could fail: the judge does look at the inputs."""
    if name == "timer":  # its inputs are how long the probe sleeps
        return
    with pytest.raises(KeyError):
        reach(LAB, name, Draw({}, {}), answered[name].solution)
