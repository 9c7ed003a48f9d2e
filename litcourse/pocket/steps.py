"""What srun makes of its options inside a job: nodes, tasks, cores and GPUs of a step."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from litcourse.pocket.allocation import Allocation, spread
from litcourse.pocket.machine import expand
from litcourse.pocket.reading import values
from litcourse.pocket.reading.getopt import BeyondError, RefusedError, read_options
from litcourse.pocket.reading.option_tables import SAME, SRUN
from litcourse.pocket.step_gpus import (
    bind_words,
    bound_gpus,
    needed_gpus,
    no_step,
    nodes_room,
    step_gpus,
)  # fmt: skip

_FROM_SHELL = {
    "ntasks": "SLURM_NTASKS", "nodes": "SLURM_NNODES", "ntasks-per-node": "SLURM_NTASKS_PER_NODE",
    "cpus-per-task": "SRUN_CPUS_PER_TASK", "gpus": "SLURM_GPUS",
    "gpus-per-node": "SLURM_GPUS_PER_NODE", "gpus-per-task": "SLURM_GPUS_PER_TASK",
    "gpu-bind": "SLURM_GPU_BIND", "ntasks-per-gpu": "SLURM_NTASKS_PER_GPU",
    "distribution": "SLURM_DISTRIBUTION", "open-mode": "SLURM_OPEN_MODE",
    "export": "SLURM_EXPORT_ENV", "output": "SLURM_STDOUTMODE", "error": "SLURM_STDERRMODE",
    "label": "SLURM_LABELIO", "cpus-per-gpu": "SLURM_CPUS_PER_GPU",
    "kill-on-bad-exit": "SLURM_KILL_BAD_EXIT", "overlap": "SLURM_OVERLAP",
    "exact": "SLURM_EXACT", "mem": "SLURM_MEM_PER_NODE", "wait": "SLURM_WAIT",
}  # fmt: skip
"""Options that srun takes from the environment if they are not given."""
_EXACT = frozenset({"exact", "exclusive", "cpus-per-task"})
"""Options with which a step has no more cores than its tasks need."""
_NUMBERS = ("ntasks", "cpus-per-task", "ntasks-per-node", "ntasks-per-gpu")
_BEYOND = ("multi-prog", "pty", "bcast", "het-group", "container", "profile", "cpu-freq", "x11",
           "relative", "nodefile", "jobid", "overcommit", "ntasks-per-socket", "gpus-per-socket",
           "ntasks-per-core", "prolog", "epilog", "task-prolog", "task-epilog", "no-allocate",
           "interactive")  # fmt: skip


@dataclass(frozen=True)
class Task:
    """A task of a step, one rank."""

    rank: int
    node: str
    node_index: int
    local: int
    gpus: tuple[int, ...]
    """Those that CUDA_VISIBLE_DEVICES names; empty where the variable is not set."""


@dataclass(frozen=True)
class Step:
    """A step of a job, as srun starts it."""

    command: tuple[str, ...]
    options: Mapping[str, str]
    nodes: tuple[str, ...]
    tasks_per_node: tuple[int, ...]
    cores: int
    """Of each task, that it is bound to."""
    cores_on_node: tuple[int, ...]
    gpus_on_node: tuple[int, ...]
    bind: str
    distribution: str
    warnings: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    number: int = 0

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return sum(self.tasks_per_node)

    @property
    def name(self) -> str:
        """The name that srun gives to the step; "" for the job's."""
        return self.options.get("job-name", "")

    @property
    def export(self) -> str | None:
        """What `--export` says."""
        return self.options.get("export")

    @property
    def shares_nodes(self) -> bool:
        """Whether other steps may have the rest of the nodes at the same time."""
        return bool({*_EXACT, "overlap"} & set(self.options))

    def ranks_on_node(self, index: int) -> list[int]:
        """Ranks of the tasks on one node."""
        if self.distribution == "cyclic" and self.total > len(self.nodes):
            return list(_cyclic(self.tasks_per_node)[index])
        first = sum(self.tasks_per_node[:index])
        return list(range(first, first + self.tasks_per_node[index]))

    def bind_on_node(self, index: int) -> str:
        """How tasks of one node are bound: a task that is alone there is not."""
        return self.bind if self.tasks_per_node[index] > 1 else ""

    def tasks(self) -> Iterator[Task]:
        """All tasks, by rank."""
        found = []
        for index, node in enumerate(self.nodes):
            ranks = self.ranks_on_node(index)
            for local, rank in enumerate(ranks):
                bind = self.bind_on_node(index)
                gpus = bound_gpus(bind, self.gpus_on_node[index], local)
                found.append(Task(rank, node, index, local, gpus))
        return iter(sorted(found, key=lambda task: task.rank))


def _cyclic(tasks: Sequence[int]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in tasks]
    rank = 0
    while rank < sum(tasks):
        for index, number in enumerate(tasks):
            if len(found[index]) < number:
                found[index].append(rank)
                rank += 1
    return found


def plan_step(
    words: Sequence[str],
    shell: Mapping[str, str],
    allocation: Allocation,
    job: int,
    avoid: Collection[str] = (),
) -> Step:
    """The step that `srun WORDS` is.

    Args:
        words: options of srun, the command and its arguments.
        shell: the environment of srun.
        allocation: what the job has.
        job: the job's id, for srun's texts.
        avoid: nodes that are taken last.

    Raises:
        RefusedError: srun refuses it.
        BeyondError: asks for something that the pocket does not emulate.
    """
    found = read_options(words, SRUN)
    given = {SAME.get(name, name): value for name, value in found.options}
    for name in _BEYOND:
        if name in given:
            raise BeyondError(f"srun --{name}")
    options = {n: shell[v] for n, v in _FROM_SHELL.items() if v in shell} | given
    _check(options)
    if not found.rest:
        raise RefusedError("srun: fatal: No command given to execute.")
    nodes, total, warnings = _size(options, allocation, job, avoid)
    _refuse_components(found.rest, len(nodes), len(allocation.nodes))
    honoured, more = _per_node(options, total, len(nodes))
    shares = [share for share in allocation.shares if share.node in nodes]
    cores = int(options.get("cpus-per-task") or 1)
    room = nodes_room(options, shares, cores)
    try:
        asked = step_gpus(options, given, shares, job)
        if sum(room) < total or len(nodes) > total:
            raise no_step(job, "More processors requested than permitted")
    except RefusedError as refused:  # what srun has warned of comes first
        raise RefusedError("\n".join([*warnings, *more, refused.text]), refused.code) from None
    exact = _EXACT & set(options)
    if honoured:
        limited = [min(share.cores, honoured * cores) // cores for share in shares]
        # Where the rest would have no cores of its own, Slurm lets the number go.
        room = room if exact and sum(limited) < total else limited
    tasks = tuple(spread(total, [max(1, number) for number in room]))
    gpus = needed_gpus(options, shares, tasks) if asked is None else asked
    step = Step(
        command=tuple(found.rest), options=options, nodes=nodes, tasks_per_node=tasks, cores=cores,
        cores_on_node=tuple(tasks_i * cores if exact else share.cores
                            for tasks_i, share in zip(tasks, shares, strict=True)),
        gpus_on_node=gpus, bind=bind_words(options),
        distribution=_distribution(options, total, len(nodes)),
        warnings=(*warnings, *more),
    )  # fmt: skip
    return replace(
        step, variables=_variables(given, honoured if total == len(nodes) * honoured else 0)
    )


def _check(options: Mapping[str, str]) -> None:
    for name in _NUMBERS:
        if name in options:
            values.number(options[name], name, command="srun")
    if "nodes" in options:
        values.node_range(options["nodes"], "srun")
    if options.get("time"):
        values.minutes(options["time"], "srun")
    for name in ("mem", "mem-per-cpu", "mem-per-gpu"):
        if name in options:
            values.megabytes(options[name], name, "srun")


def _refuse_components(words: Sequence[str], nodes: int, have: int) -> None:
    """`srun A : B` starts both on nodes of their own, if there are so many."""
    if ":" in words:
        if nodes < have:
            raise BeyondError("heterogeneous steps (`:`)")
        what = f"job size of {have}, already allocated {nodes} nodes to previous components."
        raise RefusedError(f"srun: error: Allocation failure of {nodes} nodes: {what}")


# --- nodes and tasks -----------------------------------------------------------------------------


def _size(
    options: Mapping[str, str], allocation: Allocation, job: int, avoid: Collection[str]
) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    """Nodes and number of tasks, with what srun says on the way."""
    have = allocation.nodes
    count = values.node_range(options["nodes"], "srun")[1] if "nodes" in options else len(have)
    wanted = list(dict.fromkeys(expand(options["nodelist"]))) if options.get("nodelist") else []
    total = int(options["ntasks"]) if "ntasks" in options else count
    if "ntasks" not in options:
        total = _default_tasks(options, allocation, count)
    warnings: list[str] = []
    if total < count:
        what = f"can't run {total} processes on {count} nodes, setting nnodes to {total}"
        warnings, count = [f"srun: Warning: {what}"], total
    if count > len(have):
        _, more = _per_node(options, total, count)
        text = f"srun: error: Only allocated {len(have)} nodes asked for {count}"
        raise RefusedError("\n".join([*warnings, *more, text]))
    if not set(wanted) <= set(have):
        raise no_step(job, "Requested node configuration is not available")
    unwanted = set(expand(options["exclude"])) if options.get("exclude") else set()
    rest = [node for node in have if node not in {*wanted, *unwanted}]
    rest.sort(key=lambda node: node in avoid)
    chosen = {*wanted, *rest[: max(0, count - len(wanted))]}
    if len(chosen) < count:
        raise no_step(job, "Requested node configuration is not available")
    return tuple(node for node in have if node in chosen), total, tuple(warnings)


def _default_tasks(options: Mapping[str, str], allocation: Allocation, nodes: int) -> int:
    """As many as are said for each node, or as cores are given for; else one for each node."""
    if options.get("ntasks-per-node"):
        return nodes * int(options["ntasks-per-node"])
    if options.get("cpus-per-task") and nodes <= len(allocation.shares):
        cores = int(options["cpus-per-task"])
        return sum(share.cores // cores for share in allocation.shares[:nodes]) or nodes
    return nodes


def _per_node(options: Mapping[str, str], total: int, nodes: int) -> tuple[int, tuple[str, ...]]:
    """`--ntasks-per-node` if it is heeded, else 0 and why not."""
    if not options.get("ntasks-per-node"):
        return 0, ()
    number = int(options["ntasks-per-node"])
    if total > number and total != number * nodes:
        what = (
            f"can't honor --ntasks-per-node set to {number} which doesn't match the requested "
            f"tasks {total} with the number of requested nodes {nodes}. Ignoring --ntasks-per-node."
        )
        return 0, (f"srun: Warning: {what}",)
    return number, ()


def _distribution(options: Mapping[str, str], total: int, nodes: int) -> str:
    given = options.get("distribution", "")
    if given:
        return given
    return "cyclic" if total <= nodes else "block"


def _variables(given: Mapping[str, str], per_node: int) -> dict[str, str]:
    """Variables that an option of srun sets in the tasks."""
    found = {}
    if "cpus-per-task" in given:
        found["SLURM_CPUS_PER_TASK"] = given["cpus-per-task"]
    if per_node:
        found["SLURM_NTASKS_PER_NODE"] = str(per_node)
    if "label" in given:
        found["SLURM_LABELIO"] = "1"
    return found
