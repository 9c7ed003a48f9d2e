"""FSDP1 and ZeRO on the CPU, over gloo: to watch them train, and to test, where there is no GPU.

Tried with lightning 2.6.6, torch 2.15 and deepspeed 0.19.8. Both are meant for GPUs and say
so; what these classes change is in their way there, not in what is computed. DDP and FSDP2
need nothing of this.

- Lightning refuses `FSDPStrategy` without CUDA by its exact type, so a subclass passes. Torch then
  has to be told that parameters stay on the CPU; Lightning would hand it a device index, and a CPU
  has none. Of the two kinds of checkpoints, "full" crashes the process there: use "sharded".
- DeepSpeed chooses its accelerator when it is first imported, by the variable DS_ACCELERATOR.
  Lightning's strategy insists on the CUDA accelerator and on device indices.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from lightning.fabric.utilities.seed import reset_seed
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

from reference.zero import ZeRO

CPU = torch.device("cpu")


class FSDPOnCPU(FSDPStrategy):
    """Lightning's FSDP strategy, its parameters on the CPU."""

    def _setup_model(self, model: nn.Module) -> nn.Module:
        arguments = dict(self.kwargs)
        if not any(isinstance(module, FullyShardedDataParallel) for module in model.modules()):
            model = FullyShardedDataParallel(
                model,
                cpu_offload=self.cpu_offload,
                mixed_precision=self.mixed_precision_config,
                sharding_strategy=self.sharding_strategy,
                device_id=CPU,
                **arguments,
            )
        # Lightning does the rest to a model that comes wrapped, and warns if it has a policy left.
        self.kwargs.pop("auto_wrap_policy", None)
        try:
            return super()._setup_model(model)
        finally:
            self.kwargs = arguments


class ZeROOnCPU(ZeRO):
    """ZeRO on DeepSpeed's own CPU backend."""

    def __init__(self, **arguments: Any) -> None:
        os.environ["DS_ACCELERATOR"] = "cpu"
        super().__init__(**arguments)

    @property
    def root_device(self) -> torch.device:
        """The CPU, with an index: DeepSpeed compares that with numbers."""
        return torch.device("cpu", self.local_rank)

    def setup_environment(self) -> None:
        """As Lightning's, but without asking for CUDA."""
        DDPStrategy.setup_environment(self)

    def setup_distributed(self) -> None:
        """As Lightning's, but without asking for device indices."""
        import deepspeed

        # Collectives in shared memory, compiled at the first use: gloo does without a compiler.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        reset_seed()
        self.set_world_ranks()
        self._init_deepspeed_distributed()
