"""Which modules are units of FSDP, by the names that they have in the unwrapped network."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel

from litcourse.probing.private_names import find_private
from litcourse.sharding.sharding_error import ShardingError

if TYPE_CHECKING:
    from lightning.pytorch.strategies import FSDPStrategy

_CHECKPOINT = "torch.distributed.algorithms._checkpoint.checkpoint_wrapper.CheckpointWrapper"
_WRAPPERS = ("_fsdp_wrapped_module", "_checkpoint_wrapped_module")


def clean_name(name: str) -> str:
    """The name of a module or parameter, without the parts that wrappers add to it."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def fsdp1_units(module: nn.Module) -> dict[str, str]:
    """The sharding strategy of each unit of FSDP1 in `module`, by name; the root's is ""."""
    return {
        clean_name(name): part.sharding_strategy.name
        for name, part in module.named_modules()
        if isinstance(part, FullyShardedDataParallel)
    }


def fsdp2_units(module: nn.Module) -> dict[str, int]:
    """The units of FSDP2 in `module`, by name, each with the number of its group.

    Modules that `fully_shard` was given together are gathered together: they are one group.

    Raises:
        ShardingError: torch keeps that in another way.
    """
    state_of = find_private("torch.distributed.fsdp.fully_shard.state", ShardingError)
    numbers: dict[int, int] = {}
    return {
        name: numbers.setdefault(id(state_of(part)), len(numbers))
        for name, part in module.named_modules()
        if isinstance(part, FSDPModule)
    }


def checkpointed_modules(module: nn.Module) -> list[str]:
    """Names of the modules in `module` whose activations are computed again in backward.

    Raises:
        ShardingError: torch wraps them in another way.
    """
    wrapper = find_private(_CHECKPOINT, ShardingError)
    return sorted(clean_name(n) for n, part in module.named_modules() if isinstance(part, wrapper))


def wrap_as_fsdp1(module: nn.Module, strategy: FSDPStrategy) -> nn.Module:
    """`module` as FSDP1 wraps it under the policy of `strategy`, on the given process group.

    Mixed precision is left out: with it FSDP makes a unit of each batch norm, whatever the policy.

    Raises:
        Exception: whatever FSDP says of the policy.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FullyShardedDataParallel(module, device_id=torch.device("cpu"), **strategy.kwargs)
