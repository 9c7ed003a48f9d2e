"""The judges of lab 2: the same verdict each time, none for nonsense; chance fails nobody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from litcourse.labs.lab2_cifar10 import converge
from litcourse.labs.lab2_cifar10.augment._crops import PLACES, Crops, crop, grid, locate_crops
from litcourse.labs.lab2_cifar10.augment._statistics import judge_draws
from litcourse.labs.lab2_cifar10.schedule._one_cycle import (
    one_cycle,
    planned_total,
    same_curve,
    step_sgd,
)
from litcourse.labs.lab2_cifar10.schedule._rates import _why

from .contract import Answered, JudgeContract

LAB = "lab2_cifar10"

pytestmark = pytest.mark.filterwarnings("ignore:Casting complex values", "ignore:torch.quantize")


def _serves_of_script() -> dict[str, str]:
    """SERVES of `script`: the runs have one form, and each shows a criterion of its name."""
    runs = {name: name for name in ("one", "two", "bf16", "resumed")} | {"interrupted": "resumed"}
    records = (
        *("fitted", "finished", "endless", "world_size", "global_rank", "max_epochs"),
        *("current_epoch", "global_step", "start_weights", "weights"),
    )
    found = {"program*": ""}
    for run, criterion in runs.items():
        known = ("fitted", "finished", "endless") if run == "interrupted" else records
        own = {"two": ("strategy",), "bf16": ("precision",), "resumed": ("start_step",)}
        place = f"{run}/run/ranks/*/trainers/*"
        found |= {f"{place}/{key}": criterion for key in (*known, *own.get(run, ()))}
        found |= {f"{place}/*": "", f"{run}/run/ranks/*/trainers*": criterion}
        # How the interrupted run ended, and what it left, shows in the run that goes on from it.
        end = "" if run == "interrupted" else criterion
        found |= {f"{run}/run/ranks/*/value*": end, f"{run}/checkpoints*": end}
        words = ("ranks/*/at", "ranks/*/pid", "ranks/*/output", "command", "asked", "imports")
        found |= {f"{run}/run/{part}": "" for part in (*words, "elsewhere", "seconds")}
        found |= {f"{run}*": criterion}
    return found


class TestJudges(JudgeContract):
    ENDS = True
    SLOW = {"augment": 6}  # noqa: RUF012  never written; each verdict looks for 1,500 crops
    SERVES = {  # noqa: RUF012  never written
        "schedule": {
            "bases/*": "",
            "bases": "rate everywhere loss step log",
            "start*": "rate everywhere loss step log",
            "plain/groups/*/lr*": "rate step",
            "plain/groups/*/momentum*": "rate step",
            "defaults/groups/*/weight_decay*": "everywhere",
            "*/groups/*/weight_decay*": "",
            "*/groups/*/momentum*": "",
            "plain/groups*": "rate loss step",
            "plain/final*": "step",
            "plain/weights*": "loss step",
            "plain/gradients*": "loss step",
            "plain/losses*": "log",
            "plain/fit*": "log",
            "plain/val_logits": "log",
            "plain/test*": "log",
            "plain/optimizers*": "",
            "plain/automatic": "",
            "plain/by_hand": "",
            "plain": "rate everywhere loss step log",
            "max_steps/weights*": "loss",
            "max_steps/gradients*": "loss",
            "ranks/ranks/*/at": "",
            "ranks/ranks/*/pid": "",
            "ranks/ranks/*/output": "",
            "ranks/seconds": "",
            "*": "everywhere",
        },
        "augment": {
            "bases/*": "",
            "bases": "augment images split repeat order loaders prepare",
            "prepared*": "prepare",
            "fetched_in*": "prepare",
            "after_prepare*": "prepare",
            "first/reseeded": "repeat",
            "first/one_set": "",
            "first/on_subset": "",
            "first/later": "",
            "first/draws*": "augment",
            "first/draw_sizes*": "augment",
            "first/train/images": "images split order loaders",
            "first/val/images": "augment images split repeat loaders",
            "first/test/images": "augment images split loaders",
            "first/*/labels": "images",
            "first/*/sizes*": "loaders",
            "first/*_again": "order",
            "first/train": "images split order loaders",
            "first/val": "augment images split repeat loaders",
            "first/test": "augment images split loaders",
            "first": "augment images split repeat order loaders",
            "validate*": "split",
            "trainer*": "split",
            "many*": "split",
            "elsewhere*": "repeat",
            "again*": "repeat",
            "other_seed*": "repeat",
            "workers*": "loaders",
            "wide*": "loaders",
            "defaults*": "loaders",
        },
        "engineer": {
            "made/*/returned": "hardware precision steps",
            "made/*/accelerator": "hardware",
            "made/*/world_size": "hardware",
            "made/*/precision": "precision",
            "made/*/max_epochs": "steps",
            "made/*/accumulate": "steps",
            "made/*/limits*": "steps",
            "made/*/shares": "steps",
            "made/*/*": "",
            "made*": "hardware precision steps",
            "runs/*/accumulate*": "",
            "runs/*/clip_val": "",
            "runs/*/epochs": "steps best last log",
            "runs/*/validated/*": "log",
            "runs/*/validated": "best log",
            "runs/*/val_batches": "log",
            "runs/*/rates*": "steps",
            "runs/*/places*": "steps",
            "runs/*/dtypes/*": "",
            "runs/*/dtypes": "precision steps",
            "runs/*/files/*": "",
            "runs/*/files": "place",
            "runs/*/elsewhere": "place",
            "runs/*/val_acc*": "log",
            "runs/tuned/columns*": "",
            "runs/plain/columns/*": "",
            "runs/plain/columns": "log",
            "runs/*/default_logger": "log",
            "runs/*/checkpoints/*/best/resumable": "",
            "runs/*/checkpoints/*/best*": "best",
            "runs/*/checkpoints/*/monitor": "best",
            "runs/*/checkpoints/*/last*": "",
            "runs/*/checkpoints*": "best",
            "runs/*/saved*": "",
            "runs*": "precision steps best last log place",
        },
        "converge": {
            "main/returned": "accuracy same other place",
            "main/steps": "accuracy place",
            "main/weights*": "accuracy",
            "main/settings*": "accuracy",
            "main/limits*": "accuracy",
            "main/elsewhere": "place",
            "main/*": "",
            "main": "accuracy same other place",
            "defaults*": "accuracy",
            "other/planned": "accuracy",
            "*/planned": "",
            "first*": "same other",
            "again*": "same",
            "other*": "other",
        },
        "script": _serves_of_script(),
    }

    @pytest.fixture(autouse=True)
    def _no_figures(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Matplotlib would take nearly all of the time."""
        monkeypatch.setattr(converge, "draw_curve", lambda *_: "")


def test_runs_of_fewer_ranks_are_no_evidence(answers: dict[str, Answered]) -> None:
    of = answers["schedule"]
    for count in (0, 1):
        ranks = of.solution["ranks"]["ranks"][:count]
        tree = {**of.solution, "ranks": {**of.solution["ranks"], "ranks": ranks}}
        assert of.judged(tree).score == 0
    of = answers["script"]
    two = of.solution["two"]
    tree = {**of.solution, "two": {**two, "run": {**two["run"], "ranks": two["run"]["ranks"][:1]}}}
    assert not of.judged(tree).passed
    tree = {**of.solution, "two": of.solution["one"]}
    assert not of.judged(tree).passed


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
    redone = step_sgd(start, gradients, rates, momenta, decay=0.03, nesterov=nesterov)
    assert torch.allclose(redone.float(), weight.detach(), rtol=1e-5)


# --- augment's statistics -------------------------------------------------------------------------


def _passes(source: torch.Generator, samples: int, size: int) -> list[tuple[Crops, list[int]]]:
    """Ten passes of a right answer."""

    def die(sides: int) -> torch.Tensor:
        return torch.randint(sides, (samples,), generator=source)

    sizes = [size] * (samples // size) + ([samples % size] if samples % size else [])
    order = torch.randperm(samples, generator=source)
    return [(Crops(order, die(PLACES), die(PLACES), die(2)), sizes) for _ in range(10)]


def test_right_draws_never_fail() -> None:
    source = torch.Generator().manual_seed(11)
    found = [judge_draws(_passes(source, 132 + n % 30, 7 + n % 6)) for n in range(400)]
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
    source = torch.Generator().manual_seed(5)
    known = torch.randn(6, 3, 32, 32, generator=source)
    crops = Crops(*(torch.randint(n, (50,), generator=source) for n in (6, PLACES, PLACES, 2)))
    images, inside = crop(known, crops)
    scaled = images * torch.tensor([0.5, 2.0, 3.0]).reshape(3, 1, 1) + 1
    for seen in (images, scaled):
        again = locate_crops(known, grid(seen))
        for name in ("image", "down", "across", "mirrored"):
            assert torch.equal(getattr(again, name), getattr(crops, name))
    assert bool(inside[:, :, 4:28, 4:28].all())
    assert locate_crops(known, grid(torch.randn(9, 3, 32, 32))).image.tolist() == [-1] * 9
