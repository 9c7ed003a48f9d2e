"""The peak memory of a step, on rank 0 of 64 ranks that are not here.

FSDP2 takes a step of fake tensors, which torch's own tracker adds up (`litcourse.sharding`). Its
count of the optimizer's state is wrong in torch 2.15, so that of Adam is counted here. DDP is
arithmetic. DeepSpeed does not run on ranks that are not here, so ZeRO is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard

from litcourse.models import BasicBlock, Block, ResNet, TransformerClassifier
from litcourse.sharding import measure_step
from reference.policies import ByClass, WrapPolicy
from reference.recompute import recompute
from reference.scaling.costs import FLOAT

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

RANKS = 64
ADAM = 2
"""Numbers that Adam keeps for a parameter: momentum and variance."""


@dataclass(frozen=True)
class Subject:
    """A network, and what one rank gives it in a step.

    Args:
        make: makes the network.
        inputs: makes the batch.
        block: the class of its blocks.
        layers: the classes of its layers.
    """

    make: Callable[[], nn.Module]
    inputs: Callable[[], Tensor]
    block: type[nn.Module]
    layers: Sequence[type[nn.Module]]


SUBJECTS = {
    "ResNet-18": Subject(
        ResNet,
        lambda: torch.zeros(128, 3, 32, 32),
        BasicBlock,
        [nn.Conv2d, nn.BatchNorm2d, nn.Linear],
    ),
    "transformer": Subject(
        lambda: TransformerClassifier(vocab=32_000, dim=2048, heads=16, depth=20, classes=10),
        lambda: torch.zeros(1, 16, dtype=torch.int64),
        Block,
        [nn.Linear, nn.LayerNorm, nn.Embedding],
    ),
}


@dataclass(frozen=True)
class Way:
    """How FSDP2 shards a network.

    Args:
        units: "root", "blocks" or "layers".
        reshard: free a unit after its forward.
        mesh: ranks, or replicas and the shards of each.
        recomputed: compute each block again in backward.
    """

    units: str = "blocks"
    reshard: bool = True
    mesh: tuple[int, ...] = (RANKS,)
    recomputed: bool = False


WAYS = {
    "fsdp2, the root alone": Way("root"),
    "fsdp2, blocks": Way(),
    "fsdp2, every layer": Way("layers"),
    "fsdp2, blocks, kept for backward": Way(reshard=False),
    "fsdp2, blocks, 8 replicas of 8 shards": Way(mesh=(8, 8)),
    "fsdp2, blocks, computed again in backward": Way(recomputed=True),
}


@dataclass(frozen=True)
class Peak:
    """Of one rank, in one step, bytes.

    Args:
        most: what it holds at the worst moment, with Adam's state.
        activations: the part of it that forward keeps for backward.
        state: Adam's, which is there all the time.
    """

    most: int
    activations: int
    state: int


def fsdp2_peak(subject: Subject, way: Way) -> Peak:
    """Measure a step of FSDP2, in a process without a process group.

    Raises:
        ShardingError: this torch has no such tracker, or it counts in another way.
    """
    held: list[int] = []

    def build(mesh: DeviceMesh) -> nn.Module:
        network = subject.make()
        recompute(network, [subject.block] if way.recomputed else [])
        for unit in [*_policy(subject, way).units(network), network]:
            fully_shard(unit, mesh=mesh, reshard_after_forward=way.reshard)
        held.extend(p.to_local().numel() for p in network.parameters())  # type: ignore[attr-defined]
        return network

    step = measure_step(build, subject.inputs, way.mesh)
    state = ADAM * FLOAT * sum(held)
    return Peak(step.peak + state, step.parts["activations"], state)


def _policy(subject: Subject, way: Way) -> WrapPolicy:
    return ByClass({"root": [], "blocks": [subject.block], "layers": subject.layers}[way.units])


def ddp_peak(subject: Subject, activations: int) -> Peak:
    """The arithmetic of DDP, where nothing is sharded.

    Weights, the buckets that gradients are sent in and Adam's state are there all the time;
    backward begins with all `activations`, bytes, and ends with all gradients.
    """
    with torch.device("meta"):
        whole = FLOAT * sum(parameter.numel() for parameter in subject.make().parameters())
    state = ADAM * whole
    return Peak(2 * whole + state + max(activations, whole), activations, state)


def peaks() -> dict[str, dict[str, Peak]]:
    """The peak of each way, by its name and that of the network; DDP's first.

    Raises:
        ShardingError: this torch has no such tracker, or it counts in another way.
    """
    found = {
        name: {of: fsdp2_peak(subject, way) for of, subject in SUBJECTS.items()}
        for name, way in WAYS.items()
    }
    alone = found["fsdp2, the root alone"]
    ddp = {of: ddp_peak(subject, alone[of].activations) for of, subject in SUBJECTS.items()}
    return {"ddp": ddp, **found}
