"""What a job asks of the cluster, in numbers, with the refusals that sbatch makes itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from litcourse.pocket.machine import Machine, expand
from litcourse.pocket.options import Submitted
from litcourse.pocket.reading import values
from litcourse.pocket.reading.getopt import BeyondError, RefusedError

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

    @property
    def asks_for_gpus(self) -> bool:
        """Whether any option asks for GPUs."""
        counts = (self.gpus, self.gpus_per_node, self.gpus_per_task, self.tasks_per_gpu)
        return any(counts)


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
        gpus_per_node=per_node or gpus.get("gpus-per-node") or None,
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
    _refuse_mixed_kinds(request)
    _refuse_gpus(request)
    asked, least = request.gpus or request.gpus_per_node, request.tasks_per_gpu
    if least and not asked and (request.tasks or 0) < least:  # no GPUs, and a line of an error
        raise BeyondError("--ntasks-per-gpu with fewer tasks than that")
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


_GPU_OPTIONS = {
    "gpus": ("gpus", values.gpus),
    "gpus-per-task": ("gpus_per_task", values.gpus),
    "gpus-per-node": ("gpus_per_node", values.gpus),
    "gres": ("gpus_per_node", values.gres),  # in the place of the former, if both are given
}


def _gpus_by_kind(given: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """What is asked for of each type of GPU, "" for any, by the names of `Request`."""
    found: dict[str, dict[str, int]] = {}
    for option, (name, read) in _GPU_OPTIONS.items():
        gpus = read(given[option]) if given.get(option) else None
        if gpus and gpus.number:
            found.setdefault(gpus.kind, {})[name] = gpus.number
    return found


def _refuse_mixed_kinds(request: Request) -> None:
    """GPUs with a type beside GPUs without: Slurm looks at each kind by itself, then refuses."""
    kinds = _gpus_by_kind(request.options)
    if len(kinds) < 2 or "" not in kinds:  # noqa: PLR2004  (two kinds)
        return
    none = replace(request, gpus=None, gpus_per_node=None, gpus_per_task=None)
    for asked in kinds.values():
        one: dict[str, Any] = {**asked}
        _refuse_gpus(replace(none, **one))
    what = "Invalid GRES specification (with and without type identification)"
    raise RefusedError(f"sbatch: error: {what}")


# --- what follows from what was said -------------------------------------------------------------


def _with_nodes(request: Request) -> Request:
    """Numbers of nodes that other options imply, or that more is said of than there can be."""
    nodes, wanted = request.nodes, len(request.wanted)
    if nodes and wanted > nodes[1]:
        what = f"invalid number of nodes (-N {wanted}-{nodes[1]})"
        raise RefusedError(f"sbatch: error: {what}")
    least = max(nodes[0] if nodes else 1, wanted)
    if request.tasks and 0 < request.tasks < least:
        tasks = request.tasks
        what = f"can't run {tasks} processes on {least} nodes, setting nnodes to {tasks}"
        warnings, kept = (f"sbatch: Warning: {what}",), request.wanted[:tasks]
        return replace(request, nodes=(tasks, tasks), wanted=kept, warnings=warnings)
    if wanted and nodes is None:
        return replace(request, nodes=(wanted, wanted))
    if nodes is None and request.gpus and request.gpus_per_node:
        count = request.gpus // request.gpus_per_node
        return replace(request, nodes=(count, count)) if count else request
    return request


def _with_tasks(request: Request) -> Request:
    """The number of tasks, where GPUs or nodes imply it."""
    if request.tasks is not None:
        return request
    nodes, per_gpu = request.nodes, request.tasks_per_gpu
    least = nodes[0] if nodes else max(1, len(request.wanted))
    tasks = None
    if per_gpu:
        gpus = request.gpus or (request.gpus_per_node or 0) * least
        tasks = (gpus or _nodes_said(request)) * per_gpu
    elif request.tasks_per_node:
        tasks = request.tasks_per_node * least
    elif request.gpus and request.gpus_per_task:
        tasks = request.gpus // request.gpus_per_task
    elif request.gpus_per_task and nodes and _one_task_a_node(request):
        tasks = nodes[0]
    return replace(request, tasks=tasks or None)


def _nodes_said(request: Request) -> int:
    """The number of nodes if --nodes gives one number, else 0."""
    nodes = request.nodes
    return nodes[0] if nodes and nodes[0] == nodes[1] and "nodes" in request.options else 0


def _one_task_a_node(request: Request) -> bool:
    """Whether a number of nodes alone is one of tasks: sbatch takes it so if no cores are given."""
    return "nodes" in request.options and "cpus-per-task" not in request.options


def _refuse_gpus(request: Request) -> None:
    """GPUs that contradict the number of tasks or nodes, in the words of Slurm's own checks."""
    for wrong, words in (*_of_all_gpus(request), *_of_gpus_per_task(request)):
        if wrong:
            lines = [f"sbatch: error: {words}" if words else "", _NO_GRES]
            before = list(request.warnings)
            raise RefusedError("\n".join(filter(None, [*before, *lines])))


_JOB = "Failed to validate job spec"
_PER_NODE = "--gres=gpu/--gpus-per-node"
_ORDER = f"Failed to ensure --gpus >= {_PER_NODE} >= --gpus-per-socket"


def _of_all_gpus(request: Request) -> list[tuple[object, str]]:
    nodes, gpus, per_node = request.nodes or (1, 10**6), request.gpus, request.gpus_per_node
    needed = gpus // per_node if gpus and per_node else 0
    between = f"min_nodes ({nodes[0]}) and max_nodes ({nodes[1]}) boundaries."
    kind, size = request.memory or ("", 0)
    tasks, per_gpu = request.tasks, request.tasks_per_gpu
    exclusive = "--cpus-per-gpu is mutually exclusive with --cpus-per-task"
    return [
        (request.cores_per_gpu and "cpus-per-task" in request.options, exclusive),
        (kind == "mem-per-gpu" and not request.asks_for_gpus,
         f"Requested mem_per_tres=gres:gpu:{size} but did not request any GPU."),
        (per_gpu and not tasks,
         ("gres_job_state_validate: --ntasks-per-tres needs either a GRES GPU specification or a "
         "node/ntask specification")),
        (per_gpu and tasks and tasks > 1 and tasks % per_gpu and not request.gpus_per_node,
         f"{_JOB}, -n/--ntasks has to be a multiple of --ntasks-per-gpu."),
        (gpus and per_node and gpus < per_node, _ORDER),
        (gpus and per_node and gpus % per_node, f"{_JOB}, --gpus is not multiple of {_PER_NODE}"),
        (needed and not nodes[0] <= needed <= nodes[1],
         (f"{_JOB}. Based on --gpu and {_PER_NODE} required nodes ({needed}) doesn't fall between "
         f"{between}")),
        (gpus and gpus < nodes[0], f"{_JOB}, --gpus < -N"),
    ]  # fmt: skip


def _of_gpus_per_task(request: Request) -> list[tuple[object, str]]:
    each, gpus, per_node = request.gpus_per_task, request.gpus, request.gpus_per_node
    if not each:
        return []
    tasks, per = request.tasks, request.tasks_per_node
    nodes = request.nodes
    # Of a range of nodes sbatch does not know how many tasks there will be.
    unknown = nodes and nodes[0] != nodes[1] and not gpus and "ntasks" not in request.options
    return [
        ((gpus or per_node) and (gpus or per_node or 0) < each,
         "Failed to ensure --gpus >= --gpus-per-task"),
        (not tasks or unknown,
         (f"{_JOB}. --gpus-per-task used without either --gpus or -n/--ntasks is not allowed.")),
        (gpus and gpus % each, f"{_JOB}, --gpus not multiple of --gpus-per-task"),
        (gpus and gpus != each * (tasks or 0),
         (f"{_JOB}. Based on --gpus and --gpus-per-task number of requested tasks differ from "
         "-n/--ntasks.")),
        (per_node and per_node % each, f"{_JOB}, {_PER_NODE} not multiple of --gpus-per-task."),
        (per_node and per and per_node // each != per,
         (f"{_JOB}. Based on {_PER_NODE} and --gpus-per-task requested number of tasks per node "
         "differ from --ntasks-per-node.")),
    ]  # fmt: skip
