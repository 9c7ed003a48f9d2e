"""The plain torch loop with which `wrap` is compared, and the same loop with common mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from litcourse.core.comparison import distance
from litcourse.probing.networks import build_network
from litcourse.probing.trainers import copy_tensors

STEPS = 3
"""Optimizer steps of each training."""
# Float32 sums differ in their last digits with the number of threads. Adam divides by the
# gradient's size, so its steps are compared per tensor, by norm.
LOSS_TOLERANCE = 1e-4
GRADIENT_TOLERANCE = 1e-3
STEP_TOLERANCE = 3e-3


def plain_loop(case: dict[str, Any], **change: Any) -> dict[str, Any]:
    """The same steps in plain torch; `change` puts one mistake into them.

    Args:
        case: a drawn case.
        change: `loss` (a function of logits and labels), `optimizer` (a function of
            parameters and lr), `mode` ("eval" switches dropout and batch norm).

    Returns:
        "losses" of all steps, "gradients" of the first step, "weights" after the last.
    """
    model = build_network(case["network"]).train(change.get("mode") != "eval")
    loss_of: Callable[..., Tensor] = change.get("loss", F.cross_entropy)
    optimizer = change.get("optimizer", lambda p, lr: torch.optim.Adam(p, lr=lr))(
        [p for p in model.parameters() if p.requires_grad], case["lr"]
    )
    losses: list[float] = []
    gradients: dict[str, Tensor] = {}
    for images, labels in case["batches"]:
        torch.default_generator.manual_seed(case["seed"])
        loss = loss_of(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        gradients = gradients or copy_tensors(grads)
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "gradients": gradients, "weights": copy_tensors(model.state_dict())}


OTHER_LOSSES: dict[str, dict[str, Any]] = {
    "LIT111": {"loss": lambda z, y: F.cross_entropy(z.softmax(1), y)},
    "LIT112": {"loss": lambda z, y: F.cross_entropy(z, y, reduction="sum")},
    "LIT113": {"loss": F.nll_loss},
    "LIT114": {"loss": lambda z, y: F.mse_loss(z, F.one_hot(y, z.shape[1]).to(z))},
    "LIT116": {"mode": "eval"},
}


OTHER_OPTIMIZERS: dict[str, Callable[[Any, float], torch.optim.Optimizer]] = {
    "LIT131": lambda p, _: torch.optim.Adam(p),
    "LIT132": lambda p, lr: torch.optim.AdamW(p, lr=lr),
    "LIT133": lambda p, lr: torch.optim.SGD(p, lr=lr),
}


_OPTIMIZER_NAMES = {
    "LIT131": "those of Adam with its own learning rate, 0.001",
    "LIT132": "those of AdamW",
    "LIT133": "those of SGD",
}


def first_loss(case: dict[str, Any], **change: Any) -> float:
    """The first loss of `plain_loop`, without the steps."""
    model = build_network(case["network"]).train(change.get("mode") != "eval")
    images, labels = case["batches"][0]
    torch.default_generator.manual_seed(case["seed"])
    with torch.no_grad():
        return float(change.get("loss", F.cross_entropy)(model(images), labels))


def near(loss: float, right: float) -> bool:
    return abs(loss - right) <= LOSS_TOLERANCE * max(1.0, abs(right))


def which_weights(
    case: dict[str, Any], seen: dict[str, Tensor], right: dict[str, Tensor]
) -> tuple[str, str]:
    start = case["network"]["state"]
    if any(n not in seen or seen[n].shape != right[n].shape for n in right):
        return "LIT139", "a network of other tensors"
    moved = [n for n in right if distance(right[n], start[n]) > 0]
    unmoved = [n for n in moved if n in seen and distance(seen[n], start[n]) == 0]
    if unmoved and len(unmoved) < len(moved):
        return "LIT136", "weights that never move: " + ", ".join(unmoved)
    if len(unmoved) == len(moved):
        return "LIT137", "no weight moved, although the optimizer stepped"
    if any("num_batches" in n and distance(seen[n], right[n]) > 0 for n in right):
        return "LIT138", "weights and statistics of a network that ran more than once per step"
    for code, optimizer in OTHER_OPTIMIZERS.items():
        other = plain_loop(case, optimizer=optimizer)["weights"]
        if furthest(other, seen, start)[0] <= STEP_TOLERANCE:
            return code, _OPTIMIZER_NAMES[code]
    return "LIT139", "other weights"


def furthest(
    right: dict[str, Tensor], seen: dict[str, Tensor], start: dict[str, Tensor] | None
) -> tuple[float, str]:
    """The largest relative difference, of changes since `start` if given, and its tensor's name."""
    gaps = {}
    for name, value in right.items():
        base = start[name] if start else torch.zeros_like(value)
        if name not in seen or seen[name].shape != value.shape:
            return float("inf"), name
        if seen[name].is_complex():
            return float("inf"), name
        gaps[name] = distance(seen[name].double() - base.double(), (value - base).double())
    name = max(gaps, key=lambda key: gaps[key], default="")
    return gaps.get(name, 0.0), name
