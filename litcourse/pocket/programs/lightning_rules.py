"""What Lightning 2.6 makes of a process in a Slurm job: its rank, or its words of refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """Where Lightning puts a process.

    `rank` and `world` count processes; `device` is a GPU's index among those that the process
    sees, None on a CPU. `error` names an exception, with its text; then nothing else counts.
    """

    slurm: bool
    world: int = 1
    rank: int = 0
    local: int = 0
    address: str = ""
    device: int | None = None
    error: str = ""
    text: str = ""


def _refusal(error: str, text: str) -> Placement:
    return Placement(slurm=True, error=error, text=text)


def lightning_under_slurm(
    environment: Mapping[str, str], devices: int | None, nodes: int, gpus: int
) -> Placement:
    """What `Trainer(devices=..., num_nodes=...)` resolves to.

    Args:
        environment: the variables of the process.
        devices: the argument; None for "auto".
        nodes: the argument.
        gpus: how many GPUs the process sees.
    """
    try:
        return _place(environment, devices, nodes, gpus)
    except ValueError as error:  # a variable that is no number
        return _refusal("ValueError", str(error))
    except KeyError as error:  # a variable that a script has removed
        return _refusal("KeyError", str(error))


def _place(  # noqa: PLR0911  (one return for each thing that Lightning says)
    environment: Mapping[str, str], devices: int | None, nodes: int, gpus: int
) -> Placement:
    wanted = devices if devices is not None else max(gpus, 1)
    if wanted > gpus > 0:
        seen = list(range(gpus))
        what = f"You requested gpu: {list(range(wanted))}\n But your machine only has: {seen}"
        return _refusal("MisconfigurationException", what)
    tasks, name = environment.get("SLURM_NTASKS"), environment.get("SLURM_JOB_NAME")
    if tasks is None or name in {"bash", "interactive"}:
        device = 0 if gpus else None
        address = environment.get("MASTER_ADDR", "127.0.0.1")
        return Placement(slurm=False, world=wanted * nodes, address=address, device=device)
    per_node = environment.get("SLURM_NTASKS_PER_NODE")
    if int(tasks) > 1 and per_node is None:
        hint = f"`--ntasks-per-node={tasks}`"
        return _refusal("RuntimeError", _NTASKS.format(tasks=tasks, hint=hint))
    local, rank = int(environment["SLURM_LOCALID"]), int(environment["SLURM_PROCID"])
    if per_node is not None and int(per_node) != wanted:
        return _refusal("ValueError", _DEVICES.format(devices=wanted, per_node=per_node))
    if int(environment.get("SLURM_NNODES", nodes)) != nodes:
        have = environment["SLURM_NNODES"]
        return _refusal("ValueError", _NODES.format(nodes=nodes, have=have))
    if gpus and local >= wanted:
        return _refusal("IndexError", "list index out of range")
    address = environment.get("MASTER_ADDR") or _first_host(environment.get("SLURM_NODELIST", ""))
    device = local if gpus else None
    return Placement(
        slurm=True, world=int(tasks), rank=rank, local=local, address=address, device=device
    )


def port(environment: Mapping[str, str]) -> str:
    """Where the ranks of a job meet, at the address of rank 0: `SLURMEnvironment.main_port`."""
    digits = environment.get("SLURM_JOB_ID", "")[-4:]
    made = 15000 + int(digits) if digits.isdecimal() else 12910
    return environment.get("MASTER_PORT", str(made))


def _first_host(nodes: str) -> str:
    """The first node of a list such as `n[5-6]`, as Lightning reads it; the list may be long."""
    first = re.sub(r"\[(\w+)[^\]]*\]", r"\1", nodes, count=1).partition(",")[0]
    return re.sub(r"\(.*", "", first) or "127.0.0.1"


_NTASKS = (
    "You set `--ntasks={tasks}` in your SLURM bash script, but this variable is not supported. "
    "HINT: Use {hint} instead."
)
_DEVICES = (
    "You set `devices={devices}` in Lightning, but the number of tasks per node configured in "
    "SLURM `--ntasks-per-node={per_node}` does not match. HINT: Set `devices={per_node}`."
)
_NODES = (
    "You set `num_nodes={nodes}` in Lightning, but the number of nodes configured in SLURM "
    "`--nodes={have}` does not match. HINT: Set `num_nodes={have}`."
)
