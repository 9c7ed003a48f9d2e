"""Builders of strategies that a YAML file or a command line can name, with a GPU or without.

    strategy:
      class_path: reference.strategies.fsdp
      init_args:
        policy: {class_path: reference.policies.BySize, init_args: {min_params: 100000}}

`auto_wrap_policy` of Lightning's FSDPStrategy takes a function or a set of classes, which is
nothing that YAML can write: hence builders. `ddp` needs none.
"""

from __future__ import annotations

from typing import Literal

import torch
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy

from litcourse.sharding import train_on_cpu
from reference.policies import WrapPolicy
from reference.zero import ZeRO

Sharding = Literal["FULL_SHARD", "SHARD_GRAD_OP", "NO_SHARD"]


def fsdp(policy: WrapPolicy, sharding: Sharding = "FULL_SHARD") -> FSDPStrategy:
    """Return FSDP1 (`FullyShardedDataParallel`) with sharded checkpoints.

    Args:
        policy: the units.
        sharding: what is sharded: all three of weights, gradients and optimizer state, the
            last two, or nothing.
    """
    strategy = FSDPStrategy(
        auto_wrap_policy=policy.fsdp1(), sharding_strategy=sharding, state_dict_type="sharded"
    )
    return strategy if torch.cuda.is_available() else train_on_cpu(strategy)


def zero(stage: Literal[1, 2, 3]) -> ZeRO:
    """Return DeepSpeed's ZeRO; its checkpoints are folders, with a file for each rank.

    Args:
        stage: 1 shards the optimizer's state, 2 gradients as well, 3 weights as well.
    """
    made: type[ZeRO] = ZeRO
    if not torch.cuda.is_available():
        from reference.on_cpu import ZeROOnCPU

        made = ZeROOnCPU
    # An optimizer in 32 bits with any torch optimizer is fine, but DeepSpeed wants to be told.
    return made(stage=stage, zero_allow_untested_optimizer=True)


class FSDP2(ModelParallelStrategy):
    """FSDP2 over all ranks of all nodes; the module's `configure_model` calls `fully_shard`.

    Lightning's `ModelParallelStrategy` takes the nodes for data-parallel and the devices of each
    for tensor-parallel ranks unless it is told numbers, which one YAML file for all sizes can't.
    """

    def setup_environment(self) -> None:
        """Make all ranks data-parallel, then do what Lightning does."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        self._tensor_parallel_size = 1
        super().setup_environment()
