"""DeepSpeed itself, against the stand-in that lab 4 judges `zero` with.

What a strategy is told is the same under both, what DeepSpeed reads in it is what the judge reads,
and ZeRO 1 to 3 train on two ranks with configurations that were made without DeepSpeed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch import strategies
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from autograder.bank import load, without_markers
from litcourse.labs.lab4_fsdp._strategies import read_strategy
from litcourse.probing.trainers import quiet_trainer
from litcourse.sharding import pretend_deepspeed
from reference.devices.on_cpu import ZeROOnCPU
from tests.course import LABS
from tests.reference.fits import Ranks

LAB = LABS["lab4_fsdp"]
STAGES = (1, 2, 3)
CALLS = [(stage, offload) for stage in STAGES for offload in (False, True)]
READ = ("stage", "optimizer", "parameters")
"""Entries of what the judge reads: the stage, and where state and parameters are offloaded to."""
STEPS, BATCH, RATE = 3, 4, 0.1


def make(source: str) -> Callable[..., Any]:
    """The function of an answer to `zero`, in the names that the notebook imports."""
    names = {"L": L, "torch": torch, **vars(strategies)}
    exec(source, names)  # noqa: S102  an answer of the bank
    made: Callable[..., Any] = names["make_zero_strategy"]
    return made


def told(answer: Callable[..., Any], stage: int, offload: bool) -> Any:
    """The configuration that an answer gives Lightning's strategy, or what it raises."""
    try:
        return getattr(answer(stage, offload=offload), "config", "no strategy of DeepSpeed")
    except Exception as error:  # noqa: BLE001  answers may raise anything
        return f"{type(error).__name__}: {error}"


def solution() -> Callable[..., Any]:
    return make(without_markers(LAB.questions["zero"].solution))


def test_no_answer_is_told_anything_else_by_the_stand_in(ranks: Ranks) -> None:
    source = LAB.questions["zero"].solution
    answers = {case.id: case.answer(source) for case in load(LAB)["zero"] if not case.code}
    answers = {name: text for name, text in answers.items() if "def make_zero_strategy" in text}

    def program() -> list[dict[str, list[Any]]]:
        functions = {name: make(text) for name, text in answers.items()}

        def all_told() -> dict[str, list[Any]]:
            return {name: [told(f, *call) for call in CALLS] for name, f in functions.items()}

        with pretend_deepspeed(there=True):
            pretended = all_told()
        return [pretended, all_told()]

    ((pretended, real),) = ranks(program, 1)
    assert pretended == real
    found = [config for configs in real.values() for config in configs if isinstance(config, dict)]
    assert len(found) > 100


class Layers(L.LightningModule):
    """Plain SGD, the same weights on every rank."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
        self.losses: list[float] = []

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
        self.losses.append(float(loss.detach()))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=RATE)


def samples(rank: int) -> TensorDataset:
    source = torch.Generator().manual_seed(rank + 1)
    images = torch.randn(STEPS * BATCH, 6, generator=source)
    return TensorDataset(images, torch.randint(3, (STEPS * BATCH,), generator=source))


def plain() -> list[list[float]]:
    """The losses of each rank's batches, in plain torch on both ranks' together."""
    module = Layers()
    optimizer = module.configure_optimizers()
    for both in zip(*(DataLoader(samples(rank), BATCH) for rank in (0, 1)), strict=True):
        optimizer.zero_grad()
        torch.stack([module.training_step(batch, 0) for batch in both]).mean().backward()
        optimizer.step()
    return [module.losses[rank::2] for rank in (0, 1)]


def train(config: dict[str, Any]) -> dict[str, Any]:
    """Train on this rank, under the real ZeRO; what came, and what DeepSpeed made of `config`."""
    strategy = ZeROOnCPU(config=copy.deepcopy(config))
    trainer = quiet_trainer(devices=2, strategy=strategy, max_epochs=1,
                            use_distributed_sampler=False)  # fmt: skip
    module = Layers()
    trainer.fit(module, DataLoader(samples(trainer.global_rank), BATCH))
    engine = strategy.deepspeed_engine
    local = [getattr(p, "ds_tensor", p).numel() for p in module.parameters()]
    return {
        "losses": module.losses,
        "stage": engine.zero_optimization_stage(),
        "held": sum(local) / sum(getattr(p, "ds_numel", p.numel()) for p in module.parameters()),
        "left out": [key for key in config if key not in engine.config],
    }


def read_by_deepspeed(config: dict[str, Any]) -> dict[str, Any]:
    """What `read_strategy` reads, as DeepSpeed's own parser does."""
    from deepspeed.runtime.config import DeepSpeedConfig

    parsed = DeepSpeedConfig({**copy.deepcopy(config), "train_micro_batch_size_per_gpu": BATCH})
    zero = parsed.zero_config
    parts = {"optimizer": zero.offload_optimizer, "parameters": zero.offload_param}
    devices = {
        name: str(getattr(part.device, "value", part.device)) if part else "none"
        for name, part in parts.items()
    }
    return {"stage": int(zero.stage), **devices}


@pytest.mark.slow
def test_zero_trains_as_the_stand_in_was_told(ranks: Ranks) -> None:
    def program() -> dict[str, Any]:
        with pretend_deepspeed(there=True):
            made = {call: solution()(call[0], offload=call[1]) for call in CALLS}
            judged = [{k: read_strategy(strategy)[k] for k in READ} for strategy in made.values()]
        trained = {stage: train(made[stage, False].config) for stage in STAGES}
        read = [read_by_deepspeed(strategy.config) for strategy in made.values()]
        return {"trained": trained, "read": read, "judged": judged}

    seen = ranks(program, 2)
    for rank, losses in enumerate(plain()):
        assert seen[rank]["judged"] == seen[rank]["read"]
        assert len(losses) == STEPS
        for stage in STAGES:
            trained = seen[rank]["trained"][str(stage)]
            assert trained["stage"] == stage
            assert trained["losses"] == pytest.approx(losses, rel=1e-5)
            assert trained["held"] == pytest.approx(1 / 2 if stage == 3 else 1, abs=0.01)
            assert not trained["left out"]
