"""Lets a given `FSDPStrategy` train on CPU ranks.

Lightning refuses `FSDPStrategy` without CUDA by its exact type, and hands FSDP the index of a
device, which a CPU does not have. So the object's class becomes one derived from its own, which
differs in `_setup_model` alone. A mix-in before the class would have another object layout.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from lightning.pytorch.strategies import FSDPStrategy
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

from litcourse.sharding.sharding_error import ShardingError

CPU = torch.device("cpu")
_SETUP = "FSDPStrategy._setup_model"
_READ = ("kwargs", "cpu_offload", "mixed_precision_config", "sharding_strategy")
_ONLY_ON_GPUS = ("sync_module_states",)
"""Keywords of FSDP that only a GPU can honour: it refuses them on a CPU."""
_Strategy = TypeVar("_Strategy", bound=FSDPStrategy)


def train_on_cpu(strategy: _Strategy) -> _Strategy:
    """The same object, which now trains on CPU ranks; what it was told stays.

    Offload is left out there, since parameters lie on the CPU anyway. "full" checkpoints have
    crashed the process on a CPU: use "sharded" ones.

    Raises:
        ShardingError: Lightning sets FSDP up in another way.
    """
    if "_setup_model" not in vars(FSDPStrategy):  # a base class may have one that wraps nothing
        raise ShardingError(_SETUP, "is not there any more")
    for name in _READ:
        if not hasattr(strategy, name):
            raise ShardingError(f"FSDPStrategy.{name}", "is not there any more")
    own = type(strategy)

    def _setup_model(self: Any, model: nn.Module) -> nn.Module:
        arguments = self.kwargs
        if not any(isinstance(module, FullyShardedDataParallel) for module in model.modules()):
            allowed = {k: v for k, v in arguments.items() if k not in _ONLY_ON_GPUS}
            model = FullyShardedDataParallel(
                model,
                mixed_precision=self.mixed_precision_config,
                sharding_strategy=self.sharding_strategy,
                device_id=CPU,
                **allowed,
            )
        # Lightning does the rest to a model that is wrapped already, and warns of a policy left.
        self.kwargs = {k: v for k, v in arguments.items() if k != "auto_wrap_policy"}
        try:
            done: nn.Module = own._setup_model(self, model)  # noqa: SLF001 (tried above)
            return done
        finally:
            self.kwargs = arguments

    strategy.__class__ = type(f"{own.__name__}OnCPU", (own,), {"_setup_model": _setup_model})
    return strategy
