"""The judges of lab 2: the same verdict each time, none for nonsense; their dice fail nobody."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from autograder.bank import without_markers
from litcourse.labs.lab2_cifar10 import converge
from litcourse.labs.lab2_cifar10._crops import PLACES, Crops, cropped, grid, located
from litcourse.labs.lab2_cifar10._draws import judge_draws
from litcourse.labs.lab2_cifar10._one_cycle import one_cycle, planned_total, same_curve, stepped
from litcourse.labs.lab2_cifar10._schedule_rates import _why
from litcourse.packet import decode, encode
from litcourse.question import Draw, Tree, Verdict, find_question, question_ids
from litcourse.student import take_evidence
from litcourse.verdicts import reach

from .test_lab3_judges import _REGION, Answered, _every_float, _some_mutants, same

LAB = "lab2_cifar10"
QUESTIONS = ("schedule", "augment", "engineer", "converge", "script")

each = pytest.mark.parametrize("name", QUESTIONS)
pytestmark = pytest.mark.filterwarnings("ignore:Casting complex values", "ignore:torch.quantize")


@pytest.fixture(scope="module")
def answers(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Answered]]:
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        text = (root / f"source/{LAB}/{LAB}.ipynb").read_text(encoding="utf-8")
        yield _ask_all({cell["id"]: "".join(cell["source"]) for cell in json.loads(text)["cells"]})
    torch.set_num_threads(threads)


def _ask_all(cells: dict[str, str]) -> dict[str, Answered]:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(cells["setup"], names)  # noqa: S102 (the course's own notebook)
    found = {}
    for name in QUESTIONS:
        draw = find_question(LAB, name).draw(Random("a draw for the judges of lab 2"))
        stub = _REGION.sub(r"\1raise NotImplementedError()", cells[name])
        unsolved = _asked(name, stub, dict(names), draw)
        found[name] = Answered(draw, _asked(name, cells[name], names, draw), unsolved)
    return found


def _asked(name: str, source: str, names: dict[str, Any], draw: Draw) -> Tree:
    """What the probe finds on a cell, which may write a file."""
    text = without_markers(source)
    if text.startswith("%%writefile"):
        head, _, body = text.partition("\n")
        Path(head.split()[1]).write_text(body, encoding="utf-8")
    else:
        exec(compile(text, f"<{name}>", "exec"), names)  # noqa: S102 (as above)
    return take_evidence(find_question(LAB, name), draw.given, names)


def judged(name: str, of: Answered, tree: Tree) -> Verdict:
    return reach(LAB, name, of.draw, tree)


# --- draws, verdicts, evidence that no probe wrote ------------------------------------------


def test_all_questions_are_here() -> None:
    assert sorted(QUESTIONS) == question_ids(LAB)


@each
def test_a_draw_depends_on_its_source_alone(name: str) -> None:
    question = find_question(LAB, name)
    torch.manual_seed(1)
    first = question.draw(Random("one"))
    torch.manual_seed(2)
    again = question.draw(Random("one"))
    others = [question.draw(Random(text)).given for text in "abcdef"]
    assert same([first.given, first.kept], [again.given, again.kept])
    assert not all(same(first.given, other) for other in others)


@each
def test_solution_and_stub(name: str, answers: dict[str, Answered]) -> None:
    of = answers[name]
    assert same(of.draw.given, decode(encode(of.draw.given)))
    verdict = judged(name, of, decode(encode(of.solution)))
    assert (verdict.score, verdict.findings) == (1.0, ())
    verdict = judged(name, of, of.stub)
    assert verdict.score == 0
    assert verdict.findings[0].code == "LIT900"


@each
def test_judging_is_repeatable_and_changes_nothing(name: str, answers: dict[str, Answered]) -> None:
    of = answers[name]
    trees = [of.draw.given, of.draw.kept, of.solution, of.stub]
    before = encode(trees)
    for tree in (of.solution, of.stub):
        assert judged(name, of, tree).findings == judged(name, of, tree).findings
    assert encode(trees) == before


@each
def test_no_single_change_of_evidence_breaks_the_judge(
    name: str, answers: dict[str, Answered], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converge, "figure", lambda *_: "")
    of = answers[name]
    # The crops of augment take its judge half a second.
    some = _some_mutants(of.solution)[:: 6 if name == "augment" else 1]
    assert len(some) > 50
    for what, tree in some:
        try:
            score = judged(name, of, tree).score
        except Exception as error:  # noqa: BLE001 (whichever it is)
            pytest.fail(f"{what}: {error!r}")
        assert 0 <= score <= 1, what


@each
def test_no_single_change_makes_points_out_of_a_stub(
    name: str, answers: dict[str, Answered]
) -> None:
    of = answers[name]
    worth = [what for what, tree in _some_mutants(of.stub) if judged(name, of, tree).score > 0]
    assert not worth


@each
def test_what_is_not_finite_never_stands_for_a_right_number(
    name: str, answers: dict[str, Answered]
) -> None:
    if name == "script":  # nothing that its judge reads is a float
        return
    of = answers[name]
    for value in (float("nan"), float("inf")):
        assert judged(name, of, _every_float(of.solution, value)).score < 1


def test_runs_of_fewer_ranks_are_no_evidence(answers: dict[str, Answered]) -> None:
    of = answers["schedule"]
    for count in (0, 1):
        ranks = of.solution["ranks"]["ranks"][:count]
        tree = {**of.solution, "ranks": {**of.solution["ranks"], "ranks": ranks}}
        assert judged("schedule", of, tree).score == 0
    of = answers["script"]
    two = of.solution["two"]
    tree = {**of.solution, "two": {**two, "run": {**two["run"], "ranks": two["run"]["ranks"][:1]}}}
    assert judged("script", of, tree).score < 1
    tree = {**of.solution, "two": of.solution["one"]}
    assert judged("script", of, tree).score < 1


def test_probes_leave_the_folder_and_the_environment(answers: dict[str, Answered]) -> None:
    assert answers["script"].solution
    assert not {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT"} & set(os.environ)
    assert sorted(path.name for path in Path().iterdir()) == ["train.py"]


# --- schedule's plain torch -----------------------------------------------------------------


def test_the_plan_of_a_cycle_is_found_by_its_first_rates() -> None:
    for total in (7, 12, 100):
        rates, _ = one_cycle(0.3, total)
        assert planned_total(rates[:6], 0.3) == total
    assert planned_total([0.1] * 6, 0.3) is None
    assert not same_curve([float("nan")] * 3, [0.1] * 3)


def test_a_strange_curve_of_any_length_has_a_name() -> None:
    """A tenth of ten steps as the rise: torch divides by zero there."""
    for steps in range(4, 25):
        seen = [0.05 + 0.01 * (step % 3) for step in range(steps)]
        right, _ = one_cycle(0.05, steps)
        assert _why(seen, right, 0.05, 4)[0] == "LIT2119"


@pytest.mark.parametrize("nesterov", [False, True])
def test_steps_are_those_of_sgd(nesterov: bool) -> None:
    torch.manual_seed(4)
    weight = torch.nn.Parameter(torch.randn(5))
    start, gradients = weight.detach().clone(), [torch.randn(5) for _ in range(6)]
    rates, momenta = one_cycle(0.1, 6)
    optimizer = torch.optim.SGD(
        [weight], lr=0.1, momentum=0.9, weight_decay=0.03, nesterov=nesterov
    )
    for gradient, rate, momentum in zip(gradients, rates, momenta, strict=True):
        optimizer.param_groups[0].update(lr=rate, momentum=momentum)
        weight.grad = gradient
        optimizer.step()
    redone = stepped(start, gradients, rates, momenta, decay=0.03, nesterov=nesterov)
    assert torch.allclose(redone.float(), weight.detach(), rtol=1e-5)


# --- augment's dice -------------------------------------------------------------------------


def _passes(dice: torch.Generator, samples: int, size: int) -> list[tuple[Crops, list[int]]]:
    """Ten passes of a right answer."""

    def die(sides: int) -> torch.Tensor:
        return torch.randint(sides, (samples,), generator=dice)

    sizes = [size] * (samples // size) + ([samples % size] if samples % size else [])
    order = torch.randperm(samples, generator=dice)
    return [(Crops(order, die(PLACES), die(PLACES), die(2)), sizes) for _ in range(10)]


def test_right_draws_never_fail() -> None:
    dice = torch.Generator().manual_seed(11)
    found = [judge_draws(_passes(dice, 132 + n % 30, 7 + n % 6)) for n in range(400)]
    assert not [findings for findings in found if findings]


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("LIT2230", lambda c: Crops(c.image, 0 * c.down + 4, 0 * c.across + 4, 0 * c.mirrored)),
        ("LIT2231", lambda c: Crops(c.image, 0 * c.down + 4, 0 * c.across + 4, c.mirrored)),
        ("LIT2231", lambda c: Crops(c.image, c.down, c.down, c.mirrored)),
        ("LIT2231", lambda c: Crops(c.image, c.down.clamp(1), c.across, c.mirrored)),
        ("LIT2232", lambda c: Crops(c.image, c.down, c.across, 0 * c.mirrored)),
        ("LIT2235", lambda c: Crops(c.image.clamp(max=3) - 1, c.down, c.across, c.mirrored)),
    ],
)
def test_wrong_draws_fail(code: str, change: Any) -> None:
    passes = _passes(torch.Generator().manual_seed(12), 150, 9)
    findings = judge_draws([(change(crops), sizes) for crops, sizes in passes])
    assert [finding.code for finding in findings] == [code]


def test_crops_are_found_again_however_they_are_scaled() -> None:
    dice = torch.Generator().manual_seed(5)
    known = torch.randn(6, 3, 32, 32, generator=dice)
    crops = Crops(*(torch.randint(n, (50,), generator=dice) for n in (6, PLACES, PLACES, 2)))
    images, inside = cropped(known, crops)
    scaled = images * torch.tensor([0.5, 2.0, 3.0]).reshape(3, 1, 1) + 1
    for seen in (images, scaled):
        again = located(known, grid(seen))
        for name in ("image", "down", "across", "mirrored"):
            assert torch.equal(getattr(again, name), getattr(crops, name))
    assert bool(inside[:, :, 4:28, 4:28].all())
    assert located(known, grid(torch.randn(9, 3, 32, 32))).image.tolist() == [-1] * 9
