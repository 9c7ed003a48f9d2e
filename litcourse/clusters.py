"""Simulates a cluster, so that a Trainer resolves as on N nodes of M GPUs, on any machine.

Lightning asks torch for the number of GPUs, and the environment for the rank. `simulated_cluster`
replaces both answers while its context lasts. A Trainer can't train inside, but shows all that it
decides when it is made: strategy, world size, rank, devices, precision.

Works with lightning 2.6.6. Some of the replaced names are private, so each context checks that
they exist and have an effect, and raises `ClusterError` if not.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import lightning as L

from litcourse.core.environment import drop_job_variables, only_variables
from litcourse.core.tree import Tree
from litcourse.probing.private_names import ChangedError, replaced_private
from litcourse.probing.silenced import without_messages
from litcourse.probing.trainers import refuse_training

_COUNTERS = (
    "lightning.fabric.accelerators.cuda.num_cuda_devices",
    "lightning.pytorch.accelerators.cuda.num_cuda_devices",
    "torch.cuda.device_count",
)
_INTERACTIVE = (
    "lightning.fabric.utilities.imports._IS_INTERACTIVE",
    "lightning.pytorch.trainer.connectors.accelerator_connector._IS_INTERACTIVE",
)


class ClusterError(ChangedError):
    """Lightning or torch has changed, so that a simulated cluster would give wrong results."""

    cannot = "a cluster can't be simulated"
    works_with = "lightning 2.6.6"
    room = "litcourse.clusters"


@contextlib.contextmanager
def simulated_cluster(
    nodes: int,
    gpus: int,
    *,
    node_rank: int = 0,
    local_rank: int = 0,
    slurm: bool = False,
    on_node: int | None = None,
) -> Iterator[None]:
    """Have a Trainer resolve as one process of a job on a cluster, while the context lasts.

    Args:
        nodes: number of nodes of the job.
        gpus: number of GPUs of the job on each node, with one process each; 0 for a CPU machine.
        node_rank: number of this process's node, from 0.
        local_rank: number of this process on its node, from 0.
        slurm: whether to set the variables of `srun`; otherwise the process looks like one of
            `python train.py` on each node.
        on_node: number of GPUs that each node has; `gpus` by default.

    Raises:
        ClusterError: Lightning has changed, so that the simulation has no effect.
        ValueError: there is no such node or process, or a node has fewer than `gpus` GPUs.
    """
    tasks = max(1, gpus)
    if nodes < 1 or gpus < 0 or not 0 <= node_rank < nodes or not 0 <= local_rank < tasks:
        raise ValueError(
            f"No process {local_rank} on node {node_rank} of {nodes} x {gpus} GPUs: both count "
            "from 0."
        )
    available = gpus if on_node is None else on_node
    if available < gpus:
        raise ValueError(f"A node with {available} GPUs has no place for {gpus} processes.")
    variables = _job_variables(nodes, tasks, node_rank, local_rank, slurm)
    with _machine(variables, available, node_rank * tasks + local_rank):
        _check(nodes, tasks, available, node_rank, local_rank)
        yield


@contextlib.contextmanager
def simulated_process(variables: Mapping[str, str], gpus: int) -> Iterator[None]:
    """Have a Trainer resolve as in a process with these variables, while the context lasts.

    Args:
        variables: those of Slurm, MPI and CUDA; other variables of this process stay.
        gpus: number of GPUs that the process sees.

    Raises:
        ClusterError: Lightning has changed, so that the simulation has no effect.
    """
    with _machine({}, gpus, 0):
        _check(1, max(1, gpus), gpus, 0, 0)
    with _machine(variables, gpus, int(variables.get("SLURM_PROCID", 0))):
        yield


@contextlib.contextmanager
def _machine(variables: Mapping[str, str], gpus: int, rank: int) -> Iterator[None]:
    """Replace what Lightning asks for: the environment, the number of GPUs, the rank.

    No Trainer trains there: Lightning would start ranks for GPUs that do not exist.
    """
    replacements = {
        **dict.fromkeys(_COUNTERS, lambda: gpus),
        "torch.cuda.is_available": lambda: gpus > 0,
        "torch.backends.mps.is_available": lambda: False,
        **dict.fromkeys(_INTERACTIVE, False),
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_variables({**_other_variables(), **variables}))
        for path, value in replacements.items():
            stack.enter_context(replaced_private(path, value, ClusterError))
        stack.enter_context(_set_rank(rank))
        stack.enter_context(refuse_training())
        yield


def _job_variables(
    nodes: int, tasks: int, node_rank: int, local_rank: int, slurm: bool
) -> dict[str, str]:
    if slurm:
        names = "node0" if nodes == 1 else f"node[0-{nodes - 1}]"
        return {
            "SLURM_JOB_ID": "4711",
            "SLURM_JOB_NAME": "train",
            "SLURM_NTASKS": str(nodes * tasks),
            "SLURM_NTASKS_PER_NODE": str(tasks),
            "SLURM_NNODES": str(nodes),
            "SLURM_JOB_NUM_NODES": str(nodes),
            "SLURM_NODELIST": names,
            "SLURM_JOB_NODELIST": names,
            "SLURM_NODEID": str(node_rank),
            "SLURM_PROCID": str(node_rank * tasks + local_rank),
            "SLURM_LOCALID": str(local_rank),
        }
    found = {"MASTER_ADDR": "node0", "MASTER_PORT": "29500", "NODE_RANK": str(node_rank)}
    found = found if nodes > 1 else {}
    return found | ({"LOCAL_RANK": str(local_rank)} if local_rank else {})


def _other_variables() -> dict[str, str]:
    """This process's environment variables, except those of jobs and GPUs."""
    found = drop_job_variables(os.environ)
    found.pop("CUDA_VISIBLE_DEVICES", None)
    return found


@contextlib.contextmanager
def _set_rank(rank: int) -> Iterator[None]:
    """Set `rank_zero_only.rank`, and restore it: a Trainer made inside changes it."""
    from lightning.fabric.utilities import rank_zero

    rank_zero_only: Any = rank_zero.rank_zero_only
    before = getattr(rank_zero_only, "rank", None)
    rank_zero_only.rank = rank
    try:
        yield
    finally:
        rank_zero_only.rank = before


# --- check of the simulation ---------------------------------------------------------------------


def _check(nodes: int, tasks: int, available: int, node_rank: int, local_rank: int) -> None:
    """Compare a plain Trainer with the job: cheap, and proof that the replacements work."""
    wanted = {
        "num_devices": tasks,
        "num_nodes": nodes,
        "world_size": nodes * tasks,
        "node_rank": node_rank,
        "local_rank": local_rank,
        "global_rank": node_rank * tasks + local_rank,
        "accelerator": "CUDAAccelerator" if available else "CPUAccelerator",
    }
    try:
        trainer = _plain_trainer(nodes, tasks)
        got = {name: _read(trainer, name) for name in wanted}
    except Exception as error:
        raise ClusterError("Trainer(...)", f"raises {type(error).__name__}: {error}") from error
    for name, value in wanted.items():
        if got[name] != value:
            raise ClusterError(f"Trainer.{name}", f"is {got[name]!r} where {value!r} is right")


def _plain_trainer(nodes: int, devices: int) -> L.Trainer:
    with without_messages():
        return L.Trainer(
            devices=devices, num_nodes=nodes, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip


def _read(trainer: L.Trainer, name: str) -> object:
    value = getattr(trainer, name)
    return value if isinstance(value, int) else type(value).__name__


# --- the resolved Trainer ------------------------------------------------------------------------


def resolved(trainer: L.Trainer) -> dict[str, Tree]:
    """The attributes that `trainer` resolved when it was made, as evidence.

    Returns:
        plain data: `world_size`, `num_nodes`, `devices` (per node), `global_rank`, `local_rank`,
        `node_rank`, `strategy` and `accelerator` (names of classes), `precision`, `root_device`,
        `clip_val`, `clip_algorithm`, `accumulate`, `max_epochs`, `max_steps`, `callbacks` and
        `loggers` (names of classes), `default_root_dir`, `environment` and `launcher` (names of
        classes), `find_unused`, `sync_batchnorm`, `distributed_sampler`.
    """
    strategy, connector = trainer.strategy, trainer._accelerator_connector  # noqa: SLF001 (no public view)
    algorithm = trainer.gradient_clip_algorithm
    return {
        "world_size": trainer.world_size,
        "num_nodes": trainer.num_nodes,
        "devices": trainer.num_devices,
        "global_rank": trainer.global_rank,
        "local_rank": trainer.local_rank,
        "node_rank": trainer.node_rank,
        "strategy": type(strategy).__name__,
        "accelerator": type(trainer.accelerator).__name__,
        "precision": str(trainer.precision),
        "root_device": str(strategy.root_device),
        "clip_val": _number(trainer.gradient_clip_val),
        "clip_algorithm": None
        if algorithm is None
        else str(getattr(algorithm, "value", algorithm)),
        "accumulate": trainer.accumulate_grad_batches,
        "max_epochs": trainer.max_epochs,
        "max_steps": trainer.max_steps,
        "callbacks": _names(trainer.callbacks),  # type: ignore[attr-defined]
        "loggers": _names(trainer.loggers),
        "default_root_dir": str(trainer.default_root_dir),
        "environment": type(connector.cluster_environment).__name__,
        "launcher": type(strategy.launcher).__name__,
        "find_unused": bool(getattr(strategy, "_ddp_kwargs", {}).get("find_unused_parameters")),
        "sync_batchnorm": getattr(strategy, "_layer_sync", None) is not None,
        "distributed_sampler": bool(connector.use_distributed_sampler),
    }


def _names(things: list[Any]) -> list[str]:
    return [type(thing).__name__ for thing in things]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
