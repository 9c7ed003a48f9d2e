"""Activation checkpointing: a module's activations are computed again in backward, not kept.

A third more to compute, for memory: of each such module forward keeps its input alone.
Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost.

It replaces `forward` of the module and nothing else, so names of parameters stay, and FSDP, whose
hooks lie around `forward`, gathers a unit once for what is computed again and for its gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from torch.utils.checkpoint import checkpoint

from reference.refusals import RefusalError

if TYPE_CHECKING:
    from torch import nn


def recompute(network: nn.Module, classes: Sequence[type[nn.Module]]) -> None:
    """Have each module of `classes` in `network` compute its forward again in backward.

    Raises:
        RefusalError: a class has no module in the network.
    """
    for cls in classes:
        found = [module for module in network.modules() if isinstance(module, cls)]
        if not found:
            there = sorted({type(module).__name__ for module in network.modules()})
            raise RefusalError(
                f"no {cls.__name__} is in the network, so none can be computed again in backward",
                f"--activation_checkpointing with some of {', '.join(there)}",
            )
        for module in found:
            _recompute(module)


def _recompute(module: nn.Module) -> None:
    forward = module.forward

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _kept_statistics(module)

    def twice(*inputs: Any, **named: Any) -> Any:
        return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts, **named)

    module.forward = twice


@contextmanager
def _kept_statistics(module: nn.Module) -> Iterator[None]:
    """Leave running statistics alone: the first forward has counted this batch already."""
    norms: list[Any] = [m for m in module.modules() if getattr(m, "track_running_stats", False)]
    before = [(norm.momentum, norm.num_batches_tracked.clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # the share of a new batch
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)
