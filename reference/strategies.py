"""Builders of strategies that a YAML file or a command line can name, with a GPU or without.

    strategy:
      class_path: reference.strategies.fsdp
      init_args:
        policy: {class_path: reference.policies.BySize, init_args: {min_params: 100000}}

`auto_wrap_policy` of Lightning's FSDPStrategy takes a function or a set of classes, which is
nothing that YAML can write: hence builders. `ddp` needs none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, cast

import torch
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy, Strategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import MixedPrecision, MixedPrecisionPolicy, fully_shard
from torch.nn.modules.batchnorm import _BatchNorm

from litcourse.sharding import train_on_cpu
from reference.devices.on_meta import built_on_meta, own_tensors
from reference.policies import WrapPolicy
from reference.refusals import RefusalError
from reference.zero import ZeRO

Sharding = Literal["FULL_SHARD", "SHARD_GRAD_OP", "NO_SHARD"]


class FSDP1(FSDPStrategy):
    """Lightning's, whose units are those of the policy and no others.

    Lightning 2.6 hands FSDP a `MixedPrecision` even at 32-true, and torch then makes a unit of each
    batch norm, to keep it in float32: on ResNet-18 that is 20 units more, a collective each. Here
    weights are in float32 unless the precision says `true`; under `bf16-mixed` autocast computes in
    bfloat16, as it does under DDP.
    """

    @property
    def mixed_precision_config(self) -> MixedPrecision | None:
        """What FSDP casts parameters to: nothing, or all of them alike."""
        config = super().mixed_precision_config
        if config is None or not str(self.precision_plugin.precision).endswith("16-true"):
            return None
        return dataclasses.replace(config, _module_classes_to_ignore=())


def fsdp(policy: WrapPolicy, sharding: Sharding = "FULL_SHARD") -> FSDPStrategy:
    """Return FSDP1 (`FullyShardedDataParallel`) with sharded checkpoints.

    Args:
        policy: the units.
        sharding: what is sharded: all three of weights, gradients and optimizer state, the
            last two, or nothing.
    """
    strategy = FSDP1(
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
        from reference.devices.on_cpu import ZeROOnCPU

        made = ZeROOnCPU
    # An optimizer in 32 bits with any torch optimizer is fine, but DeepSpeed wants to be told.
    return made(stage=stage, zero_allow_untested_optimizer=True)


class FSDP2(ModelParallelStrategy):
    """FSDP2 over all ranks of all nodes; the module's `configure_model` calls `fully_shard`.

    Lightning's `ModelParallelStrategy` takes the nodes for data-parallel and the devices of each
    for tensor-parallel ranks unless it is told numbers, which one YAML file for all sizes can't.

    Args:
        gather_in: what parameters are gathered, and computed with, in. In `bfloat16` half as much
            travels, and gradients are still added up in float32 (`MixedPrecisionPolicy`). It goes
            with `--trainer.precision=32-true`, and with networks that have no batch norms.
        options: those of Lightning's `ModelParallelStrategy`.
    """

    def __init__(
        self, gather_in: Literal["float32", "bfloat16"] = "float32", **options: Any
    ) -> None:
        super().__init__(**options)
        self.gather_in = gather_in

    @property
    def mixed_precision(self) -> MixedPrecisionPolicy:
        """What `fully_shard` takes as `mp_policy`."""
        if self.gather_in == "float32":
            return MixedPrecisionPolicy()
        return MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)

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
            RefusalError: the ranks can't be divided into so many groups.
        """
        super().setup_environment()
        replicas, ranks = self.replicas or self.num_nodes, self.world_size
        if replicas < 1 or ranks % replicas:
            fit = ", ".join(str(n) for n in range(1, ranks + 1) if ranks % n == 0)
            raise RefusalError(
                f"{ranks} ranks don't make {replicas} replicas",
                f"--trainer.strategy.init_args.replicas, one of {fit}",
            )
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


def build_sharded(
    make: Callable[[], nn.Module],
    policy: WrapPolicy,
    mesh: DeviceMesh,
    device: torch.device,
    mixed_precision: MixedPrecisionPolicy | None = None,
) -> nn.Module:
    """Build a network under FSDP2, of which no rank ever holds more than its shards and a unit.

    It is built on the meta device, without weights. Then one module after the other gets its own,
    from `reset_parameters`, and each unit is sharded as soon as it is full. Random numbers are
    drawn in the order in which the network's own constructor draws them, so every rank has the
    weights that it would have under DDP. A network that this would not give what its constructor
    does (`devices.on_meta`) is built whole on each rank, and sharded then.

    Args:
        make: makes the network.
        policy: its units.
        mesh: the ranks to shard over.
        device: of this rank.
        mixed_precision: what parameters are gathered in; float32 unless given.

    Raises:
        RefusalError: batch norms would be computed in low precision, which torch refuses.
    """
    mixed = mixed_precision or MixedPrecisionPolicy()
    model = built_on_meta(make)
    if model is None:
        model = make()
    if mixed.param_dtype and any(isinstance(m, _BatchNorm) for m in model.modules()):
        raise RefusalError(
            f"batch norms can't be computed in {mixed.param_dtype}",
            "--trainer.strategy.gather_in=float32 with --trainer.precision=bf16-mixed",
        )
    units = policy.units(model)

    def fill(module: nn.Module) -> None:
        if any(tensor.is_meta for tensor in own_tensors(module)):
            module.to_empty(device=device, recurse=False)
            module.reset_parameters()  # type: ignore[operator]  # `built_on_meta` has looked
        for child in module.children():
            fill(child)
        if module is model or any(module is unit for unit in units):
            fully_shard(module, mesh=mesh, mp_policy=mixed)

    fill(model)
    return model
