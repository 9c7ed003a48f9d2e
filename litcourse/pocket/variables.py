"""The environment of a batch shell and of every task, as Slurm 22.05 sets it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from litcourse.pocket.allocation import Allocation
from litcourse.pocket.machine import Machine, compress, counts, indices
from litcourse.pocket.options import Array, Submitted
from litcourse.pocket.steps import Step, Task

_PASSED_ON = {
    "cpus-per-task": "SLURM_CPUS_PER_TASK", "ntasks-per-node": "SLURM_NTASKS_PER_NODE",
    "gpus": "SLURM_GPUS", "gpus-per-node": "SLURM_GPUS_PER_NODE",
    "gpus-per-task": "SLURM_GPUS_PER_TASK", "gpu-bind": "SLURM_GPU_BIND",
    "cpus-per-gpu": "SLURM_CPUS_PER_GPU", "account": "SLURM_JOB_ACCOUNT",
    "dependency": "SLURM_JOB_DEPENDENCY", "hint": "SLURM_HINT",
    "threads-per-core": "SLURM_THREADS_PER_CORE", "distribution": "SLURM_DISTRIBUTION",
    "export": "SLURM_EXPORT_ENV", "reservation": "SLURM_JOB_RESERVATION",
}  # fmt: skip
"""Variables that hold the value of an option as it was given."""
_DROPPED = ("SLURM_NTASKS", "SLURM_NPROCS", "SLURM_NTASKS_PER_NODE", "SLURM_CPUS_PER_TASK")
"""Of a submitting shell that is itself in a job; the job's own follow, or none."""


@dataclass(frozen=True)
class Facts:
    """What a job is, besides its allocation."""

    id: int
    submitted: Submitted
    machine: Machine
    submit_dir: str
    user: str = "student"
    uid: int = 1000
    gid: int = 1000
    host: str = "login"
    umask: int = 0o022
    array: Array | None = None


def batch_variables(facts: Facts, allocation: Allocation, restarts: int) -> dict[str, str]:
    """The environment of the batch shell, that of the submitting shell included."""
    options = facts.submitted.options
    found = _of_job(facts, allocation)
    found |= {_PASSED_ON[name]: options[name] for name in _PASSED_ON if name in options}
    found |= _memory(allocation) | _of_tasks(allocation) | _of_gpus(allocation)
    if options.get("open-mode"):
        found["SLURM_OPEN_MODE"] = options["open-mode"][0]
    if options.get("export", "ALL") != "ALL":
        found["SLURM_GET_USER_ENV"] = "1"
    else:
        found.pop("SLURM_EXPORT_ENV", None)
    if options.get("hint") == "nomultithread":
        found["SLURM_THREADS_PER_CORE"] = "1"
    if "ntasks-per-gpu" in options:
        found["SLURM_NTASKS_PER_GPU"] = options["ntasks-per-gpu"]
    if restarts:
        found["SLURM_RESTART_COUNT"] = str(restarts)
    return {**_exported(facts), **found, **_of_array(facts.array)}


def _of_job(facts: Facts, allocation: Allocation) -> dict[str, str]:
    """What every job has."""
    shares, first = allocation.shares, allocation.shares[0]
    nodes = compress(allocation.nodes)
    return {
        "ENVIRONMENT": "BATCH",
        "HOSTNAME": first.node,
        "SLURMD_NODENAME": first.node,
        "SLURM_CLUSTER_NAME": facts.machine.name,
        "SLURM_CONF": "/etc/slurm/slurm.conf",
        "SLURM_CPUS_ON_NODE": str(first.cores),
        "SLURM_GTIDS": "0",
        "SLURM_JOBID": str(facts.id),
        "SLURM_JOB_CPUS_PER_NODE": counts(share.cores for share in shares),
        "SLURM_JOB_GID": str(facts.gid),
        "SLURM_JOB_ID": str(facts.id),
        "SLURM_JOB_NAME": facts.submitted.job_name,
        "SLURM_JOB_NODELIST": nodes,
        "SLURM_JOB_NUM_NODES": str(len(shares)),
        "SLURM_JOB_PARTITION": allocation.partition,
        "SLURM_JOB_UID": str(facts.uid),
        "SLURM_JOB_USER": facts.user,
        "SLURM_LOCALID": "0",
        "SLURM_NNODES": str(len(shares)),
        "SLURM_NODEID": "0",
        "SLURM_NODELIST": nodes,
        "SLURM_NODE_ALIASES": "(null)",
        "SLURM_PRIO_PROCESS": "0",
        "SLURM_PROCID": "0",
        "SLURM_SUBMIT_DIR": facts.submit_dir,
        "SLURM_SUBMIT_HOST": facts.host,
        "SLURM_TASKS_PER_NODE": counts(share.tasks for share in shares),
        "SLURM_TOPOLOGY_ADDR": first.node,
        "SLURM_TOPOLOGY_ADDR_PATTERN": "node",
        "SLURM_WORKING_CLUSTER": f"{facts.machine.name}:{facts.host}:6817:9728:109",
        "TMPDIR": "/tmp",  # noqa: S108  (what Slurm sets)
    }


def _of_array(array: Array | None) -> dict[str, str]:
    if array is None:
        return {}
    return {
        "SLURM_ARRAY_JOB_ID": str(array.job),
        "SLURM_ARRAY_TASK_COUNT": str(array.count),
        "SLURM_ARRAY_TASK_ID": str(array.task),
        "SLURM_ARRAY_TASK_MAX": str(array.most),
        "SLURM_ARRAY_TASK_MIN": str(array.least),
        "SLURM_ARRAY_TASK_STEP": str(array.step),
    }


def _exported(facts: Facts) -> dict[str, str]:
    """What `--export` lets through of the submitting shell's environment."""
    shell = {k: v for k, v in facts.submitted.shell.items() if k not in _DROPPED}
    words = facts.submitted.options.get("export", "ALL").split(",")
    return exported(shell, words, kept=("PATH", "HOME", "USER", "LOGNAME", "SHELL"))


def exported(
    shell: Mapping[str, str], words: list[str], kept: tuple[str, ...] = ()
) -> dict[str, str]:
    """What a list such as `ALL,NAME=VALUE`, `NONE` or `NAME` lets through.

    Args:
        shell: the environment.
        words: the list.
        kept: what a login shell sets anyway.
    """
    whole = words[0].upper() == "ALL" or words == [""]
    found = dict(shell) if whole else {n: v for n, v in shell.items() if n in kept}
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            found[name] = value
        elif name in shell:
            found[name] = shell[name]
    return found


def _memory(allocation: Allocation) -> dict[str, str]:
    kind, size = allocation.request.memory or ("mem-per-cpu", 2000)
    names = {"mem": "NODE", "mem-per-cpu": "CPU", "mem-per-gpu": "GPU"}
    return {f"SLURM_MEM_PER_{names[kind]}": str(size)} if size else {}


def _of_tasks(allocation: Allocation) -> dict[str, str]:
    if allocation.tasks is None:
        return {}
    return {"SLURM_NTASKS": str(allocation.tasks), "SLURM_NPROCS": str(allocation.tasks)}


def _of_gpus(allocation: Allocation) -> dict[str, str]:
    held = allocation.shares[0].gpus_held
    if not held:
        return {}
    ids = indices(range(held))
    return {"CUDA_VISIBLE_DEVICES": ids, "SLURM_JOB_GPUS": ids, "SLURM_GPUS_ON_NODE": str(held)}


def _partitions(allocation: Allocation) -> str:
    """All partitions that the job named, that in which it runs in front."""
    asked = allocation.request.partitions
    return ",".join(sorted(asked, key=lambda name: name != allocation.partition))


# --- tasks ---------------------------------------------------------------------------------------

_OF_ONE = ("SLURM_GTIDS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_STEP_GPUS",
           "CUDA_VISIBLE_DEVICES", "SLURM_GPUS_ON_NODE", "SLURM_TASK_PID")  # fmt: skip


def step_variables(
    facts: Facts, allocation: Allocation, step: Step, shell: Mapping[str, str]
) -> dict[str, str]:
    """What all tasks of a step share.

    Args:
        facts: the job.
        allocation: what the job has.
        step: the step.
        shell: the environment of srun.
    """
    nodes, tasks = compress(step.nodes), counts(step.tasks_per_node)
    found = {**shell, "SRUN_DEBUG": "3"}
    for name in _OF_ONE:
        found.pop(name, None)
    found |= {
        "SLURM_JOB_PARTITION": _partitions(allocation),
        "SLURM_JOB_NAME": step.name or shell.get("SLURM_JOB_NAME", facts.submitted.job_name),
        "SLURM_NTASKS": str(step.total),
        "SLURM_NPROCS": str(step.total),
        "SLURM_NNODES": str(len(step.nodes)),
        "SLURM_TASKS_PER_NODE": tasks,
        "SLURM_DISTRIBUTION": step.distribution,
        "SLURM_UMASK": f"{facts.umask:04o}",
        "SLURM_JOB_CPUS_PER_NODE_PACK_GROUP_0": counts(s.cores for s in allocation.shares),
        "SLURM_STEPID": str(step.number),
        "SLURM_STEP_ID": str(step.number),
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_NUM_NODES": str(len(step.nodes)),
        "SLURM_STEP_NUM_TASKS": str(step.total),
        "SLURM_STEP_TASKS_PER_NODE": tasks,
        "SLURM_STEP_LAUNCHER_PORT": "45000",
        "SLURM_SRUN_COMM_HOST": "10.0.0.1",
        "SLURM_SRUN_COMM_PORT": "45001",
        "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.1",
    }
    if "SLURM_NTASKS_PER_GPU" in found:
        found["SLURM_NTASKS_PER_TRES"] = found["SLURM_NTASKS_PER_GPU"]
    found |= step.variables
    if step.export is not None:
        own = {n: v for n, v in found.items() if n.startswith("SLURM") or n == "TMPDIR"}
        words = step.export.split(",")
        found = (
            {**exported(found, words), **own}
            if words[0].upper() != "ALL"
            else exported(found, words)
        )
    return found


def task_variables(step: Step, task: Task, shared: Mapping[str, str]) -> dict[str, str]:
    """The environment of one task, `shared` by all of its step included."""
    cores = step.cores_on_node[task.node_index]
    found = {
        **shared,
        "SLURMD_NODENAME": task.node,
        "SLURM_CPUS_ON_NODE": str(cores),
        "SLURM_GTIDS": indices(step.ranks_on_node(task.node_index)),
        "SLURM_LOCALID": str(task.local),
        "SLURM_NODEID": str(task.node_index),
        "SLURM_PROCID": str(task.rank),
        "SLURM_TASK_PID": str(10_000 + task.rank),
        "SLURM_TOPOLOGY_ADDR": task.node,
    }
    gpus = step.gpus_on_node[task.node_index]
    if gpus:
        found["SLURM_GPUS_ON_NODE"] = str(gpus)
    bind = step.bind_on_node(task.node_index)
    if bind:
        found["SLURMD_TRES_BIND"] = f"gpu:{bind}"
    if task.gpus:
        found["CUDA_VISIBLE_DEVICES"] = found["SLURM_STEP_GPUS"] = indices(task.gpus)
    return found


def shown_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Of an environment what evidence keeps: what says something of the job."""
    heads = ("SLURM", "SRUN_", "MASTER_")
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
    return {n: v for n, v in environment.items() if n.startswith(heads) or n in names}


def current_user() -> tuple[str, int, int]:
    """Name, user id and group id of whoever runs this."""
    name = os.environ.get("USER") or os.environ.get("LOGNAME") or "student"
    return name, os.getuid(), os.getgid()
