"""What a rank holds and sends in one step, on machines that are not here.

FSDP2 runs a real step on rank 0 of a *fake* process group: collectives are called, counted and
answered with nothing. What the rank holds and sends is exact, what it computes is not. DDP and
ZeRO do not run on such a group (DDP's backward crashes in torch 2.15): theirs is the published
arithmetic.

Bytes are those that a rank sends in one step, in float32. In a ring of N ranks it sends
(N - 1) / N of what an all-gather or a reduce-scatter is about, and twice that for an all-reduce.
Source: Rajbhandari et al. 2020, ZeRO: Memory Optimizations Toward Training Trillion Parameter
Models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from litcourse.sharding import CollectiveCounter, count_kinds, fake_group
from reference.policies import WrapPolicy

FLOAT = 4
"""Bytes of a number."""


@dataclass(frozen=True)
class Cost:
    """Of one rank, in one step.

    Args:
        held: parameters that it holds between steps.
        gathered: most parameters that it holds whole at once: those of the largest unit, or all.
        collectives: how many it takes part in; None where buckets decide.
        sent: bytes.
    """

    held: int
    gathered: int
    collectives: int | None
    sent: int


def fsdp2(
    make: Callable[[], nn.Module],
    batch: Tensor,
    policy: WrapPolicy,
    world_size: int,
    *,
    reshard: bool = True,
) -> Cost:
    """Measure a step of FSDP2.

    Args:
        make: makes the network.
        batch: what it takes.
        policy: the units.
        world_size: number of ranks.
        reshard: free a unit after forward and gather it again for backward, as ZeRO-3 does;
            else keep it until then, as ZeRO-2 does.
    """
    model = make()
    units = [*policy.units(model), model]
    largest = max(sum(p.numel() for p in own) for own in _own_parameters(units))
    with fake_group(world_size):
        mesh = init_device_mesh("cpu", (world_size,))
        for unit in units:
            fully_shard(unit, mesh=mesh, reshard_after_forward=reshard)
        with CollectiveCounter() as counter:
            model(batch).sum().backward()
        held = sum(p.to_local().numel() for p in model.parameters())  # type: ignore[attr-defined]
    full = sum(map(Tensor.numel, model.parameters()))
    known = [call for call in counter.calls if call.kind in {"gather", "scatter"}]
    if len(known) < len(counter.calls):
        raise NotImplementedError(
            f"{count_kinds(counter.calls)}: say here how many bytes they send"
        )
    sent = sum(call.bytes for call in known) * (world_size - 1) / world_size
    return Cost(held, largest if reshard else full, len(known), round(sent))


def _own_parameters(units: list[nn.Module]) -> Iterator[list[nn.Parameter]]:
    """The parameters of each unit, innermost first, without those of units within it."""
    taken: set[int] = set()
    for unit in units:
        own = [p for p in unit.parameters() if id(p) not in taken]
        taken.update(map(id, own))
        yield own


def published(strategy: str, parameters: int, world_size: int) -> Cost:
    """The arithmetic of `ddp`, `zero1`, `zero2` and `zero3`: what a rank holds and sends.

    Gradients are reduced and weights gathered, which sends as much as DDP's all-reduce; stage 3
    gathers the weights twice, for forward and for backward.
    """
    once = parameters * FLOAT * (world_size - 1) / world_size
    sent = round({"ddp": 2, "zero1": 2, "zero2": 2, "zero3": 3}[strategy] * once)
    held = -(-parameters // world_size) if strategy == "zero3" else parameters
    return Cost(held, parameters, None, sent)


def state_bytes(strategy: str, parameters: int, world_size: int) -> float:
    """Weights, gradients and optimizer state of mixed-precision Adam on a rank, bytes.

    Two for a weight, two for its gradient, twelve for Adam: a copy, momentum and variance in
    32 bits.
    """
    sharded = {"ddp": 0, "zero1": 12, "zero2": 14, "zero3": 16}[strategy]
    return parameters * ((16 - sharded) + sharded / world_size)
