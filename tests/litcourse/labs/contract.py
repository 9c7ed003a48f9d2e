"""What holds for every judge of a lab, as tests for a class of its own to inherit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from autograder.bank import without_markers
from autograder.stubs import is_foreign
from litcourse.core.evidence import Evidence
from litcourse.core.question import Inputs
from litcourse.core.registry import find_question, question_ids
from litcourse.core.scoring import grade
from litcourse.core.serialization import decode, encode
from litcourse.core.tree import Tree
from litcourse.core.verdict import Verdict
from litcourse.frontends.reference_solution import add_solution
from litcourse.probing.probe_runner import take_evidence
from tests.course import questions

HUGE = 10**400  # no float can hold it
SIMPLE = [None, True, -1, HUGE, float("nan"), float("inf"), "x", [], {}, [None], {"error": None}]
OTHER_TYPES = [torch.complex64, torch.float16, torch.uint16, torch.bool, torch.float8_e4m3fn]
MOST_MUTANTS = 400
"""Of a question, evenly spread: evidence of ranks is deep, and much of it alike."""
_STUB = {False: "raise NotImplementedError()", True: "# YOUR CODE HERE"}
_REGION = re.compile(r"([ \t]*)### BEGIN SOLUTION.*?### END SOLUTION", re.DOTALL)


@dataclass(frozen=True)
class Answered:
    """One draw of a question, and what the probe found on two answers."""

    lab: str
    name: str
    inputs: Inputs
    solution: Tree
    stub: Tree

    def judged(self, tree: Tree) -> Verdict:
        """What the judge says of `tree` in place of the evidence."""
        return grade(self.lab, self.name, self.inputs, tree)


def ask_all(root: Path, lab: str) -> dict[str, Answered]:
    """Evidence of the solutions of `lab` and of its stubs, taken in this process."""
    notebook = json.loads((root / f"source/{lab}/{lab}.ipynb").read_text(encoding="utf-8"))
    ids = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in notebook["cells"]]
    cells = {i: "".join(c["source"]) for i, c in zip(ids, notebook["cells"], strict=True) if i}
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(cells["setup"], names)  # noqa: S102 (the course's own notebook)
    found = {}
    for name in (i for i in cells if f"{i}-check" in cells):
        question = find_question(lab, name)
        inputs = question.draw(Random(f"a draw for the judges of {lab}"))
        stub = _REGION.sub(rf"\1{_STUB[is_foreign(cells[name])]}", cells[name])
        unsolved = _asked(lab, name, stub, dict(names), inputs)
        solution = _asked(lab, name, cells[name], names, inputs)
        if question.by_solution:
            inputs = add_solution(inputs, solution)
        found[name] = Answered(lab, name, inputs, solution, unsolved)
    return found


def _asked(lab: str, name: str, source: str, names: dict[str, Any], inputs: Inputs) -> Tree:
    """What the probe finds on a cell, which may write a file."""
    text = without_markers(source)
    if text.startswith("%%writefile"):
        head, _, body = text.partition("\n")
        Path(head.split()[1]).write_text(body, encoding="utf-8")
    else:
        exec(compile(text, f"<{name}>", "exec", dont_inherit=True), names)  # noqa: S102 (as above)
    return take_evidence(find_question(lab, name), inputs.shown, names)


def same(a: Tree, b: Tree) -> bool:
    """Whether two trees make the same bytes."""
    return encode(a) == encode(b)


# --- evidence that no probe wrote ---------------------------------------------------------------


def places(
    tree: Tree, way: tuple[Any, ...] = (), *, ends: bool = False
) -> Iterator[tuple[Any, ...]]:
    """Ways to all nodes; of many children of one kind the first and the last.

    Args:
        tree: the tree.
        way: way to `tree` itself.
        ends: of each list the first and the last child alone.
    """
    yield way
    if isinstance(tree, dict):
        keys: list[Any] = list(tree)
        kinds = {type(child) for child in tree.values()}
    elif isinstance(tree, list):
        keys, kinds = list(range(len(tree))), {type(child) for child in tree}
    else:
        return
    alike = len(kinds) == 1 and not kinds & {dict, list}
    alike = alike or (ends and isinstance(tree, list))
    for key in [keys[0], keys[-1]] if alike and len(keys) > 2 else keys:
        yield from places(tree[key], (*way, key), ends=ends)


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


def lacking(tree: Tree, way: tuple[Any, ...]) -> Iterator[tuple[str, Tree]]:
    """`tree` without one part: deleted, None, or emptied."""
    node = at(tree, way)
    yield "deleted", without(tree, way)
    empty = node[:0] if isinstance(node, torch.Tensor) and node.dim() else type(node)()
    for value in (None, empty) if isinstance(node, (dict, list, str, torch.Tensor)) else (None,):
        if not same([value], [node]):
            yield str(value), replaced(tree, way, value)


def earned(verdict: Verdict) -> set[str]:
    return {c.id for c in verdict.question.criteria if verdict.mark(c).name == "earned"}


def mutants(tree: Tree) -> Iterator[tuple[str, Tree]]:
    for way in places(tree):
        for value in substitutes(at(tree, way)):
            yield f"{way} -> {str(value)[:60]}", replaced(tree, way, value)
        if way:
            yield f"{way} deleted", without(tree, way)


def every_float(tree: Tree, value: float) -> Tree:
    if isinstance(tree, dict):
        return {key: every_float(child, value) for key, child in tree.items()}
    if isinstance(tree, list):
        return [every_float(child, value) for child in tree]
    if isinstance(tree, torch.Tensor) and tree.is_floating_point():
        return torch.full_like(tree, value)
    if isinstance(tree, str) and tree.startswith("{"):  # the report of rank_zero
        return json.dumps(dict.fromkeys(json.loads(tree), value))
    return value if isinstance(tree, float) else tree


def reads_floats(judge: Callable[[Tree], object], tree: Tree) -> bool:
    """Whether `judge` reads a float in the evidence `tree`, times of day left out.

    When a rank ended tells which of them failed first; that is no number of a student's.
    """
    read: list[Tree] = []
    leaf = Evidence._of

    def noted(self: Evidence, types: tuple[type, ...], wanted: str) -> Any:
        node = leaf(self, types, wanted)
        if not self.path.endswith("/at"):
            read.append(node)
        return node

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Evidence, "_of", noted)
        judge(tree)
    return any(every_float(node, 0.5) is not node for node in read)


class JudgeContract:
    """Inherit it in a module whose `LAB` is the lab: every test runs for every question of it.

    Attributes:
        BLIND: those whose judge needs no inputs.
        SLOW: those whose judge takes half a second, and how many mutants are left out of so many.
        MOST: mutants of a question at most, evenly spread.
        ENDS: whether SERVES is held against the first and the last child of each list alone;
            evidence of many steps takes minutes otherwise.
        SERVES: by question, which criteria a part of the evidence serves: patterns of paths, of
            which the first that fits counts, and ids of criteria, separated by blanks; "" for a
            part from which only words of findings are made.
    """

    BLIND: tuple[str, ...] = ()
    SLOW: dict[str, int] = {}  # noqa: RUF012  never written
    MOST = MOST_MUTANTS
    ENDS = False
    SERVES: dict[str, dict[str, str]] = {}  # noqa: RUF012  never written

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Every test for every question."""
        metafunc.parametrize("name", questions(metafunc.module.LAB))

    @pytest.fixture
    def of(self, name: str, answers: dict[str, Answered]) -> Answered:
        """The question."""
        return answers[name]

    def _some(self, of: Answered, tree: Tree) -> list[tuple[str, Tree]]:
        every = list(mutants(tree))
        return every[:: max(1, len(every) // self.MOST) * self.SLOW.get(of.name, 1)]

    def test_it_is_a_question_of_the_lab(self, of: Answered) -> None:
        assert of.name in question_ids(of.lab)

    def test_a_draw_depends_on_its_source_alone(self, of: Answered) -> None:
        question = find_question(of.lab, of.name)
        torch.manual_seed(1)
        first = question.draw(Random("one"))
        torch.manual_seed(2)
        again = question.draw(Random("one"))
        others = [question.draw(Random(text)).shown for text in "abcdef"]
        assert same([first.shown, first.withheld], [again.shown, again.withheld])
        assert not all(same(first.shown, other) for other in others)

    def test_inputs_and_evidence_travel_as_packets(self, of: Answered) -> None:
        assert same(of.inputs.shown, decode(encode(of.inputs.shown)))
        verdict = of.judged(decode(encode(of.solution)))
        assert (verdict.score, verdict.findings) == (1.0, ())

    def test_the_stub_earns_nothing_and_is_called_unsolved(self, of: Answered) -> None:
        verdict = of.judged(of.stub)
        assert (verdict.score, verdict.findings[0].code) == (0.0, "LIT900")

    def test_judging_is_repeatable_and_changes_nothing(self, of: Answered) -> None:
        trees = [of.inputs.shown, of.inputs.withheld, of.solution, of.stub]
        before = encode(trees)
        for tree in (of.solution, of.stub):
            assert of.judged(tree).findings == of.judged(tree).findings
        assert encode(trees) == before

    def test_no_single_change_of_evidence_breaks_the_judge(self, of: Answered) -> None:
        some = self._some(of, of.solution)
        assert len(some) > len(SIMPLE)
        for what, tree in some:
            try:
                score = of.judged(tree).score
            except Exception as error:  # noqa: BLE001 (whichever it is)
                pytest.fail(f"{what}: {error!r}")
            assert score is None or 0 <= score <= 1, what

    def test_evidence_that_lacks_a_part_does_not_earn_what_the_part_serves(
        self, of: Answered
    ) -> None:
        serves, used = self.SERVES[of.name], set()
        for way in places(of.solution, ends=self.ENDS):
            path = "/".join(map(str, way))
            pattern = next((p for p in serves if fnmatchcase(path, p)), None)
            if not way:
                continue
            assert pattern is not None, f"SERVES does not say what {path} is for"
            used.add(pattern)
            for how, tree in lacking(of.solution, way):
                kept = earned(of.judged(tree)) & set(serves[pattern].split())
                assert not kept, f"{path} {how}: {kept} earned all the same"
        assert used == set(serves), "a pattern of SERVES fits nothing"
        named = {name for criteria in serves.values() for name in criteria.split()}
        assert named == {c.id for c in find_question(of.lab, of.name).criteria}

    def test_no_single_change_makes_points_out_of_a_stub(self, of: Answered) -> None:
        worth = [what for what, tree in self._some(of, of.stub) if of.judged(tree).score]
        assert not worth

    def test_a_missing_or_strange_root_is_malformed(self, of: Answered) -> None:
        roots: list[Tree] = [{}, [], None, 1, "x", torch.zeros(2), {"missing": {}}, {"error": {}}]
        for tree in roots:
            verdict = of.judged(tree)
            assert (verdict.score, verdict.findings[0].code) == (0.0, "LIT903"), tree

    def test_an_empty_draw_is_an_error_of_ours(self, of: Answered) -> None:
        """So the tests above could fail: the judge does look at the inputs."""
        if of.name in self.BLIND:
            assert replace(of, inputs=Inputs({}, {})).judged(of.solution).score == 1
            return
        with pytest.raises((KeyError, AttributeError)):
            replace(of, inputs=Inputs({}, {})).judged(of.solution)

    def test_what_is_not_finite_never_stands_for_a_right_number(self, of: Answered) -> None:
        if not reads_floats(of.judged, of.solution):
            return
        for value in (float("nan"), float("inf")):
            assert of.judged(every_float(of.solution, value)).score != 1
