"""The judges of lab 1: the same inputs and evidence, the same verdict; nonsense earns nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from litcourse.core.evidence import LONGEST_LIST
from litcourse.core.question import Inputs
from litcourse.core.tree import Tree
from litcourse.labs.lab1_mnist import fit as fit_module

from .contract import Answered, JudgeContract, replaced

LAB = "lab1_mnist"

pytestmark = pytest.mark.filterwarnings("ignore:Casting complex values", "ignore:torch.quantize")


@pytest.fixture(autouse=True)
def _no_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Matplotlib would take nearly all of the time; one test below draws for real."""
    if "figure" not in request.node.name:
        monkeypatch.setattr(fit_module, "draw_curve", lambda *_: "")


class TestJudges(JudgeContract):
    BLIND = ("timer",)  # its inputs are how long the probe sleeps
    MOST = 10**6
    SERVES = {  # noqa: RUF012  never written
        "wrap": {
            "bases/*": "",
            "bases": "forward loss step log device",
            "cases": "forward loss step log device",
            "cases/*/kept_as": "",
            "cases/*/start*": "forward loss step log device",
            "cases/*/forward*": "forward",
            "cases/*/training/automatic": "",
            "cases/*/training/by_hand": "",
            "cases/*/training/gradients": "step device",
            "cases/*/training/losses*": "loss",
            "cases/*/training/logged": "log",
            "cases/*/training/logged_names*": "",
            "cases/*/training/optimizers*": "",
            "cases/*/training/*": "step",
            "cases/*": "forward loss step log device",
            "device*": "device",
            "long*": "step",
        },
        "datamodule": {
            "bases/*": "",
            "bases": "images split repeat order loaders prepare",
            "prepared*": "prepare",
            "fetched_in*": "prepare",
            "after_prepare*": "prepare",
            "first/reseeded": "",  # for lab 2
            "first/train/images": "images split order loaders",
            "first/val/images": "images split repeat loaders",
            "first/test/images": "images split loaders",
            "first/*/labels": "images",
            "first/*/sizes*": "loaders",
            "first/*_again": "order",
            "first/train": "images split order loaders",
            "first/val": "images split repeat loaders",
            "first/test": "images split loaders",
            "first": "images split repeat order loaders",
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
        "evaluate": {
            "bases*": "",
            "base": "",
            "is_subclass": "val_loss val_acc test_loss test_acc keys",
            "cases": "val_loss val_acc test_loss test_acc keys",
            "cases/*/test/logged/test_loss": "test_loss",
            "cases/*/test/logged/test_acc": "test_acc",
            "cases/*/test/keys*": "keys",
            "cases/*/test/*": "test_loss test_acc",
            "cases/*/test": "test_loss test_acc keys",
            "cases/*/*/logged/val_loss": "val_loss",
            "cases/*/*/logged/val_acc": "val_acc",
            "cases/*/*/keys*": "keys",
            "cases/*/*/*": "val_loss val_acc",
            "cases/*/*": "val_loss val_acc keys",
            "cases/*": "val_loss val_acc test_loss test_acc keys",
        },
        "fit": {
            "curves/*/returned": "best stop log device data converge",
            "curves/*/steps": "best stop log device data converge",
            "curves/*/epochs": "best stop log",
            "curves/rising/planned": "stop",
            "curves/*/planned": "",
            "curves/*/monitor": "best",
            "curves/*/whole": "best",
            "curves/*/settings/steps*": "converge",
            "curves/*/settings/limits*": "data",
            "curves/*/settings/*": "",
            "curves/*/settings": "best stop log device data converge",
            "curves/*/best_epoch": "best",
            "curves/*/logged*": "log",
            "curves/*/default_logger": "",
            "curves/*/arguments*": "device",
            "curves/*/trained_on*": "data",
            "curves*": "best stop log device data converge",
            "digits/curve*": "",
            "digits*": "converge",
        },
        "reload": {
            "cases/*/training": "mode",
            "cases/*/modules": "mode",
            "cases/*/weights*": "best whole",
            "cases*": "best whole mode",
        },
        "timer": {
            "bases/*": "",
            "bases": "logged true without_val resumed",
            "plain*": "logged true",
            "without_val*": "without_val",
            "resumed*": "resumed",
            "after*": "resumed",
        },
    }

    @pytest.fixture
    def of(self, name: str, answers: dict[str, Answered]) -> Answered:
        """The question, of `wrap` with one of its four networks, which saves most of the time."""
        whole = answers[name]
        if name != "wrap":
            return whole
        shown, seen, stub = (
            _conv(tree) for tree in (whole.inputs.shown, whole.solution, whole.stub)
        )
        return replace(whole, inputs=Inputs(shown), solution=seen, stub=stub)


def _conv(tree: Tree) -> Tree:
    return {**tree, "cases": {"conv": tree["cases"]["conv"]}}


def test_figures_are_drawn_of_any_curve(answers: dict[str, Answered]) -> None:
    of = answers["fit"]
    curves = [[], [0.5], [float("nan"), 0.3], [float("-inf")], [1e30, 0.1]]
    for curve in curves:
        tree = replaced(of.solution, ("digits", "curve"), curve)
        assert of.judged(tree).score == 1
    tree = replaced(of.solution, ("digits", "curve"), [0.1] * (LONGEST_LIST + 1))
    assert of.judged(tree).findings[0].code == "LIT903"
