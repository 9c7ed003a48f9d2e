"""What lab 4 says of the memory that sharding saves, shown on ranks that do not exist."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.plugins.precision import FSDPPrecision
from lightning.pytorch.strategies import (
    FSDPStrategy,
)
from torch import nn
from torch.distributed.fsdp import (
    FullyShardedDataParallel,
    fully_shard,
)
from torch.distributed.tensor import DTensor

from litcourse.models import TransformerClassifier
from litcourse.sharding import (
    KeptForBackward,
)
from tests.claims.lessons import as_rank_0, two_layers


def shards_of_grad_op() -> dict[str, str]:
    """Of SHARD_GRAD_OP under `bf16-mixed`: weights in forward, weights and gradients after it."""
    seen: dict[str, str] = {}
    network = two_layers()
    network[0].register_forward_hook(lambda layer, *_: seen.update(whole=str(layer.weight.dtype)))
    strategy = FSDPStrategy(auto_wrap_policy={nn.Linear}, sharding_strategy="SHARD_GRAD_OP")
    strategy.precision_plugin = FSDPPrecision("bf16-mixed")
    model = FullyShardedDataParallel(
        network,
        device_id=torch.device("cpu"),
        mixed_precision=strategy.mixed_precision_config,
        sharding_strategy=strategy.sharding_strategy,
        **strategy.kwargs,
    )
    model(torch.ones(1, 8)).float().sum().backward()
    gradient = next(p.grad for p in model.parameters() if p.grad is not None)
    return {
        **seen,
        "shards": str(next(model.parameters()).dtype),
        "gradients": str(gradient.dtype),
    }


def test_what_shard_grad_op_holds() -> None:
    """FSDP1 keeps 32-bit shards of weights and gradients beside the whole 16-bit weights."""
    assert as_rank_0(shards_of_grad_op) == {
        "whole": "torch.bfloat16",
        "shards": "torch.float32",
        "gradients": "torch.float32",
    }


def kept_for_backward(device: str, tokens: int) -> int:
    with torch.device(device):
        network = TransformerClassifier(vocab=16, dim=64, heads=2, depth=1, classes=2)
        text = torch.zeros(1, tokens, dtype=torch.int64)
    with KeptForBackward(network) as kept:
        network(text)
    return kept.bytes


def test_activations_on_meta() -> None:
    """On "meta" torch computes attention step by step, and keeps a number for each pair of tokens.
    The fused kernels of CPUs and GPUs keep none of these.
    """
    for tokens in (256, 512):
        pairs = 2 * tokens**2 * 4  # of two heads, in 32 bits
        assert kept_for_backward("meta", tokens) - kept_for_backward("cpu", tokens) >= 0.9 * pairs
        assert kept_for_backward("cpu", 2 * tokens) < 2.1 * kept_for_backward("cpu", tokens)


def test_bytes_as_a_float() -> None:
    """A division with / gives a float, which may hold a part of a byte."""
    assert not (14 * 10**12 / 3).is_integer()
    assert float(16 * 10**12 - 1) == 16 * 10**12 - 1  # of a whole number no digit is lost


def whole_and_sharded() -> dict[str, str]:
    """Parameters that are whole in the last layer's forward, and moments of Adam on this rank."""
    found = {}
    for name, units in (("root", 0), ("layers", 2)):
        model, whole = two_layers(), []  # type: nn.Sequential, list[int]

        def note(*_: Any, model: nn.Module = model, whole: list[int] = whole) -> None:
            whole.append(sum(p.numel() for p in model.parameters() if not isinstance(p, DTensor)))

        for layer in list(model)[:units]:
            fully_shard(layer)
        fully_shard(model)
        model[1].register_forward_pre_hook(note)
        optimizer = torch.optim.Adam(model.parameters())
        model(torch.ones(2, 8)).sum().backward()
        optimizer.step()
        moments = sum(state["exp_avg"].to_local().numel() for state in optimizer.state.values())
        found[name] = f"{whole[0]} whole, {moments} moments"
    return found


def test_the_root_alone() -> None:
    """Weights and gradients are whole at once, as under DDP; only the optimizer's state stays
    sharded.
    """
    assert as_rank_0(whole_and_sharded) == {
        "root": "144 whole, 18 moments",
        "layers": "72 whole, 18 moments",
    }
