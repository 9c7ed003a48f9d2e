"""Whether FSDP2 is exact on this machine's CPU ranks.

It is not everywhere: with torch 2.6 it raises over gloo, and with 2.7 and 2.8 gradients are summed
where they should be averaged, without a word. From 2.9.1 on it is exact. A version number can't
promise that for the next one, so two ranks train a linear layer of ours. GPUs are not concerned.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch._C._distributed_c10d import (
    FileStore,
)  # torch.distributed's own, which mypy can't see there

from litcourse.core.comparison import distance

EXACT = 1e-5
"""A relative distance up to this is exact: float32 in another order of summation."""
_FILE = "fsdp2-exactness"


def measure_fsdp2_gap(rank: int, world_size: int) -> float:
    """Relative distance of a gradient under FSDP2 from plain torch's, on one of real CPU ranks.

    Call it on every rank, before there is a process group; afterwards there is none again. The
    ranks meet by a file in the working folder.

    Returns:
        the distance, 0 or rounding where FSDP2 is exact; infinite where it raises.
    """
    store = FileStore(str(Path(_FILE).resolve()), world_size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size)
    try:
        return _gap(rank, world_size)
    except (RuntimeError, AttributeError, ImportError):
        return float("inf")
    finally:
        dist.destroy_process_group()


def _gap(rank: int, world_size: int) -> float:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    start = torch.linspace(-1, 1, 8).reshape(4, 2)
    inputs = [torch.tensor([[1.0 + r, 2.0 - r]]) for r in range(world_size)]
    layer, plain = nn.Linear(2, 4, bias=False), nn.Linear(2, 4, bias=False)
    for each in (layer, plain):
        with torch.no_grad():
            each.weight.copy_(start)
    fully_shard(layer, mesh=init_device_mesh("cpu", (world_size,)))
    layer(inputs[rank]).square().sum().backward()
    torch.stack([plain(x).square().sum() for x in inputs]).mean().backward()
    right, seen = plain.weight.grad, layer.weight.grad
    if right is None or seen is None:
        return float("inf")
    whole: torch.Tensor = seen.full_tensor()  # type: ignore[attr-defined]  # a DTensor
    return distance(whole, right)
