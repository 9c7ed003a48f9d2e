"""What lab 4 says of FSDP beside batch norms and tensor parallelism, shown on real ranks."""

from __future__ import annotations

from functools import partial
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.fsdp.wrap import CustomPolicy
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)
from torch.utils.data import DataLoader, TensorDataset

from litcourse.models import MLP
from litcourse.ranks import run_ranks
from litcourse.sharding import fsdp1_units, train_on_cpu, wrap_as_fsdp1
from tests.claims.lessons import as_rank_0, on_two_ranks, two_layers, two_ranks_trainer

pytestmark = pytest.mark.filterwarnings("ignore")


class Normed(L.LightningModule):
    """Notes the running mean with which it validates.

    Args:
        fsdp2: whether it shards itself.
    """

    def __init__(self, *, fsdp2: bool) -> None:
        super().__init__()
        self.fsdp2, self.mean = fsdp2, 0.0
        self.network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))

    def configure_model(self) -> None:
        if self.fsdp2:
            mesh: Any = self.device_mesh
            fully_shard(self.network, mesh=mesh["data_parallel"])

    def training_step(self, batch: Any, _: int) -> Any:
        return self.network(batch[0]).mean()

    def validation_step(self, batch: Any, _: int) -> None:
        self.network(batch[0])
        self.mean = next(v[0].item() for k, v in self.named_buffers() if "running_mean" in k)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def running_means(kind: str) -> list[float]:
    """The running mean with which each of two ranks validates, whose samples differ."""

    def work(rank: int) -> dict[str, Any]:
        torch.manual_seed(0)
        module = Normed(fsdp2=kind == "fsdp2")
        data = TensorDataset(torch.arange(32.0).reshape(8, 4) + 10 * rank)
        loader = DataLoader(data, batch_size=4)
        strategies: dict[str, Any] = {
            "ddp": "ddp",
            "fsdp1": train_on_cpu(FSDPStrategy(auto_wrap_policy={nn.Linear})),
            "fsdp2": ModelParallelStrategy(2, 1),
        }
        alone = {"use_distributed_sampler": False, "num_sanity_val_steps": 0}
        trainer = two_ranks_trainer(strategy=strategies[kind], max_epochs=1, **alone)
        trainer.fit(module, loader, loader)
        return {"mean": module.mean}

    return [rank["mean"] for rank in on_two_ranks(work)]


def test_whose_running_statistics() -> None:
    """Where DDP gives all ranks the running statistics of rank 0's batch norms, under FSDP each
    rank keeps, and validates with, those of its own samples.
    """
    first, second = running_means("ddp")
    assert first == second
    for kind in ("fsdp1", "fsdp2"):
        first, second = running_means(kind)
        assert abs(first - second) > 0.1


def first_weights(strategy: str) -> list[tuple[bool, bool]]:
    """Whether each of two ranks begins with its part of rank 0's draw, and of its own."""

    def work(rank: int) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        drawn = []
        for seed in (0, rank):  # the last network is the one that is trained
            torch.manual_seed(seed)
            module = Normed(fsdp2=strategy != "ddp")
            drawn.append(next(module.parameters()).detach().clone())

        def note(*_: Any) -> None:
            weight: Any = next(module.parameters())
            held = weight.to_local() if hasattr(weight, "to_local") else weight
            rows = slice(2 * rank, 2 * rank + 2) if strategy != "ddp" else slice(None)
            seen.update(alike=[torch.equal(held, each[rows]) for each in drawn])

        callback = L.pytorch.callbacks.LambdaCallback(on_train_start=note)
        given: Any = "ddp" if strategy == "ddp" else ModelParallelStrategy(2, 1)
        loader = DataLoader(TensorDataset(torch.ones(4, 4)), batch_size=2)
        two_ranks_trainer(strategy=given, max_epochs=1, callbacks=[callback]).fit(module, loader)
        return seen

    return [tuple(rank["alike"]) for rank in on_two_ranks(work)]


def test_whose_first_weights() -> None:
    """Under DDP all ranks begin with rank 0's weights; here each rank shards those that it has
    drawn itself.
    """
    assert first_weights("ddp") == [(True, True), (True, False)]
    assert first_weights("fsdp2") == [(True, True), (False, True)]


class Split(L.LightningModule):
    """An MLP whose first two layers are split over the ranks of the tensor mesh.

    Args:
        whole: whether it has a third layer, which stays whole.
    """

    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = MLP(16, (32, 32) if whole else (32,), 4)

    def configure_model(self) -> None:
        layers = [name for name, m in self.network.named_modules() if isinstance(m, nn.Linear)]
        plan: Any = {layers[0]: ColwiseParallel(), layers[1]: RowwiseParallel()}
        mesh: Any = self.device_mesh
        parallelize_module(self.network, mesh["tensor_parallel"], plan)
        fully_shard(self.network, mesh=mesh["data_parallel"])

    def training_step(self, batch: Any, _: int) -> Any:
        return self.network(batch[0]).square().mean()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("whole", [True, False])
def test_clipping_beside_tensor_parallelism(whole: bool) -> None:
    """Clips by norm (beside tensor parallelism only where every parameter is split; else torch
    says `must have the same mesh`).
    """

    def work(_: int) -> dict[str, Any]:
        said = {}
        for name, clip in (("plain", None), ("clipped", 1.0)):
            trainer = two_ranks_trainer(
                devices=4,
                strategy=ModelParallelStrategy(2, 2),
                max_epochs=1,
                gradient_clip_val=clip,
            )
            try:
                trainer.fit(Split(whole=whole), DataLoader(TensorDataset(torch.ones(8, 16)), 4))
                said[name] = ""
            except RuntimeError as error:
                said[name] = str(error)
        return said

    for rank in run_ranks(work, 4)["ranks"]:
        said = rank["value"]
        assert said["plain"] == ""
        assert ("must have the same mesh" in said["clipped"]) == whole


def answer_for_layers(answer: Any, module: nn.Module) -> Any:
    return isinstance(module, nn.Linear) and answer


def units_by_answer() -> dict[str, str]:
    """How many units a function makes that answers so for each layer."""
    answers: dict[str, Any] = {"yes": True, "empty": {}, "filled": {"forward_prefetch": True}}
    found = {}
    for name, answer in answers.items():
        policy: Any = CustomPolicy(partial(answer_for_layers, answer))
        units = fsdp1_units(wrap_as_fsdp1(two_layers(), FSDPStrategy(auto_wrap_policy=policy)))
        found[name] = str(len(units))
    return found


def test_a_dictionary_for_a_unit() -> None:
    """A dictionary counts as yes, too, unless it is empty, and gives this one unit arguments of
    its own.
    """
    assert as_rank_0(units_by_answer) == {"yes": "3", "empty": "1", "filled": "3"}
