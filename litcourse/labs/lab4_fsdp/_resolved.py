"""Resolves what `strategy_for` gives: by a Trainer on a simulated cluster, by the mesh it makes."""

from __future__ import annotations

import os
from typing import Any

import lightning as L
from torch import nn

from litcourse.clusters import simulated_cluster
from litcourse.labs.lab4_fsdp._networks import Holder
from litcourse.labs.lab4_fsdp._strategies import read_strategy
from litcourse.probing.trainers import quiet_trainer
from litcourse.sharding import fake_group

NODES, GPUS = 2, 4
WORLD = NODES * GPUS


def trainer_of(returned: Any, policy: Any) -> dict[str, Any]:
    """What a Trainer on two nodes of four GPUs makes of a strategy or its name."""
    with simulated_cluster(NODES, GPUS, slurm=True):
        trainer = L.Trainer(
            accelerator="gpu",
            devices=GPUS,
            num_nodes=NODES,
            strategy=returned,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    strategy: Any = trainer.strategy
    given = getattr(strategy, "kwargs", {}).get("auto_wrap_policy")
    return {
        **read_strategy(strategy),
        "policy": given is policy,
        "method": str(getattr(strategy, "_start_method", "popen")),
    }


def kinds_of(returned: Any, policy: Any) -> dict[str, Any]:
    """Names of the classes of that Trainer's strategy, and whether it has the policy."""
    seen = trainer_of(returned, policy)
    return {"kinds": seen["kinds"], "policy": seen["policy"]}


def mesh_of(returned: Any, ranks: int) -> dict[str, Any]:
    """The mesh of FSDP2 on rank 0 of ranks that do not exist, and the shards of its data.

    Args:
        returned: the strategy.
        ranks: how many ranks there are, with the GPUs of a node on each; or one.
    """
    if "ModelParallelStrategy" not in [kind.__name__ for kind in type(returned).__mro__]:
        return {"mesh": None}
    gpus = min(GPUS, ranks)
    nodes = ranks // gpus
    os.environ.update(LOCAL_RANK="0")
    with fake_group(ranks):
        trainer = quiet_trainer(devices=gpus, num_nodes=nodes, strategy=returned)
        strategy: Any = trainer.strategy
        strategy.connect(Holder(nn.Linear(2, 2)))
        strategy.setup_environment()
        mesh = strategy.device_mesh
        shape = dict(zip(mesh.mesh_dim_names, mesh.shape, strict=True))
        replicas = int(strategy.distributed_sampler_kwargs["num_replicas"])
    return {"mesh": {str(name): int(size) for name, size in shape.items()}, "shards": replicas}
