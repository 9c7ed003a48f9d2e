"""Sharding without a GPU: right numbers, nothing left behind, and a changed torch is noticed."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from typing import Any

import lightning as L
import pytest
import torch
import torch.distributed as dist
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard

from litcourse.core.comparison import largest_difference
from litcourse.core.evidence import Evidence
from litcourse.models import Block, Head, TransformerClassifier
from litcourse.probing.silenced import scratch_folder
from litcourse.probing.trainers import make_loader, quiet_trainer
from litcourse.ranks import rank_findings, read_rank_values, run_ranks
from litcourse.sharding import (
    CollectiveCounter,
    ShardingError,
    StepCollectives,
    clean_name,
    count_kinds,
    fake_group,
    fsdp1_units,
    fsdp2_exactness,
    measure_fsdp2_gap,
    pretend_deepspeed,
    train_on_cpu,
    wrap_as_fsdp1,
)

SIZE = (16, 8, 2, 3, 4)
BLOCKS = ["model.blocks.0", "model.blocks.1", "model.blocks.2"]
STUBBORN = 1e-5


@pytest.fixture(autouse=True)
def _in_a_quiet_room(_neutral: None) -> Iterator[None]:
    with scratch_folder():
        yield


class Trained(L.LightningModule):
    """Plain SGD on a network that is made here, the same on every rank."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = TransformerClassifier(*SIZE)

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        return nn.functional.cross_entropy(self.model(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def batches(rank: int) -> list[list[Tensor]]:
    source = torch.Generator().manual_seed(rank)
    return [[torch.randint(16, (4, 5), generator=source), torch.randint(4, (4,), generator=source)]
            for _ in range(2)]  # fmt: skip


def in_a_rank(work: Callable[[], Any], world_size: int = 1) -> Any:
    """What `work` returns on rank 0; the groups that it makes end with its process."""
    seen = Evidence(run_ranks(lambda _: {"seen": work()}, world_size))
    assert not rank_findings(seen, ("all",)), rank_findings(seen, ("all",))
    return read_rank_values(seen)[0]["seen"]._node


# --- rank 0 of many -----------------------------------------------------------------------------


def step_of_64() -> dict[str, Any]:
    with fake_group(64):
        model = TransformerClassifier(128, 64, 2, 3, 64)
        for unit in (*model.blocks, model):
            fully_shard(unit)
        whole = sum(p.numel() for p in model.parameters())
        with CollectiveCounter() as counter:
            model(torch.zeros(2, 3, dtype=torch.int64)).sum().backward()
        held = sum(p.to_local().numel() for p in model.parameters())  # type: ignore[attr-defined]
    return {"share": held / whole, **count_kinds(counter.calls), "after": dist.is_initialized()}


def test_a_step_of_rank_0_of_64() -> None:
    seen = in_a_rank(step_of_64)
    # The root is kept for backward; the three blocks are gathered once more.
    assert seen == {"share": 1 / 64, "gather": 7, "scatter": 4, "reduce": 0, "other": 0,
                    "after": False}  # fmt: skip


def units(policy: Any) -> list[str]:
    with fake_group(8):
        return sorted(fsdp1_units(wrap_as_fsdp1(Trained(), FSDPStrategy(auto_wrap_policy=policy))))


def test_fsdp_says_which_modules_are_units() -> None:
    assert in_a_rank(lambda: units({Block})) == ["", *BLOCKS]
    assert in_a_rank(lambda: units(None)) == [""]


def test_names_lose_what_wrappers_add() -> None:
    name = "_fsdp_wrapped_module.model.blocks.0._fsdp_wrapped_module._checkpoint_wrapped_module.qkv"
    assert clean_name(name) == "model.blocks.0.qkv"


# --- FSDP1 on CPU ranks -------------------------------------------------------------------------


class Strategy(FSDPStrategy):
    """As a student might derive it."""


def train(sharding: Any) -> dict[str, Any]:
    strategy = train_on_cpu(
        Strategy(auto_wrap_policy={Block, Head}, sharding_strategy=sharding,
                 sync_module_states=True, cpu_offload=True)
    )  # fmt: skip
    steps, module = StepCollectives(), Trained()
    trainer = quiet_trainer(devices=2, strategy=strategy, max_epochs=1, callbacks=[steps],
                            use_distributed_sampler=False)  # fmt: skip
    trainer.fit(module, make_loader(batches(trainer.global_rank)))
    root: Any = trainer.strategy.model
    with FullyShardedDataParallel.summon_full_params(root, writeback=False):
        weights = {clean_name(name): p.detach().clone() for name, p in root.named_parameters()}
    made = [count_kinds(step.forward + step.backward) for step in steps.steps]
    seen = {"is": isinstance(strategy, Strategy), "policy": "auto_wrap_policy" in strategy.kwargs}
    return {**seen, "weights": weights, "units": fsdp1_units(root), "steps": made}


def plain() -> dict[str, Tensor]:
    module = Trained()
    optimizer = module.configure_optimizers()
    for both in zip(batches(0), batches(1), strict=True):
        optimizer.zero_grad()
        (sum(module.training_step(batch, 0) for batch in both) / 2).backward()  # type: ignore[union-attr]
        optimizer.step()
    return {name: p.detach() for name, p in module.named_parameters()}


@pytest.mark.parametrize(("sharding", "step"), [
    ("FULL_SHARD", {"gather": 9, "scatter": 5, "reduce": 0}),
    ("SHARD_GRAD_OP", {"gather": 5, "scatter": 5, "reduce": 0}),
    ("NO_SHARD", {"gather": 0, "scatter": 0, "reduce": 5}),
])  # fmt: skip
def test_a_given_strategy_trains_on_cpu_ranks(sharding: str, step: dict[str, int]) -> None:
    seen = in_a_rank(lambda: train(sharding), 2)
    assert seen["is"]
    assert seen["policy"]
    assert seen["units"] == dict.fromkeys(["", *BLOCKS, "model.head"], sharding)
    assert all({k: each[k] for k in step} == step for each in seen["steps"])
    assert largest_difference(plain(), seen["weights"]) < STUBBORN


# --- the self-test of FSDP2 ---------------------------------------------------------------------


def test_fsdp2_is_exact_here_or_says_so() -> None:
    seen = run_ranks(
        lambda rank: {"gap": measure_fsdp2_gap(rank, 2), "left": dist.is_initialized()}
    )
    for rank in read_rank_values(Evidence(seen)):
        assert not rank["left"].flag()
        assert rank["gap"].number() < fsdp2_exactness.EXACT


def test_the_self_test_notices_an_fsdp2_that_fails() -> None:
    def broken(rank: int) -> dict[str, Any]:
        def shard(module: Any, **arguments: Any) -> None:  # gloo has no such sum
            fully_shard(module, **arguments).set_gradient_divide_factor(1.0)

        torch.distributed.fsdp.fully_shard = shard  # type: ignore[assignment]
        return {"gap": measure_fsdp2_gap(rank, 2)}

    for rank in read_rank_values(Evidence(run_ranks(broken))):
        assert rank["gap"].number() > fsdp2_exactness.EXACT


# --- DeepSpeed that is not there ----------------------------------------------------------------


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_strategy_of_deepspeed_is_made_without_it(stage: int) -> None:
    before = {name for name in sys.modules if name.startswith("deepspeed")}
    with pretend_deepspeed(there=True):
        config: Any = DeepSpeedStrategy(stage=stage).config
    assert config["zero_optimization"]["stage"] == stage
    assert {name for name in sys.modules if name.startswith("deepspeed")} == before


def test_deepspeed_is_away_even_where_it_is_installed() -> None:
    with pretend_deepspeed(there=False):
        with pytest.raises(MisconfigurationException):
            DeepSpeedStrategy(stage=2)
        with pytest.raises(ImportError):
            import deepspeed  # noqa: F401 (it is not there)


# --- a torch or Lightning that has changed ------------------------------------------------------


def test_a_name_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fabric = "lightning.fabric.strategies.deepspeed._DEEPSPEED_AVAILABLE"
    monkeypatch.delattr(fabric)
    with pytest.raises(ShardingError, match=fabric), pretend_deepspeed(there=True):
        pass
    monkeypatch.delattr(FSDPStrategy, "_setup_model")
    with pytest.raises(ShardingError, match=r"FSDPStrategy\._setup_model is not there"):
        train_on_cpu(FSDPStrategy())
    monkeypatch.delattr("torch.testing._internal.distributed.fake_pg.FakeStore")
    with pytest.raises(ShardingError, match=r"FakeStore is not there"), fake_group(2):
        pass


def test_a_name_without_effect_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CollectiveCounter.__base__, "__enter__", lambda self: self)
    monkeypatch.setattr(CollectiveCounter.__base__, "__exit__", lambda *_: None)
    with pytest.raises(ShardingError, match="sees no operator"), CollectiveCounter():
        pass
    monkeypatch.setattr(DeepSpeedStrategy, "__init__", lambda *_, **__: None)
    with pytest.raises(ShardingError, match="has no effect"), pretend_deepspeed(there=False):
        pass


def test_what_is_replaced_comes_back() -> None:
    module = sys.modules["lightning.pytorch.strategies.deepspeed"]
    before = copy.copy(vars(module))
    for there in (True, False):
        with pretend_deepspeed(there=there):
            pass
    assert vars(module) == before
