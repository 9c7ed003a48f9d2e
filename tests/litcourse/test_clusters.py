"""Trainers resolve as on a cluster, nothing stays replaced, and a changed Lightning is noticed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Any

import lightning as L
import pytest
import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.accelerators import CUDAAccelerator, cuda
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy
from lightning.pytorch.trainer.connectors import accelerator_connector

from litcourse.clusters import ClusterError, resolved, simulated_cluster
from litcourse.core.registry import find_question
from litcourse.core.scoring import grade
from litcourse.probing.probe_runner import take_evidence
from litcourse.probing.silenced import scratch_folder
from litcourse.probing.trainers import quiet_trainer


@pytest.fixture(autouse=True)
def _in_a_quiet_room(_neutral: None) -> Iterator[None]:
    with scratch_folder():
        yield


def made(**arguments: Any) -> dict[str, Any]:
    return resolved(quiet_trainer(**({"accelerator": "auto"} | arguments)))


SIZES = [(1, 1), (1, 2), (1, 8), (2, 1), (2, 4), (8, 8)]


@pytest.mark.parametrize("slurm", [False, True])
@pytest.mark.parametrize(("nodes", "gpus"), SIZES)
def test_every_corner_of_a_cluster(nodes: int, gpus: int, slurm: bool) -> None:
    for node_rank, local_rank in {(0, 0), (nodes - 1, gpus - 1), (nodes // 2, gpus // 2)}:
        place = {"node_rank": node_rank, "local_rank": local_rank}
        with simulated_cluster(nodes, gpus, **place, slurm=slurm):
            seen = made(num_nodes=nodes, devices=gpus)
        wanted = {
            "world_size": nodes * gpus,
            "num_nodes": nodes,
            "devices": gpus,
            "global_rank": node_rank * gpus + local_rank,
            **place,
            "strategy": "DDPStrategy" if nodes * gpus > 1 else "SingleDeviceStrategy",
            "accelerator": "CUDAAccelerator",
            "root_device": f"cuda:{local_rank}",
            "environment": "SLURMEnvironment" if slurm else "LightningEnvironment",
        }
        assert {name: seen[name] for name in wanted} == wanted


def test_a_machine_without_gpus() -> None:
    with simulated_cluster(1, 0):
        seen = made(devices=2, strategy="ddp")
    assert (seen["accelerator"], seen["world_size"], seen["root_device"]) == (
        "CPUAccelerator", 2, "cpu",
    )  # fmt: skip


def test_nodes_with_more_gpus_than_were_asked_for() -> None:
    with simulated_cluster(2, 2, on_node=8):
        assert made(num_nodes=2, devices=2)["world_size"] == 4
        assert made(num_nodes=2, devices="auto")["world_size"] == 16


def test_slurm_checks_the_tasks_of_a_node() -> None:
    with simulated_cluster(2, 4, slurm=True):
        trainer = quiet_trainer(accelerator="gpu", num_nodes=2, devices=2)
        with pytest.raises(ValueError, match="ntasks-per-node=4"):
            trainer.strategy.cluster_environment.validate_settings(2, 2)  # type: ignore[attr-defined]


def test_strategies_that_shard() -> None:
    with simulated_cluster(2, 4, node_rank=1, local_rank=2):
        for strategy in (FSDPStrategy(), ModelParallelStrategy(), "fsdp"):
            seen = made(num_nodes=2, devices=4, strategy=strategy, precision="bf16-true")
            assert (seen["world_size"], seen["global_rank"], seen["root_device"]) == (
                8,
                6,
                "cuda:2",
            )


def test_deepspeed() -> None:
    pytest.importorskip("deepspeed")
    with simulated_cluster(1, 4, slurm=True, local_rank=3):
        seen = made(devices=4, strategy="deepspeed_stage_3", precision="16-mixed")
    assert (seen["strategy"], seen["global_rank"]) == ("DeepSpeedStrategy", 3)


def test_what_else_is_resolved() -> None:
    arguments: dict[str, Any] = {
        "precision": "bf16-mixed", "gradient_clip_val": 0.5, "gradient_clip_algorithm": "value",
        "accumulate_grad_batches": 4, "max_epochs": 3,
        "strategy": "ddp_find_unused_parameters_true",
        "sync_batchnorm": True, "use_distributed_sampler": False, "logger": True,
    }  # fmt: skip
    with simulated_cluster(1, 2):
        seen = made(devices=2, callbacks=[L.pytorch.callbacks.Timer()], **arguments)
        plain = made(devices=2)
    assert seen["callbacks"] == ["Timer"]
    assert len(seen["loggers"]) == 1
    wanted = {
        "precision": "bf16-mixed", "clip_val": 0.5, "clip_algorithm": "value", "accumulate": 4,
        "max_epochs": 3, "find_unused": True, "sync_batchnorm": True, "distributed_sampler": False,
    }  # fmt: skip
    assert {name: seen[name] for name in wanted} == wanted
    assert {name: plain[name] for name in wanted} == {
        "precision": "32-true", "clip_val": None, "clip_algorithm": None, "accumulate": 1,
        "max_epochs": None, "find_unused": False, "sync_batchnorm": False,
        "distributed_sampler": True,
    }  # fmt: skip


def test_nothing_stays_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")

    def state() -> list[Any]:
        interactive = vars(accelerator_connector)["_IS_INTERACTIVE"]
        return [vars(cuda)["num_cuda_devices"], torch.cuda.device_count, torch.cuda.is_available,
                torch.backends.mps.is_available, interactive, dict(os.environ),
                getattr(rank_zero_only, "rank", None)]  # fmt: skip

    before = state()
    with simulated_cluster(2, 2, node_rank=1, slurm=True):
        quiet_trainer(accelerator="gpu", num_nodes=2, devices=2)
        assert all(a != b for a, b in zip(state()[:3], before[:3], strict=True))
    assert state() == before
    with pytest.raises(KeyError), simulated_cluster(1, 1):
        raise KeyError
    assert state() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nodes": 0, "gpus": 1}, "No process"),
        ({"nodes": 2, "gpus": 2, "node_rank": 2}, "No process"),
        ({"nodes": 2, "gpus": 2, "local_rank": 2}, "count from 0"),
        ({"nodes": 1, "gpus": 4, "on_node": 2}, "2 GPUs has no place for 4"),
    ],
)
def test_places_that_are_none(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message), simulated_cluster(**arguments):
        pass


# --- Lightning changes ---------------------------------------------------------------------------


def test_a_name_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cuda, "num_cuda_devices")
    with pytest.raises(ClusterError) as error, simulated_cluster(1, 2):
        pass
    assert error.value.name == "lightning.pytorch.accelerators.cuda.num_cuda_devices"
    assert f"lightning {L.__version__}" in str(error.value)


def test_a_name_that_has_lost_its_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Lightning asked for GPUs in another way."""
    monkeypatch.setattr(CUDAAccelerator, "is_available", staticmethod(lambda: False))
    before = dict(os.environ)
    with pytest.raises(ClusterError, match=L.__version__), simulated_cluster(2, 2):
        pass
    assert dict(os.environ) == before


def test_an_environment_that_means_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(L.Trainer, "global_rank", 5)
    place = simulated_cluster(2, 2, node_rank=1, local_rank=1, slurm=True)
    with pytest.raises(ClusterError, match=r"Trainer\.global_rank is 5 where 3 is right"), place:
        pass


@pytest.mark.parametrize(
    ("lab", "question_id", "name"),
    [("lab2_cifar10", "engineer", "make_trainer"), ("lab3_ddp", "kwargs", "ddp_kwargs")],
)
def test_a_question_that_needs_clusters_is_then_left_to_a_person(
    monkeypatch: pytest.MonkeyPatch, lab: str, question_id: str, name: str
) -> None:
    monkeypatch.setattr(CUDAAccelerator, "is_available", staticmethod(lambda: False))
    question = find_question(lab, question_id)
    inputs = question.draw(Random(0))
    evidence = take_evidence(question, inputs.shown, {name: lambda *_, **__: None})
    verdict = grade(lab, question_id, inputs, evidence)
    assert (verdict.score, verdict.findings) == (None, ())
    assert "a cluster can't be simulated" in verdict.undecided
