"""The course's cluster: its nodes and partitions, and Slurm's way to write lists of nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

VERSION = "22.05"
"""The Slurm whose answers the pocket gives."""


@dataclass(frozen=True)
class Partition:
    """A partition of a cluster."""

    name: str
    nodes: int
    """How many nodes it has, from the first on."""
    most_nodes: int
    """Nodes that one job may have at most."""
    most_minutes: int
    default_minutes: int = 10


@dataclass(frozen=True)
class Machine:
    """A cluster of equal nodes, n1, n2, ..."""

    nodes: int = 16
    cores: int = 64
    memory: int = 512_000
    """MB of a node."""
    gpus: int = 8
    gpu_type: str = "a100"
    memory_per_core: int = 2000
    """MB, where a job asks for none."""
    partitions: tuple[Partition, ...] = (
        Partition("gpu", 16, 8, 24 * 60),
        Partition("debug", 2, 2, 30),
    )
    name: str = "course"
    may_requeue: bool = False
    """Whether jobs may be requeued that do not say so."""

    def partition(self, name: str) -> Partition | None:
        """The partition of that name."""
        return next((part for part in self.partitions if part.name == name), None)

    def first_partition(self, asked: Sequence[str], nodes: Sequence[str], minutes: int) -> str:
        """The partition in which a job runs: the first of those asked for that allows it."""
        for name in asked:
            part = self.partition(name)
            few = part and len(nodes) <= part.most_nodes and minutes <= part.most_minutes
            if part and few and set(nodes) <= set(self.node_names()[: part.nodes]):
                return name
        return asked[0]

    def node_names(self) -> list[str]:
        """All nodes, in order."""
        return [f"n{number}" for number in range(1, self.nodes + 1)]


COURSE = Machine()
"""The cluster of the lesson."""


# --- lists of nodes ------------------------------------------------------------------------------


def expand(text: str) -> list[str]:
    """The nodes that a list such as `n[1-3,5]` or `n1,n4` names, in its order."""
    found: list[str] = []
    for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", text):
        match = re.fullmatch(r"([^\[\]]*)\[([^\]]*)\](.*)", part)
        found += _ranges(*match.groups()) if match else [part]
    return found


def _ranges(head: str, ranges: str, tail: str) -> list[str]:
    found = []
    for item in ranges.split(","):
        first, _, last = item.partition("-")
        numbers = range(int(first), int(last or first) + 1)
        found += [f"{head}{number:0{len(first)}d}{tail}" for number in numbers]
    return found


def compress(nodes: Sequence[str]) -> str:
    """Slurm's short form of a list of nodes: `n[1-3,5]`."""
    if len(nodes) == 1:
        return nodes[0]
    numbers = [int(node.removeprefix("n")) for node in nodes]
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return f"n[{','.join(texts)}]"


def address_of(node: str) -> str:
    """The address of a node."""
    return f"10.0.0.{node.removeprefix('n')}"


def node_of(address: str) -> str:
    """The node that has an address, or is named so."""
    return f"n{address.rpartition('.')[2]}" if address.startswith("10.0.0.") else address


def counts(values: Iterable[int]) -> str:
    """Slurm's short form of numbers per node: `4(x2),1`."""
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1][1] += 1
        else:
            runs.append([value, 1])
    return ",".join(f"{value}(x{times})" if times > 1 else f"{value}" for value, times in runs)


def indices(values: Iterable[int]) -> str:
    """GPUs as CUDA_VISIBLE_DEVICES names them: `0,1,2`."""
    return ",".join(map(str, values))
