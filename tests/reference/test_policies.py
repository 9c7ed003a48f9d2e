"""The units of each policy, and that torch's FSDP makes the same ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.distributed.fsdp import wrap

from litcourse.models import MLP, BasicBlock, Block, Head, ResNet, TransformerClassifier
from reference.policies import ByClass, BySize, LargeBlocks, WrapPolicy


class Wrapper(nn.Module):
    """Stands where FSDP would wrap."""

    def __init__(self, module: nn.Module, **_: Any) -> None:
        super().__init__()
        self.module = module


def made_by_torch(policy: WrapPolicy, model: nn.Module) -> set[nn.Module]:
    """The modules that FullyShardedDataParallel would wrap, the root left out."""
    shown = policy.fsdp1()
    if isinstance(shown, wrap._Policy):
        return set(shown._run_policy(model, set(), {})) - {model}
    wrap._recursive_wrap(model, shown, Wrapper, set(), set(), only_wrap_children=True)
    return {m.module for m in model.modules() if isinstance(m, Wrapper)}


def models() -> list[nn.Module]:
    with torch.device("meta"):
        return [
            ResNet(),
            ResNet((1, 2, 1), 16),
            MLP(hidden=(512, 256, 256)),
            TransformerClassifier(1000, 64, 4, 6, 10),
            nn.Sequential(nn.Linear(8, 8), nn.ModuleList([nn.Linear(64, 64)] * 3)),
            nn.TransformerEncoderLayer(64, 4, 128),
        ]


POLICIES = (
    ByClass([BasicBlock, Block]),
    ByClass([nn.Linear]),
    ByClass([]),
    BySize(100),
    BySize(10_000),
    BySize(1_000_000),
    LargeBlocks([BasicBlock, nn.Linear], 100_000),
)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: f"{type(p).__name__}-{vars(p)}"[:40])
@pytest.mark.parametrize("index", range(6))
def test_units_are_those_of_torch(policy: WrapPolicy, index: int) -> None:
    model = models()[index]
    units = policy.units(model)
    assert len(units) == len(set(units))
    assert set(units) == made_by_torch(policy, model)


def test_inner_units_come_first() -> None:
    model = TransformerClassifier(100, 16, 2, 3, 10)
    units = ByClass([Block, nn.Linear]).units(model)
    for unit in units:
        inside = [m for m in unit.modules() if m is not unit and m in units]
        assert all(units.index(m) < units.index(unit) for m in inside)


def test_large_blocks_leave_the_small_ones_to_the_root() -> None:
    model = ResNet()
    units = LargeBlocks([BasicBlock], 500_000).units(model)
    assert [sum(p.numel() for p in u.parameters()) >= 500_000 for u in units] == [True] * len(units)
    assert 0 < len(units) < len(ByClass([BasicBlock]).units(model))
    assert ByClass([Head]).units(model) == []
