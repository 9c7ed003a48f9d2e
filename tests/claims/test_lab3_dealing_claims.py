"""What lab 3 says of samplers and of signals before training, shown on real ranks."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch.utils.data import (
    DataLoader,
    DistributedSampler,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from litcourse.ranks import run_ranks
from tests.claims.lessons import Weight, numbers, on_two_ranks, two_ranks_trainer

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("samples", "batches"), [(7, (2, 1)), (9, (2, 2)), (10, (2, 2))])
def test_what_drop_last_makes_equal(samples: int, batches: tuple[int, int]) -> None:
    """The sampler's makes all shards equally long. The loader's drops a rank's last, smaller
    batch, and where shards differ in length the numbers of batches still differ.
    """
    data = TensorDataset(torch.arange(samples))
    shards = [Subset(data, range(rank, samples, 2)) for rank in range(2)]
    assert tuple(len(DataLoader(shard, 2, drop_last=True)) for shard in shards) == batches
    dealt: list[Any] = [
        DistributedSampler(data, num_replicas=2, rank=rank, drop_last=True) for rank in range(2)
    ]
    assert {len(list(sampler)) for sampler in dealt} == {samples // 2}


def test_a_sampler_that_weighs() -> None:
    """(A sampler of another kind, such as `WeightedRandomSampler`, it wraps: the weights stay, each
    rank draws with it from its own random state, and takes its share of that draw.
    """

    def work(_: int) -> dict[str, Any]:
        L.seed_everything(3, verbose=False)
        weights = [0.0] * 3 + [1.0] + [0.0] * 3 + [3.0] + [0.0] * 2
        drawn = numbers(10, sampler=WeightedRandomSampler(weights, 20))
        ordered = numbers(20, sampler=SubsetRandomSampler(range(20)))
        weighed, own = Weight(), Weight()
        for module, loader in ((weighed, drawn), (own, ordered)):
            two_ranks_trainer(max_epochs=1).fit(module, loader)
        return {"weighed": weighed.order()[0], "own": own.order()[0]}

    first, second = on_two_ranks(work)
    assert {*first["weighed"], *second["weighed"]} == {3, 7}
    assert len(first["weighed"]) == len(second["weighed"]) == 10
    assert sorted(first["own"] + second["own"]) == list(range(20))


@pytest.mark.parametrize("own", [True, False])
def test_the_generator_of_a_sampler(own: bool) -> None:
    """So give it a `generator=` that is seeded alike on all ranks: else a sampler without
    replacement, such as `SubsetRandomSampler`, gives shards that overlap.)
    """

    class Anew(Weight):
        def setup(self, stage: str) -> None:  # noqa: ARG002 (Lightning names it)
            torch.manual_seed(3 + self.global_rank)

    def work(_: int) -> dict[str, Any]:
        L.seed_everything(3, verbose=False)
        chance = torch.Generator().manual_seed(5) if own else None
        module = Anew()
        loader = numbers(20, sampler=SubsetRandomSampler(range(20), generator=chance))
        two_ranks_trainer(max_epochs=1).fit(module, loader)
        return {"trained": module.order()[0]}

    first, second = on_two_ranks(work)
    assert (set(first["trained"]) & set(second["trained"]) == set()) == own


class InOrder(RandomSampler):
    """Every sample in the order of the data."""

    def __iter__(self) -> Any:
        return iter(range(20))


def test_an_order_of_your_own() -> None:
    """You deal out yourself … for training in an order of your own."""

    def work(_: int) -> dict[str, Any]:
        module = Weight()
        loader = numbers(20, sampler=InOrder(range(20)))
        two_ranks_trainer(max_epochs=1).fit(module, loader)
        return {"trained": module.order()[0]}

    for rank in on_two_ranks(work):
        assert rank["trained"] != sorted(rank["trained"])


def test_what_ends_a_rank_before_it_trains(tmp_path: Path) -> None:
    """(Before training, as in the table's first row, and in plain torch, SIGTERM ends a rank at
    once: it is Lightning that catches it, in Python.)
    """
    pid_file = tmp_path / "pid"

    class Waits(Weight):
        def setup(self, stage: str) -> None:  # noqa: ARG002 (Lightning names it)
            if self.global_rank == 0:
                pid_file.write_text(str(os.getpid()), encoding="utf-8")
                self.trainer.strategy.barrier()
            while not (pid_file.exists() and pid_file.read_text(encoding="utf-8")):
                time.sleep(0.02)
            time.sleep(0.3)
            os.kill(int(pid_file.read_text(encoding="utf-8")), signal.SIGTERM)
            raise KeyboardInterrupt

    def work(_: int) -> dict[str, Any]:
        try:
            two_ranks_trainer(max_epochs=1).fit(Waits(), numbers(4))
        except (KeyboardInterrupt, SystemExit, RuntimeError):
            return {"ended": "by an exception"}
        return {}

    killed, sender = run_ranks(work, 2)["ranks"]
    assert sender["value"] == {"ended": "by an exception"}
    assert killed["died"] == f"signal {signal.SIGTERM:d}", killed
