"""What one step of FSDP2 holds at its peak, on rank 0 of many ranks that do not exist.

Nothing is computed and nothing allocated: tensors are fake, and torch's own tracker adds up their
sizes. Its count of the optimizer's state is wrong (torch 2.15), so there is no optimizer here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from litcourse.probing.private_names import find_private
from litcourse.sharding.collectives import Collective, CollectiveCounter
from litcourse.sharding.fake_group import fake_group
from litcourse.sharding.sharding_error import ShardingError

_TRACKER = "torch.distributed._tools.fsdp2_mem_tracker.FSDPMemTracker"
_FAKE = "torch._subclasses.fake_tensor.FakeTensorMode"
_PARTS = {
    "SHARDED_PARAM": "shards",
    "SHARDED_GRAD": "shards",
    "UNSHARDED_PARAM": "gathered",
    "ALL_GATHER": "gathered",
    "UNSHARDED_GRAD": "gradients",
    "REDUCE_SCATTER": "gradients",
    "TEMP": "gradients",
    "ACT": "activations",
}
"""Kinds of the tracker, and the part that each belongs to; others are input and buffers."""
MESH_NAMES = ("replicate", "shard")


@dataclass(frozen=True)
class StepMemory:
    """Forward and backward of one step on one rank.

    Args:
        peak: bytes at the moment at which most is held.
        parts: what they are: "shards" (of weights and gradients), "gathered" (whole weights and
            the buffers they come in), "gradients" (whole ones, of weights and activations),
            "activations" and "rest".
        calls: the collectives, in order.
    """

    peak: int
    parts: dict[str, int]
    calls: list[Collective]


def measure_step(
    build: Callable[[DeviceMesh], nn.Module],
    inputs: Callable[[], Tensor],
    mesh: tuple[int, ...] = (64,),
) -> StepMemory:
    """One step of the network that `build` makes and shards, as rank 0 of the ranks of `mesh`.

    Call it in a process without a process group, such as a forked rank.

    Args:
        build: makes the network and calls `fully_shard` on it and its units.
        inputs: makes the batch.
        mesh: ranks; two numbers are replicas and the shards of each, by `MESH_NAMES`.

    Raises:
        ShardingError: this torch has no such tracker, or it counts in another way.
    """
    tracker_of = find_private(_TRACKER, ShardingError)
    fake_tensors = find_private(_FAKE, ShardingError)
    ranks = mesh[0] if len(mesh) == 1 else mesh[0] * mesh[1]
    with fake_group(ranks):
        names = MESH_NAMES[-len(mesh) :]
        device_mesh = init_device_mesh("cpu", mesh, mesh_dim_names=names)
        with fake_tensors():
            network, batch = build(device_mesh), inputs()
            held = sum(_bytes(p) for p in network.parameters())
            tracker, counter = tracker_of(network), CollectiveCounter()
            tracker.track_inputs((batch,))
            with tracker, counter:
                network(batch).sum().backward()
            snapshot = tracker.get_tracker_snapshot("peak")
    return _read(snapshot, held, counter.calls)


def _bytes(parameter: Any) -> int:
    own = parameter.to_local()
    return int(own.numel() * own.element_size())


def _read(snapshot: Any, held: int, calls: list[Collective]) -> StepMemory:
    counts: dict[str, int] = snapshot[torch.device("cpu")]
    parts = dict.fromkeys((*_PARTS.values(), "rest"), 0)
    seen = 0
    for kind, number in counts.items():
        name = getattr(kind, "name", str(kind))
        seen += number if name == "SHARDED_PARAM" else 0
        if name != "Total":
            parts[_PARTS.get(name, "rest")] += number
    if seen != held or sum(parts.values()) != counts["Total"]:
        what = f"counts {seen} bytes of parameters where {held} are held"
        raise ShardingError(_TRACKER, what)
    return StepMemory(counts["Total"], parts, calls)
