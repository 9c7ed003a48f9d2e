"""The judges of lab 3, on evidence of real ranks: the same verdict each time, none for nonsense."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lightning.pytorch.accelerators import cuda

from litcourse.core.registry import find_question
from litcourse.probing.probe_runner import take_evidence

from .contract import Answered, JudgeContract, earned, replaced

LAB = "lab3_ddp"
RUNS = {"synced": "run", "sampler": "one_node", "rank_zero": "one_node", "unused": "skipping"}
"""Names of runs in the evidence, by question."""

pytestmark = pytest.mark.filterwarnings("ignore:Casting complex values", "ignore:torch.quantize")


class TestJudges(JudgeContract):
    """All of the contract, without exceptions."""

    SERVES = {  # noqa: RUF012  never written
        "kwargs": {
            "cases/0/*/trainer/kinds*": "",  # with one GPU either strategy is fine
            "cases/0/*/trainer/start_method": "",
            "cases/*/trainer/kinds/*": "",  # the class and its bases, each of which says DDP
            "cases/*/trainer/kinds": "ddp",
            "cases/*/trainer/start_method": "ddp",
            "cases/*/elsewhere/type": "ranks",  # the shape is what the function may read there
            "cases/*/trainer/precision": "precision",
            "cases/*/trainer/world_size": "ranks",
            "cases/*/trainer/num_nodes": "ranks",
            "cases/*/trainer/devices": "ranks",
            "cases/*/trainer/global_rank": "ranks",
            "cases/*/trainer/accelerator": "ranks",
            "cases/*/trainer/root_device": "ranks",
            "cases/*/trainer/*": "",
            "cases*": "ranks ddp precision",
            "fresh*": "fresh",
        },
        "recipe": {
            "calls/*/error*": "",  # "raised" has its type
            "calls/*/raised/0": "errors",
            "calls/*/raised/*": "",
            "calls/*/raised": "errors",
            "calls/*/value/entries/lr*": "lr",
            "calls/*/value/entries/global_batch_size*": "batch",
            "calls/*/value*": "lr batch",
            "calls*": "lr batch errors",
        },
        "synced": {
            "bases/*": "",
            "bases": "weights val_loss val_acc train_loss",
            "synced*": "",
            "stops": "",  # names the cause of a hang
            "run/seconds": "",
            "run/ranks/?/at": "",
            "run/ranks/?/pid": "",
            "run/ranks/?/output": "",
            "run/ranks/?/value/kept_as": "",
            "run/ranks/?/value/has_group": "weights",
            "run/ranks/?/value/wraps": "weights",
            "run/ranks/?/value/epochs/?/logged/train_loss": "",
            "run/ranks/?/value/epochs/?/logged/val_acc": "val_acc",
            "run/ranks/?/value/epochs*": "val_loss val_acc",
            "run/ranks/?/value/end*": "weights",
            "run/ranks/0/value/logged/0": "train_loss",
            "run/ranks/0/value/logged/*": "",
            "run/ranks/0/value/logged": "train_loss",
            "run/ranks/1/value/logged*": "",
            "run*": "weights val_loss val_acc train_loss",
        },
        "sampler": {
            "bases/*": "",
            "bases": "once batches order val",
            "*/seconds": "",
            "*/ranks/?/at": "",
            "*/ranks/?/pid": "",
            "*/ranks/?/output": "",
            # A sample may be there twice, as padding; one of the two is not missed.
            "*/again/train*": "order",
            "*/again/val*": "",
            "*/first/train/?/?/*": "batches",  # the last batch has one sample
            "*/train/?/?/*": "",
            "*/train/?/0": "once batches",
            "*/train/?/?": "batches",
            "one_node/*/train*": "once batches order",
            "nodes/*/train*": "once batches",
            "*/val/?/?/*": "",
            "*/val": "val",
            "*/val/*": "val",
            "one_node/*/seeded": "order",
            "nodes/*/seeded": "",
            "one_node*": "once batches order val",
            "nodes*": "once batches val",
        },
        "rank_zero": {
            "bases/*": "",
            "bases": "writer nodes epoch val_acc samples_seen",
            "*/seconds": "",
            "*/ranks/?/at": "",
            "*/ranks/?/pid": "",
            "*/ranks/?/output": "",
            "*/numbers": "",  # names the cause of a wrong count
            "*/ranks/0/value/*/opened*": "",  # that it wrote is known by its text
            "*/ranks/1/value/*/changes": "",  # only the writer's count
            "*/ranks/1/value/*/appended": "",
            "two_nodes/*/nodes/changes": "nodes",
            "two_nodes/*/nodes/appended": "nodes",
            "two_nodes/*/nodes/opened": "nodes",
            "*/changes": "writer",
            "*/appended": "writer",
            "*/opened": "writer",
            "*/text": "epoch val_acc samples_seen",
            "one_node*": "writer epoch val_acc samples_seen",
            "two_nodes*": "nodes epoch val_acc samples_seen",
            "single*": "writer epoch val_acc samples_seen",
        },
        "unused": {
            "*/seconds": "",
            "*/ranks/?/at": "",
            "*/ranks/?/pid": "",
            "*/ranks/?/output": "",
            "*/returned": "",
            "*/strategy/*": "",  # the class and its bases, each of which says DDP
            "*/ddp/static": "",
            "skipping/*/ddp*": "",  # the weights show that each branch was averaged
            "none*": "free",
            "skipping*": "ends",
        },
        "launch": {
            "names*": "",  # names the cause where no Trainer was made
            "*/seconds": "",
            "*/command": "",
            "*/imports": "",
            "*/at": "",
            "*/pid": "",
            "*/output": "",
            "import*": "import",
            "*/trainers/0/current_epoch": "epochs",
            "*/trainers/0/samples": "two",
            "*/trainers/0/whole": "two",
            "one/*/trainers/0/weights": "one",
            "one/*/trainers/0/start_weights": "one",
            "one/*/trainers/0/networks*": "one",
            "one/*/trainers/0/all_batches": "one",
            "one/*/trainers/0/fitted": "one",
            "one/*/trainers/0/finished": "one",
            "one/*/trainers/0/endless": "one",
            "one/*/trainers/0/started_by": "one",
            "one/*/trainers/0/world_size": "one",
            "one/*/trainers/0/global_*": "one",
            "two/*/trainers/0/weights": "two",
            "two/*/trainers/0/start_weights": "two",
            "two/*/trainers/0/networks*": "two",
            "two/*/trainers/0/all_batches": "two",
            "two/*/trainers/0/fitted": "two epochs",
            "two/*/trainers/0/finished": "two epochs",
            "two/*/trainers/0/endless": "two epochs",
            "two/*/trainers/0/started_by": "two epochs",
            "two/*/trainers/0/world_size": "two epochs",
            "two/*/trainers/0/global_rank": "two epochs",
            "two/*/trainers/0/global_step": "two",
            "*/trainers/0/*": "",
            "one*": "one",
            "two*": "two epochs",
        },
    }


@pytest.mark.parametrize("name", RUNS)
def test_a_deadlock_costs_points_and_names_the_collectives(
    name: str, answers: dict[str, Answered]
) -> None:
    of = answers[name]
    stuck = {"waits_for": "barrier", "line": "your cell:3 f", "stack": "barrier\nyour cell:3 f",
             "busy": False, "seconds": 2.0}  # fmt: skip
    ranks = 3 if name == "sampler" else 2
    entries = [{"stuck": stuck, "output": ""} for _ in range(ranks)]
    verdict = of.judged({**of.solution, RUNS[name]: {"ranks": entries, "seconds": 2.0}})
    assert verdict.score is not None
    assert verdict.score < 1
    assert "barrier" in verdict.findings[0].got
    code = "LIT3601" if name == "unused" else "LIT932"
    assert verdict.findings[0].code == code


@pytest.mark.parametrize("name", ["synced", "sampler", "rank_zero"])
def test_ranks_that_are_missing_earn_nothing(name: str, answers: dict[str, Answered]) -> None:
    of = answers[name]
    run = of.solution[RUNS[name]]
    tree = {**of.solution, RUNS[name]: {**run, "ranks": run["ranks"][:1]}}
    assert of.judged(tree).score == 0


def test_a_cluster_that_can_not_be_simulated_gives_no_score(
    answers: dict[str, Answered], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause is the installed lightning, whatever the answer is."""
    of = answers["kwargs"]
    monkeypatch.delattr(cuda, "num_cuda_devices")
    question = find_question(of.lab, of.name)
    tree = take_evidence(question, of.inputs.shown, {"ddp_kwargs": lambda *_, **__: {}})
    verdict = of.judged(tree)
    assert verdict.score is None
    assert "num_cuda_devices" in verdict.undecided


def test_numbers_of_a_run_on_two_nodes_are_judged_too(answers: dict[str, Answered]) -> None:
    of = answers["rank_zero"]
    way = ("two_nodes", "ranks", 0, "value", "nodes", "text")
    verdict = of.judged(replaced(of.solution, way, "{}"))
    assert earned(verdict) == {"writer", "nodes"}


def test_probes_leave_the_folder_and_the_environment(answers: dict[str, Answered]) -> None:
    assert answers["launch"].solution
    assert not {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT"} & set(os.environ)
    assert sorted(path.name for path in Path().iterdir()) == ["train_ddp.py"]
