"""What lab 3 and its findings say of torch, Lightning and several ranks, shown on real ones."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn
from torch.utils.data import DistributedSampler

from litcourse.clusters import resolved, simulated_cluster
from litcourse.core.environment import only_variables
from litcourse.probing.trainers import quiet_trainer
from tests.claims.lessons import Batch, Weight, numbers, on_two_ranks, two_ranks_trainer

pytestmark = pytest.mark.filterwarnings("ignore")


# --- part 1, question 1 ------------------------------------------------------------------


def test_masks_under_one_seed() -> None:
    """`seed_everything(3)` on every rank gives all of them the *same* dropout masks and
    augmentations; without a seed each rank draws its own.
    """

    def work(seeded: bool) -> dict[str, Any]:
        if seeded:
            L.seed_everything(3, verbose=False)
        two_ranks_trainer(max_epochs=1).fit(Weight(), numbers(4))
        return {"mask": nn.functional.dropout(torch.ones(32), 0.5).tolist()}

    first, second = on_two_ranks(lambda _: work(seeded=True))
    assert first == second
    first, second = on_two_ranks(lambda _: work(seeded=False))
    assert first != second


def test_devices_that_are_left_out() -> None:
    """`"auto"`: all GPUs of the node; on a CPU one process."""
    with simulated_cluster(nodes=1, gpus=3, local_rank=0):
        assert resolved(L.Trainer(logger=False))["world_size"] == 3
    assert quiet_trainer(devices="auto").world_size == 1


def test_who_starts_the_ranks() -> None:
    """`TORCHELASTIC_RUN_ID` … `SLURM_NTASKS`, and a job not named `bash` or `interactive`."""
    slurm = {"SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_LOCALID": "1", "SLURM_NODEID": "0"}
    named = {name: slurm | {"SLURM_JOB_NAME": name} for name in ("train", "bash", "interactive")}
    found = {}
    for name, variables in {**named, "torchrun": {"TORCHELASTIC_RUN_ID": "1"}}.items():
        with only_variables(variables):
            found[name] = (SLURMEnvironment.detect(), TorchElasticEnvironment.detect())
    assert found == {
        "train": (True, False),
        "bash": (False, False),
        "interactive": (False, False),
        "torchrun": (False, True),
    }


def test_where_ranks_find_their_numbers() -> None:
    """First of `SLURM_NODELIST`; 15000 + the last four digits of `SLURM_JOB_ID` …
    `SLURM_PROCID` … `SLURM_LOCALID` … `SLURM_NODEID` … `GROUP_RANK`.
    """
    slurm = {
        "SLURM_NTASKS": "8", "SLURM_PROCID": "5", "SLURM_LOCALID": "1", "SLURM_NODEID": "2",
        "SLURM_JOB_ID": "4321098", "SLURM_JOB_NAME": "train", "SLURM_NODELIST": "gpu[03-06]",
        "SLURM_NTASKS_PER_NODE": "2",
    }  # fmt: skip
    with only_variables(slurm):
        job = SLURMEnvironment()
        places = (job.global_rank(), job.local_rank(), job.node_rank(), job.world_size())
        assert places == (5, 1, 2, 8)
        assert (job.main_address, job.main_port) == ("gpu03", 15000 + 1098)
    elastic = {"RANK": "5", "LOCAL_RANK": "1", "GROUP_RANK": "2", "WORLD_SIZE": "8"}
    with only_variables(elastic):
        group = TorchElasticEnvironment()
        places = (group.global_rank(), group.local_rank(), group.node_rank(), group.world_size())
        assert places == (5, 1, 2, 8)
    with only_variables({"LOCAL_RANK": "1", "NODE_RANK": "2"}):
        own = LightningEnvironment()
        assert (own.local_rank(), own.node_rank(), own.creates_processes_externally) == (1, 2, True)


def test_a_number_of_tasks_alone() -> None:
    """`--ntasks=8` without `--ntasks-per-node` is refused by Lightning; so are `devices` and
    `num_nodes` that differ from `--ntasks-per-node` and `--nodes`.
    """
    job = {"SLURM_NTASKS": "8", "SLURM_JOB_NAME": "train"}
    with only_variables(job), pytest.raises(RuntimeError, match="You set `--ntasks=8`"):
        SLURMEnvironment()
    with only_variables({**job, "SLURM_NTASKS_PER_NODE": "4", "SLURM_NNODES": "2"}):
        SLURMEnvironment().validate_settings(num_devices=4, num_nodes=2)
        for devices, nodes, word in ((8, 2, "devices=8"), (4, 1, "num_nodes=1")):
            with pytest.raises(ValueError, match=word):
                SLURMEnvironment().validate_settings(num_devices=devices, num_nodes=nodes)


# --- question 3 --------------------------------------------------------------------------


class Plateau(Weight):
    """Lowers its rate by a metric that gets better on rank 0 alone."""

    def __init__(self, *, sync: bool) -> None:
        super().__init__()
        self.sync = sync

    def validation_step(self, *_: Any) -> None:
        value = 1.0 / (1 + self.current_epoch) if self.global_rank == 0 else 1.0
        self.log("val_loss", value, sync_dist=self.sync, batch_size=1)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=1.0)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
        return [optimizer], [{"scheduler": schedule, "monitor": "val_loss"}]


@pytest.mark.parametrize("sync", [False, True])
def test_a_schedule_by_a_metric_of_each_rank(*, sync: bool) -> None:
    """A schedule such as `ReduceLROnPlateau` lowers the rate on one rank and not on the other.
    Then equal gradients make unequal steps, and **the replicas drift apart**, without an error.
    """

    def work(_: int) -> dict[str, Any]:
        module, trainer = Plateau(sync=sync), two_ranks_trainer(max_epochs=4)
        trainer.fit(module, numbers(4), numbers(2))
        return {"weight": module.weight.item(), "lr": trainer.optimizers[0].param_groups[0]["lr"]}

    first, second = on_two_ranks(work)
    assert (first == second) is sync
    assert sync or (first["lr"] > second["lr"] and first["weight"] != second["weight"])


def test_early_stopping_of_one_rank() -> None:
    """The first stops all of them as soon as one wants to."""

    def work(_: int) -> dict[str, Any]:
        stop = EarlyStopping("val_loss", patience=1)
        trainer = two_ranks_trainer(max_epochs=9, callbacks=[stop])
        trainer.fit(Plateau(sync=False), numbers(4), numbers(2))
        return {"epochs": trainer.current_epoch}

    assert on_two_ranks(work) == [{"epochs": 2}, {"epochs": 2}]


class Synced(Weight):
    """Logs some metrics with `sync_dist`."""

    def __init__(self, metrics: int) -> None:
        super().__init__()
        self.metrics = metrics

    def validation_step(self, *_: Any) -> None:
        for number in range(self.metrics):
            self.log(f"m{number}", 1.0, sync_dist=True, batch_size=1)


def test_collectives_of_a_synced_metric() -> None:
    """One flag, two small collectives per metric and epoch."""

    def work(_: int) -> dict[str, Any]:
        sizes: list[int] = []
        original = torch.distributed.all_reduce

        def counting(tensor: Any, *arguments: Any, **keywords: Any) -> Any:
            sizes.append(tensor.numel())
            return original(tensor, *arguments, **keywords)

        torch.distributed.all_reduce = counting
        counts = []
        for metrics in (0, 1, 3):
            sizes.clear()
            two_ranks_trainer().validate(Synced(metrics), numbers(8), verbose=False)
            counts.append(len(sizes))
        return {"more": [count - counts[0] for count in counts], "largest": max(sizes)}

    assert on_two_ranks(work) == 2 * [{"more": [0, 2, 6], "largest": 1}]


class Counted(Weight):
    """Counts the samples that a test sees."""

    tested = 0

    def test_step(self, batch: Batch) -> None:
        self.tested += len(batch[0])


def test_testing_on_more_devices_than_one() -> None:
    """`L.Trainer(devices=1).test(…)` pads nothing. (Lightning warns of it when you test with
    more.)
    """

    def work(_: int) -> dict[str, Any]:
        module = Counted()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            two_ranks_trainer().test(module, numbers(5), verbose=False)
        warned = any("to use `Trainer(devices=1" in str(each.message) for each in caught)
        return {"tested": module.tested, "warned": warned}

    first, second = on_two_ranks(work)
    assert (first["tested"], second["tested"], first["warned"]) == (3, 3, True)
    alone = Counted()
    quiet_trainer().test(alone, numbers(5), verbose=False)
    assert alone.tested == 5


# --- question 4 --------------------------------------------------------------------------


def test_who_shuffles() -> None:
    """It shuffles for training, also where your loader did not, and keeps the order for
    validation.
    """

    class Notes(Weight):
        def validation_step(self, batch: Batch, _: int) -> None:
            self.validated = [*getattr(self, "validated", []), int(batch[0])]

    def work(_: int) -> dict[str, Any]:
        module = Notes()
        trainer = two_ranks_trainer(max_epochs=1, num_sanity_val_steps=0)
        trainer.fit(module, numbers(20), numbers(6))
        return {"trained": module.order()[0], "validated": module.validated}

    first, second = on_two_ranks(work)
    assert sorted(first["trained"] + second["trained"]) == list(range(20))
    assert first["trained"] != sorted(first["trained"])
    assert (first["validated"], second["validated"]) == ([0, 2, 4], [1, 3, 5])


@pytest.mark.parametrize("workers", [0, 1])
def test_the_order_after_a_checkpoint(workers: int, tmp_path: Path) -> None:
    """With one exception, in 2.6.6: if a run goes on from a checkpoint and its loader has worker
    processes, its first epoch has the order of epoch 0.
    """

    def run(epochs: int, **how: Any) -> tuple[L.Trainer, dict[int, list[int]]]:
        loader = numbers(12, num_workers=workers)
        sampler: Any = DistributedSampler(loader.dataset, num_replicas=2, rank=0)
        loader = numbers(12, num_workers=workers, sampler=sampler)
        module = Weight()
        trainer = quiet_trainer(max_epochs=epochs, use_distributed_sampler=False)
        trainer.fit(module, loader, **how)
        return trainer, module.order()

    _, whole = run(3)
    run(1)[0].save_checkpoint(tmp_path / "a.ckpt")
    _, resumed = run(3, ckpt_path=tmp_path / "a.ckpt")
    assert resumed == {1: whole[0 if workers else 1], 2: whole[2]}
    assert whole[0] != whole[1]
