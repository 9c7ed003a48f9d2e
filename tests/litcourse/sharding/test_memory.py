"""What a step of FSDP2 holds, and what forward keeps for backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.utils.checkpoint import checkpoint

from litcourse.ranks import run_ranks
from litcourse.sharding import KeptForBackward, count_kinds, measure_step, step_memory

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


def layers() -> nn.Sequential:
    """Three layers of 64 x 64, without biases."""
    return nn.Sequential(*(nn.Linear(64, 64, bias=False) for _ in range(3)))


WHOLE = 3 * 64 * 64 * 4


def weigh(*, units: bool, mesh: tuple[int, ...] = (64,)) -> dict[str, Any]:
    def build(device_mesh: DeviceMesh) -> nn.Module:
        network = layers()
        for layer in network if units else ():
            fully_shard(layer, mesh=device_mesh)
        fully_shard(network, mesh=device_mesh)
        return network

    def work(_: int) -> dict[str, Any]:
        step = measure_step(build, lambda: torch.zeros(1, 64), mesh)
        kinds = count_kinds(step.calls)
        return {"peak": step.peak, "parts": step.parts, "calls": kinds}

    (entry,) = run_ranks(work, world_size=1)["ranks"]
    found: dict[str, Any] = entry["value"]
    return found


def test_the_root_alone_gathers_everything_and_units_less() -> None:
    root, units = weigh(units=False), weigh(units=True)
    assert root["parts"]["gathered"] >= WHOLE
    assert units["parts"]["gathered"] < root["parts"]["gathered"]
    assert root["parts"]["shards"] >= WHOLE / 64
    assert (root["calls"]["gather"], units["calls"]["gather"]) == (1, 6)
    for step in (root, units):
        assert sum(step["parts"].values()) == step["peak"]


def test_a_hybrid_mesh_holds_larger_shards_and_reduces_between() -> None:
    hybrid = weigh(units=True, mesh=(8, 8))
    assert hybrid["calls"]["reduce"] == 3
    assert hybrid["parts"]["shards"] > weigh(units=True)["parts"]["shards"]


def test_a_torch_without_the_tracker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_memory, "_TRACKER", "torch.distributed._tools.no_such.Tracker")

    def work(_: int) -> dict[str, Any]:
        measure_step(lambda _: layers(), lambda: torch.zeros(1, 64))
        return {}

    (entry,) = run_ranks(work, world_size=1)["ranks"]
    assert entry["error"]["type"] == "ShardingError"
    assert "no_such.Tracker" in entry["error"]["message"]


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_forward_keeps_is_counted_once_and_without_weights(device: str) -> None:
    with torch.device(device):
        layer, batch = nn.Linear(10, 20), torch.zeros(5, 10)
    with KeptForBackward(layer) as kept:
        layer(batch).relu().sum()
    assert kept.bytes == batch.nbytes + 5 * 20 * 4, "the input and what relu gives"


def test_a_checkpointed_module_keeps_its_input() -> None:
    network, batch = layers(), torch.zeros(5, 64, requires_grad=True)
    with KeptForBackward(network) as kept:
        checkpoint(network, batch, use_reentrant=False).sum()
    assert kept.bytes == batch.nbytes
