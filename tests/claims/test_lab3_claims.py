"""What lab 3 and its findings say of torch, Lightning and several ranks, shown on real ones."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from litcourse.probing.trainers import quiet_trainer
from tests.claims.lessons import Batch, Weight, numbers, on_two_ranks, two_ranks_trainer

pytestmark = pytest.mark.filterwarnings("ignore")


# --- part 1 ----------------------------------------------------------------------------


def test_the_first_weights() -> None:
    """(The first weights need no common seed: rank 0's are sent to all.)"""

    def work(rank: int) -> dict[str, Any]:
        module, begun = Weight(), []
        module.weight.data.fill_(5.0 + rank)
        callback = L.pytorch.callbacks.LambdaCallback(
            on_train_start=lambda *_: begun.append(module.weight.item())
        )
        two_ranks_trainer(max_epochs=1, callbacks=[callback]).fit(module, numbers(4))
        return {"begun": begun}

    assert on_two_ranks(work) == 2 * [{"begun": [5.0]}]


class Normed(Weight):
    """Notes the running mean that validation uses."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mean = nn.BatchNorm1d(1), 0.0

    def training_step(self, batch: Batch, _: int) -> Any:
        return self.norm(self.weight * batch[0][:, None]).sum()

    def validation_step(self, *_: Any) -> None:
        self.mean = self.norm.running_mean.item()  # type: ignore[union-attr]


def test_statistics_of_batch_norm() -> None:
    """The running statistics, which validation uses, are those of rank 0's samples alone: DDP
    sends its buffers to all.
    """

    def work(rank: int) -> dict[str, Any]:
        same = torch.full((4,), 10.0 * (rank + 1))
        loader = DataLoader(TensorDataset(same), batch_size=2)
        module = Normed()
        plain = {"use_distributed_sampler": False, "num_sanity_val_steps": 0}
        two_ranks_trainer(max_epochs=1, **plain).fit(module, loader, loader)
        return {"mean": module.mean}

    first, second = on_two_ranks(work)
    assert first["mean"] == second["mean"] == pytest.approx(10 * (0.1 + 0.9 * 0.1), rel=1e-3)


def test_common_statistics_on_cpu_ranks() -> None:
    """(on GPUs; torch refuses it on CPU ranks)."""

    def work(_: int) -> dict[str, Any]:
        with pytest.raises(ValueError, match="SyncBatchNorm layers only work with GPU modules"):
            two_ranks_trainer(max_epochs=1, sync_batchnorm=True).fit(Normed(), numbers(4, 2))
        return {}

    on_two_ranks(work)


def seeded(seed: int, kind: type[Weight] = Weight) -> dict[str, Any]:
    """The masks and samples of a rank whose program began with `seed_everything`."""
    L.seed_everything(seed, verbose=False)
    module = kind()
    two_ranks_trainer(max_epochs=1).fit(module, numbers(20))
    return {
        "mask": nn.functional.dropout(torch.ones(32), 0.5).tolist(),
        "samples": module.order()[0],
    }


def test_one_seed_for_all_ranks() -> None:
    """`seed_everything(3)` on every rank gives all of them the *same* dropout masks and
    augmentations.
    """
    first, second = on_two_ranks(lambda _: seeded(3))
    assert first["mask"] == second["mask"]
    assert sorted(first["samples"] + second["samples"]) == list(range(20))


def test_a_seed_for_each_rank() -> None:
    """`seed_everything(3 + rank)` also seeds Lightning's sampler, so that the ranks draw
    different orders, and **their shards overlap**.
    """
    first, second = on_two_ranks(lambda rank: seeded(3 + rank))
    assert first["mask"] != second["mask"]
    assert set(first["samples"]) & set(second["samples"])


def test_a_seed_for_torch_alone() -> None:
    """Seed all alike, and then each one's torch anew: `torch.manual_seed(3 + self.global_rank)`
    in `setup`.
    """

    class Anew(Weight):
        def setup(self, stage: str) -> None:  # noqa: ARG002 (Lightning names it)
            torch.manual_seed(3 + self.global_rank)

    first, second = on_two_ranks(lambda _: seeded(3, Anew))
    assert first["mask"] != second["mask"]
    assert sorted(first["samples"] + second["samples"]) == list(range(20))


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
