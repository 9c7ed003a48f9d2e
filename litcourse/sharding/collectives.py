"""Counts the collectives that this rank calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import lightning as L
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from litcourse.probing.private_names import find_private
from litcourse.sharding.sharding_error import ShardingError

_MODE = "torch.utils._python_dispatch.TorchDispatchMode"
_Mode: Any = find_private(_MODE, ShardingError)
_NAMESPACES = {"c10d", "_c10d_functional"}
KINDS = {
    "allgather": "gather",
    "all_gather": "gather",
    "reduce_scatter": "scatter",
    "allreduce": "reduce",
    "all_reduce": "reduce",
}
"""Kinds of collectives, by a part of the operator's name; everything else is "other"."""


@dataclass(frozen=True)
class Collective:
    """One call.

    Args:
        kind: "gather", "scatter", "reduce" or "other".
        bytes: size of its largest tensor: the whole of which the ranks hold shards.
        part: size of its smallest one: what this rank gives to an all-gather.
    """

    kind: str
    bytes: int
    part: int


class CollectiveCounter(_Mode):  # type: ignore[misc]  # found at run time
    """A context that records each collective in `calls`, those of backward too.

    Raises:
        ShardingError: operators do not pass through it any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Collective] = []
        self._operators = 0

    def __enter__(self) -> Self:
        """Count from now on."""
        super().__enter__()
        before = self._operators
        torch.zeros(1)
        if self._operators == before:
            super().__exit__(None, None, None)
            raise ShardingError(_MODE, "sees no operator")
        return self

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Record `func` if it is a collective, and call it."""
        del types
        self._operators += 1
        namespace, name, *_ = str(func).split(".")
        if namespace in _NAMESPACES and name != "wait_tensor":
            kind = next((k for part, k in KINDS.items() if part in name), "other")
            sizes = [0, *_sizes(args)]
            self.calls.append(Collective(kind, max(sizes), min(sizes[1:], default=0)))
        return func(*args, **(kwargs or {}))


def count_kinds(calls: Sequence[Collective]) -> dict[str, int]:
    """Number of collectives by kind: "gather", "scatter", "reduce" and "other"."""
    kinds = [call.kind for call in calls]
    return {kind: kinds.count(kind) for kind in ("gather", "scatter", "reduce", "other")}


def _sizes(arguments: Sequence[Any]) -> list[int]:
    tensors = [leaf for leaf in tree_leaves(list(arguments)) if isinstance(leaf, Tensor)]
    return [tensor.numel() * tensor.element_size() for tensor in tensors]


@dataclass(frozen=True)
class Step:
    """The collectives of one training step, in order.

    Args:
        forward: those before backward.
        backward: all others.
    """

    forward: list[Collective]
    backward: list[Collective]


class StepCollectives(L.Callback):
    """Records the collectives of each training step in `steps`.

    A CPU runs backward in the thread that called it, so the counter sees that too.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._forward = 0

    def on_train_batch_start(self, *_: Any) -> None:
        """Begin to count."""
        self._counter = CollectiveCounter().__enter__()

    def on_before_backward(self, *_: Any) -> None:
        """Forward is over."""
        self._forward = len(self._counter.calls)

    def on_train_batch_end(self, *_: Any) -> None:
        """End of the step."""
        self._counter.__exit__(None, None, None)
        calls = self._counter.calls
        self.steps.append(Step(calls[: self._forward], calls[self._forward :]))
