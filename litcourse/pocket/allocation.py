"""What the cluster gives to a job: nodes, and cores, GPUs and memory of each; or a refusal."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from litcourse.pocket.machine import Machine, Partition
from litcourse.pocket.options import Submitted
from litcourse.pocket.reading.getopt import RefusedError
from litcourse.pocket.reading.values import gpus as read_gpus
from litcourse.pocket.reading.values import gres as read_gres
from litcourse.pocket.request import Request, read_request

_NOT_AVAILABLE = "Requested node configuration is not available"


@dataclass(frozen=True)
class Share:
    """What a job has of one node."""

    node: str
    cores: int
    tasks: int
    """As SLURM_TASKS_PER_NODE of the batch shell counts them."""
    gpus_held: int
    gpus_asked: int
    """What tasks see: fewer than are held, where the job has the node for itself."""
    memory: int
    """MB."""


@dataclass(frozen=True)
class Allocation:
    """What a job has.

    Args:
        shares: one for each node, in the order of the nodes.
        tasks: how many tasks were asked for; None where nothing was said of tasks.
        minutes: the time limit.
        partition: the partition in which the job runs.
        warnings: lines that sbatch printed on the way.
    """

    shares: tuple[Share, ...]
    tasks: int | None
    minutes: int
    partition: str
    request: Request
    warnings: tuple[str, ...] = ()

    @property
    def nodes(self) -> list[str]:
        """Names of the nodes."""
        return [share.node for share in self.shares]

    @property
    def cores(self) -> int:
        """Cores on all nodes."""
        return sum(share.cores for share in self.shares)

    @property
    def gpus_held(self) -> int:
        """GPUs on all nodes, asked for or not."""
        return sum(share.gpus_held for share in self.shares)


def allocate(submitted: Submitted, machine: Machine, first: str = "n1") -> Allocation:
    """Allocate a job on an idle cluster.

    Args:
        submitted: the options of the job.
        machine: the cluster.
        first: the node that the job's nodes begin at, if it may have that one.

    Raises:
        RefusedError: sbatch or the cluster refuses the job.
    """
    request = read_request(submitted, machine)
    try:
        return _allocate(submitted, request, machine, first)
    except RefusedError as refused:
        raise RefusedError("\n".join([*request.warnings, refused.text]), refused.code) from None


def _allocate(submitted: Submitted, request: Request, machine: Machine, first: str) -> Allocation:
    partition = _partition(request, machine)
    _refuse_unknown(submitted, request, machine)
    minutes = request.minutes or partition.default_minutes
    if minutes > partition.most_minutes:
        raise _refused("Requested time limit is invalid (missing or exceeds some limit)")
    _refuse_sizes(request, machine)
    count = _node_count(request, machine, partition)
    cores, tasks, asked = _layout(request, machine, count)
    held = [machine.gpus] * count if request.exclusive else asked
    names = _choose(request, machine, partition, count, first)
    shares = [
        Share(name, machine.cores if request.exclusive else cores[i], tasks[i], held[i], asked[i],
              _memory(request, machine, machine.cores if request.exclusive else cores[i], asked[i]))
        for i, name in enumerate(names)
    ]  # fmt: skip
    if any(share.memory > machine.memory for share in shares):
        raise _refused(_NOT_AVAILABLE)
    total = request.tasks
    if request.tasks_per_node and "ntasks" not in request.options:
        total = request.tasks_per_node * count
    where = machine.first_partition(request.partitions, names, minutes)
    return Allocation(tuple(shares), total, minutes, where, request, request.warnings)


def _refused(reason: str, before: str = "") -> RefusedError:
    first = f"sbatch: error: {before}\n" if before else ""
    return RefusedError(f"{first}sbatch: error: Batch job submission failed: {reason}")


# --- is there such a thing -----------------------------------------------------------------------


def _partition(request: Request, machine: Machine) -> Partition:
    """The partition with the widest limits of those asked for: jobs start in any of them."""
    for name in request.partitions or ("(null)",):
        if machine.partition(name) is None:
            what = f"invalid partition specified: {name}"
            raise _refused("Invalid partition name specified", what)
    found = [part for name in request.partitions if (part := machine.partition(name))]
    return max(found, key=lambda part: (part.most_nodes, part.most_minutes))


def _refuse_unknown(submitted: Submitted, request: Request, machine: Machine) -> None:
    """What the cluster has not: features, reservations, licenses, disks, nodes, types of GPU."""
    given = submitted.options
    for name, reason in (
        ("constraint", "Invalid feature specification"),
        ("reservation", "Requested reservation is invalid"),
        ("licenses", "Invalid license specification"),
    ):
        if given.get(name):
            raise _refused(reason)
    known = set(machine.node_names())
    both = {*request.wanted} & {*request.unwanted}
    if both or not {*request.wanted, *request.unwanted} <= known:
        raise _refused("Invalid node name specified")
    if given.get("tmp", "0") != "0":
        raise _refused(_NOT_AVAILABLE, "Temporary disk specification can not be satisfied")
    if not _dependency(given.get("dependency", "")):
        raise _refused("Job dependency problem")
    kinds = [
        read_gpus(given[name]).kind for name in given if name.startswith("gpus") and given[name]
    ]
    kinds += [read_gres(given["gres"]).kind] if given.get("gres") else []
    if not set(kinds) <= {"", machine.gpu_type} or given.get("threads-per-core", "1") != "1":
        raise _refused(_NOT_AVAILABLE)


def _dependency(text: str) -> bool:
    one = r"(singleton|(after|afterany|afterok|afternotok|aftercorr|afterburstbuffer)(:\d+\S*)+)"
    return not text or bool(re.fullmatch(rf"{one}([,?]{one})*", text))


def _refuse_sizes(request: Request, machine: Machine) -> None:
    """What not even one node of the cluster has."""
    nodes = request.nodes
    if nodes and nodes[1] == 0:
        raise _refused("Node count specification invalid")
    most = machine.cores * max(part.nodes for part in machine.partitions)
    if (request.tasks or 1) * request.cores > most:
        raise _refused("More processors requested than permitted")
    if (request.tasks_per_node or 1) * request.cores > machine.cores:
        raise _refused(_NOT_AVAILABLE, "CPU count per node can not be satisfied")
    kind, size = request.memory or ("", 0)
    if kind == "mem" and size > machine.memory:
        raise _refused(_NOT_AVAILABLE, "Memory specification can not be satisfied")


# --- how many nodes ------------------------------------------------------------------------------


def _most_gpus(request: Request, machine: Machine) -> int:
    """GPUs that a job can have of one node at most."""
    found = [machine.gpus]
    if request.cores_per_gpu:
        found.append(machine.cores // request.cores_per_gpu)
    if request.memory and request.memory[0] == "mem-per-gpu" and request.memory[1]:
        found.append(machine.memory // request.memory[1])
    return min(found)


def _most_tasks(request: Request, machine: Machine) -> int:
    """Tasks that fit on one node."""
    found = [machine.cores // request.cores]
    if request.memory and request.memory[0] == "mem-per-cpu" and request.memory[1]:
        found.append(machine.memory // request.memory[1] // request.cores)
    elif not request.memory:
        found.append(machine.memory // machine.memory_per_core // request.cores)
    if request.tasks_per_node:
        found.append(request.tasks_per_node)
    if request.gpus_per_task:
        gpus = request.gpus_per_node or _most_gpus(request, machine)
        found.append(gpus // request.gpus_per_task)
    return min(found)


def _node_count(request: Request, machine: Machine, partition: Partition) -> int:
    fit = _most_tasks(request, machine)
    tasks = request.tasks or 1
    needed = math.ceil(tasks / fit) if fit else machine.nodes + 1
    needed = max(needed, len(request.wanted))
    if request.gpus:
        most = _most_gpus(request, machine)
        needed = max(needed, math.ceil(request.gpus / most) if most else machine.nodes + 1)
    least, most_nodes = request.nodes or (needed, needed)
    if request.nodes and least > partition.most_nodes:
        raise _refused("Node count specification invalid")
    if request.gpus or request.gpus_per_task:  # of a range the fewest that have so many GPUs
        most_nodes = min(most_nodes, max(least, needed))
    elif request.nodes and request.tasks is not None:
        most_nodes = min(most_nodes, max(request.tasks, least))
    count = min(most_nodes, partition.most_nodes)
    if "test-only" in request.options and request.wanted:  # a trial takes no node beside these
        needed, count = max(needed, least), min(count, len(request.wanted))
    if needed > count:
        raise _refused(_NOT_AVAILABLE)
    return count


# --- what each of them gives ---------------------------------------------------------------------


def _layout(
    request: Request, machine: Machine, count: int
) -> tuple[list[int], list[int], list[int]]:
    """Cores, tasks and GPUs asked for, of each node."""
    tasks = _tasks(request, machine, count)
    cores = [number * request.cores for number in tasks]
    gpus = _gpus(request, machine, tasks)
    if request.options.get("ntasks") == "1" and request.tasks_per_node:
        cores = [request.cores]
    if request.cores_per_gpu:
        cores = [max(c, request.cores_per_gpu * g) for c, g in zip(cores, gpus, strict=True)]
    if max(gpus) > _most_gpus(request, machine) or max(cores) > machine.cores:
        raise _refused(_NOT_AVAILABLE)
    if request.tasks is None and not request.tasks_per_node:
        # Nothing was said of tasks: Slurm counts as many as the cores would hold.
        full = [machine.cores] * count if request.exclusive else cores
        tasks = [number // request.cores for number in full]
    elif request.exclusive and not request.tasks_per_node:
        limits = [machine.cores // request.cores] * count
        tasks = spread(request.tasks or count, limits)
    return cores, tasks, gpus


def _tasks(request: Request, machine: Machine, count: int) -> list[int]:
    if request.tasks_per_node:
        return [request.tasks_per_node] * count
    tasks = max(request.tasks or count, count)
    least = request.nodes[0] if request.nodes else 1
    return _deal(tasks, request.cores, _most_tasks(request, machine), least, count)


def _deal(tasks: int, cores: int, most: int, least: int, count: int) -> list[int]:
    """Tasks of each node: Slurm divides the cores first, then deals tasks to who has cores.

    A node may have all cores that are left but one for each node that has to follow, also where a
    task takes several: `-N4 -n8` is 5, 1, 1, 1, but `-N4 -n16 -c8` on 64 cores 7, 7, 1, 1.

    Args:
        tasks: how many there are.
        cores: of each task.
        most: tasks that fit on a node.
        least: nodes that the job has to have.
        count: nodes that it has.
    """
    left, limits = tasks * cores, []
    for index in range(count):
        following = max(0, least - index - 1)
        given = max(1, min(most * cores, left - following))
        limits.append(max(1, given // cores))
        left -= given
    return spread(tasks, limits)


def _gpus(request: Request, machine: Machine, tasks: Sequence[int]) -> list[int]:
    count = len(tasks)
    if request.gpus_per_task:
        spread_tasks = tasks
        if request.tasks and request.tasks < sum(tasks):
            spread_tasks = spread(request.tasks, tasks)
        return [number * request.gpus_per_task for number in spread_tasks]
    if request.gpus_per_node is not None:
        return [request.gpus_per_node] * count
    total = request.gpus
    if request.tasks_per_gpu and not total:
        total = math.ceil((request.tasks or count) / request.tasks_per_gpu)
    return first_filled(total, [_most_gpus(request, machine)] * count) if total else [0] * count


def first_filled(total: int, limits: Sequence[int]) -> list[int]:
    """One for each node, and the rest on the first nodes: 8 on four nodes is 5, 1, 1, 1."""
    found, left = [1] * len(limits), total - len(limits)
    for index, limit in enumerate(limits):
        more = max(0, min(left, limit - 1))
        found[index] += more
        left -= more
    return found


def spread(total: int, limits: Sequence[int]) -> list[int]:
    """In turn, one for each node that has room; when none has, each gets more than it has room."""
    found, turn, beyond = [0] * len(limits), 0, False
    while sum(found) < total:
        room = False
        for index, limit in enumerate(limits):
            if sum(found) < total and (turn < limit or beyond):
                found[index] += 1
                room = room or turn + 1 < limit
        turn, beyond = turn + 1, beyond or not room
    return found


def _memory(request: Request, machine: Machine, cores: int, gpus: int) -> int:
    kind, size = request.memory or ("mem-per-cpu", machine.memory_per_core)
    if kind == "mem":
        return size or machine.memory
    return size * (gpus if kind == "mem-per-gpu" else cores)


# --- which ---------------------------------------------------------------------------------------


def _choose(
    request: Request, machine: Machine, partition: Partition, count: int, first: str
) -> list[str]:
    """Nodes in a row, from `first` on, with those that were named."""
    names = machine.node_names()[: partition.nodes]
    free = [name for name in names if name not in request.unwanted]
    if not set(request.wanted) <= set(free) or len(free) < count:
        raise _refused(_NOT_AVAILABLE)
    begin = request.wanted[0] if request.wanted else first
    start = names.index(begin) if begin in names else 0
    for offset in [*range(start, len(names)), *range(start)]:
        row = names[offset : offset + count]
        if len(row) == count and set(request.wanted) <= set(row) <= set(free):
            return row
    rest = [name for name in free if name not in request.wanted]
    chosen = {*request.wanted, *rest[: count - len(request.wanted)]}
    return [name for name in names if name in chosen]
