"""What a job asks of the cluster, in numbers, with the refusals that sbatch makes itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from litcourse.pocket.machine import Machine, expand
from litcourse.pocket.options import Submitted
from litcourse.pocket.reading import values
from litcourse.pocket.reading.getopt import RefusedError

_NO_GRES = "sbatch: error: Invalid generic resource (gres) specification"
_MEMORY = ("mem", "mem-per-cpu", "mem-per-gpu")


@dataclass(frozen=True)
class Request:
    """What a job asks for; None is what it does not say.

    `gpus` is a number for the whole job. `tasks` is None where nothing was said of tasks: then the
    job has one on each node, and its batch shell no SLURM_NTASKS.
    """

    nodes: tuple[int, int] | None
    tasks: int | None
    tasks_per_node: int | None
    tasks_per_gpu: int | None
    cores: int
    """Of each task."""
    gpus: int | None
    gpus_per_node: int | None
    gpus_per_task: int | None
    cores_per_gpu: int | None
    memory: tuple[str, int] | None
    """Per "mem" (node), "mem-per-cpu" or "mem-per-gpu", in MB."""
    minutes: int | None
    partitions: tuple[str, ...]
    wanted: tuple[str, ...]
    """Nodes that have to be among the job's."""
    unwanted: tuple[str, ...]
    exclusive: bool
    options: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def read_request(submitted: Submitted, machine: Machine) -> Request:
    """The request of a job.

    Raises:
        RefusedError: sbatch refuses it.
    """
    given = submitted.options
    sizes = [(name, values.megabytes(given[name], name)) for name in _MEMORY if name in given]
    if len(sizes) > 1:
        what = "--mem, --mem-per-cpu, and --mem-per-gpu are mutually exclusive."
        raise RefusedError(f"sbatch: fatal: {what}")
    _refuse_pairs(given)
    gpus = {name: values.gpus(given[name]).number
            for name in ("gpus", "gpus-per-node", "gpus-per-task") if given.get(name)}  # fmt: skip
    per_node = values.gres(given["gres"]).number if given.get("gres") else None
    request = Request(
        nodes=values.node_range(given["nodes"]) if "nodes" in given else None,
        tasks=_number(given, "ntasks"),
        tasks_per_node=_number(given, "ntasks-per-node"),
        tasks_per_gpu=_number(given, "ntasks-per-gpu"),
        cores=_number(given, "cpus-per-task") or 1,
        gpus=gpus.get("gpus") or None,
        gpus_per_node=gpus.get("gpus-per-node") if per_node is None else per_node,
        gpus_per_task=gpus.get("gpus-per-task") or None,
        cores_per_gpu=_number(given, "cpus-per-gpu"),
        memory=sizes[0] if sizes else None,
        minutes=values.minutes(given["time"]) if "time" in given else None,
        partitions=_partitions(given, machine),
        wanted=_nodes(given, "nodelist"),
        unwanted=_nodes(given, "exclude"),
        exclusive="exclusive" in given and given["exclusive"] not in {"user", "mcs"},
        options=given,
    )
    request = _with_tasks(_with_nodes(request))
    _refuse_gpus(request)
    return request


def _number(given: Mapping[str, str], name: str) -> int | None:
    return values.number(given[name], name) if name in given else None


def _nodes(given: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(expand(given[name]))) if given.get(name) else ()


def _partitions(given: Mapping[str, str], machine: Machine) -> tuple[str, ...]:
    default = machine.partitions[0].name
    return tuple(filter(None, given.get("partition", default).split(",")))


def _refuse_pairs(given: Mapping[str, str]) -> None:
    """Options that exclude each other."""
    if "ntasks-per-gpu" in given:
        for name in ("gpus-per-task", "ntasks-per-node"):
            if name in given:
                what = f"--{name} is mutually exclusive with --ntasks-per-gpu and "
                raise RefusedError(f"sbatch: fatal: {what}SLURM_NTASKS_PER_GPU")


# --- what follows from what was said -------------------------------------------------------------


def _with_nodes(request: Request) -> Request:
    """Numbers of nodes that other options imply, or that more is said of than there can be."""
    nodes, wanted = request.nodes, len(request.wanted)
    if wanted and nodes is None:
        return replace(request, nodes=(wanted, max(wanted, request.tasks or 0)))
    if nodes and wanted > nodes[1]:
        what = f"invalid number of nodes (-N {wanted}-{nodes[1]})"
        raise RefusedError(f"sbatch: error: {what}", 255)
    if nodes and request.tasks and 0 < request.tasks < nodes[0]:
        tasks = request.tasks
        what = f"can't run {tasks} processes on {nodes[0]} nodes, setting nnodes to {tasks}"
        warnings = (f"sbatch: Warning: {what}",)
        return replace(request, nodes=(tasks, tasks), warnings=warnings)
    if nodes is None and request.gpus and request.gpus_per_node:
        count = math.ceil(request.gpus / request.gpus_per_node)
        return replace(request, nodes=(count, count))
    return request


def _with_tasks(request: Request) -> Request:
    """The number of tasks, where GPUs or nodes imply it."""
    if request.tasks is not None:
        return request
    nodes, per_gpu = request.nodes, request.tasks_per_gpu
    tasks = None
    if per_gpu:
        gpus = request.gpus or (request.gpus_per_node or 0) * (nodes[0] if nodes else 1)
        tasks = gpus * per_gpu if gpus else nodes and nodes[0]
    elif request.tasks_per_node and (nodes is None or nodes[0] == nodes[1]):
        tasks = request.tasks_per_node * (nodes[0] if nodes else 1)
    elif request.gpus and request.gpus_per_task:
        tasks = request.gpus // request.gpus_per_task
    elif request.gpus_per_task and nodes:
        tasks = nodes[0]
    return replace(request, tasks=tasks or None)


def _refuse_gpus(request: Request) -> None:
    """GPUs that contradict the number of tasks or nodes."""
    nodes, gpus = request.nodes, request.gpus
    wrong = [
        request.gpus_per_task and not request.tasks,
        request.gpus_per_task and gpus and gpus != request.gpus_per_task * (request.tasks or 0),
        gpus and nodes and gpus < nodes[0],
        gpus and nodes and request.gpus_per_node and gpus != nodes[0] * request.gpus_per_node,
        request.cores_per_gpu and "cpus-per-task" in request.options,
        request.memory and request.memory[0] == "mem-per-gpu" and not _asks_for_gpus(request),
    ]
    if any(wrong):
        raise RefusedError(_NO_GRES)


def _asks_for_gpus(request: Request) -> bool:
    counts = (request.gpus, request.gpus_per_node, request.gpus_per_task, request.tasks_per_gpu)
    return any(counts)
