"""Where Lightning puts the processes that run `train.py`: derived from what they saw."""

from __future__ import annotations

from dataclasses import dataclass

from litcourse.labs.lab5_slurm._submitted import Seen, Submitted
from litcourse.pocket import Placement, lightning_under_slurm
from litcourse.pocket.machine import node_of
from litcourse.pocket.programs.training import read_arguments


@dataclass(frozen=True)
class Placed:
    """A process, and where Lightning puts it.

    Args:
        place: rank and world, or Lightning's words of refusal.
        gpu: the GPU's number on its node; None on the CPU.
        devices: its `--devices`, as text.
        num_nodes: its `--num_nodes`.
        workers: its `--num_workers`.
        run_dir: its `--run_dir`.
        misread: what argparse says to wrong arguments, or "".
    """

    seen: Seen
    place: Placement
    gpu: int | None = None
    devices: str = "1"
    num_nodes: int = 1
    workers: int = 0
    run_dir: str = "runs"
    misread: str = ""

    @property
    def meets_at(self) -> str:
        """The node at which it looks for rank 0; its own for an address of the machine itself."""
        local = self.place.address in {"localhost", "127.0.0.1", "::1"}
        return self.seen.host if local else node_of(self.place.address)


def place_all(job: Submitted, restart: int = 0) -> list[Placed]:
    """Every process of a run that is `train.py`, placed."""
    held = {share.node: share.gpus for share in job.shares}
    return [_place(one, held.get(one.host, _most(held))) for one in job.training(restart)]


def _most(held: dict[str, int]) -> int:
    """GPUs on a node of an earlier run, whose allocation is not kept: all nodes are alike."""
    return max(held.values(), default=0)


def _place(seen: Seen, held: int) -> Placed:
    found = read_arguments(seen.arguments)
    if isinstance(found, str):
        return Placed(seen, Placement(slurm=False, error="argparse"), misread=found)
    visible = _visible(seen, held)
    place = lightning_under_slurm(seen.environment, found.devices, found.num_nodes, len(visible))
    gpu = None if place.device is None or place.error else visible[place.device]
    devices = "auto" if found.devices is None else str(found.devices)
    return Placed(seen, place, gpu, devices, found.num_nodes, found.num_workers, found.run_dir)


def _visible(seen: Seen, held: int) -> list[int]:
    """The GPUs that a process sees, as numbers on its node."""
    named = seen.environment.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return list(range(held))
    numbers = [int(text) for text in named.split(",") if text.isdigit()]
    return [number for number in numbers if number < held]
