"""Builders of strategies that a YAML file or a command line can name, with a GPU or without.

    strategy:
      class_path: reference.strategies.fsdp
      init_args:
        policy: {class_path: reference.policies.BySize, init_args: {min_params: 100000}}

`auto_wrap_policy` of Lightning's FSDPStrategy takes a function or a set of classes, which is
nothing that YAML can write: hence builders. `ddp` needs none.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy, Strategy
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

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


class HybridFSDP2(FSDP2):
    """FSDP2 within groups of ranks, each of which holds a replica (HSDP).

    Gathers and scatters stay within a group, where the network is fast; between the groups only
    gradients are averaged, and only shards of them. All ranks get data of their own, so Lightning's
    mesh stays that of `FSDP2`. Handed its two dimensions as replicas and shards, it would give the
    ranks of a group the same batches.

    Args:
        replicas: number of groups; one for each node unless given.
        options: those of Lightning's `ModelParallelStrategy`.
    """

    def __init__(self, replicas: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.replicas = replicas

    def setup_environment(self) -> None:
        """Say which ranks are a group, once they have met.

        Raises:
            ValueError: the ranks can't be divided into so many groups.
        """
        super().setup_environment()
        replicas, ranks = self.replicas or self.num_nodes, self.world_size
        if replicas < 1 or ranks % replicas:
            fit = ", ".join(str(n) for n in range(1, ranks + 1) if ranks % n == 0)
            raise ValueError(f"{ranks} ranks don't make {replicas} replicas; replicas can be {fit}")
        self.data_mesh = init_device_mesh(
            self.root_device.type,
            (replicas, ranks // replicas),
            mesh_dim_names=("replicate", "shard"),
        )


def data_mesh(strategy: Strategy) -> DeviceMesh:
    """The ranks to shard over with FSDP2: one dimension, or those of replicas and shards."""
    if isinstance(strategy, HybridFSDP2):
        return strategy.data_mesh
    mesh: DeviceMesh = cast("ModelParallelStrategy", strategy).device_mesh["data_parallel"]
    return mesh
