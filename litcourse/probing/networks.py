"""Draws networks and batches at check time, as plain values for probe and judge.

A network is a list of layers, such as `["linear", 12, 30]`, and a state. Probe and judge build it
from the same values, so both train the same weights.
"""

from __future__ import annotations

from random import Random
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from litcourse.core.evidence import have_same_keys
from litcourse.core.tree import Tree

CLASSES = 10
_Network = TypeVar("_Network", bound=nn.Module)
_LAYERS: dict[str, type[nn.Module]] = {
    "flatten": nn.Flatten,
    "linear": nn.Linear,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "dropout": nn.Dropout,
    "norm": nn.BatchNorm1d,
    "conv": nn.Conv2d,
    "norm2d": nn.BatchNorm2d,
    "pool": nn.MaxPool2d,
}


def build_network(network: dict[str, Tree]) -> nn.Sequential:
    """The network that `network["layers"]` lists, with the "state" and "frozen" layers if given."""
    layers = [_LAYERS[name](*arguments) for name, *arguments in network["layers"]]
    model = nn.Sequential(*layers)
    if "state" in network:
        model.load_state_dict(network["state"])
    for index in network.get("frozen", []):
        model[index].requires_grad_(requires_grad=False)
    return model


def with_weights(model: _Network, weights: dict[str, Tensor]) -> _Network | None:
    """`model` in eval mode with untrusted `weights`; None if their names or shapes don't fit."""
    right = model.state_dict()
    if not have_same_keys(weights, right):
        return None
    if any(weights[k].shape != right[k].shape or weights[k].is_complex() for k in right):
        return None
    model.load_state_dict(weights)
    return model.eval()


def make_generator(rng: Random) -> torch.Generator:
    """A torch generator seeded from `rng`."""
    return torch.Generator().manual_seed(rng.getrandbits(62))


def draw_batch(rng: Random, size: int, shape: tuple[int, ...]) -> list[Tensor]:
    """Images `(size, *shape)` float32 and labels `(size,)` int64 of ten classes."""
    source = make_generator(rng)
    images = torch.randn(size, *shape, generator=source)
    return [images, torch.randint(CLASSES, (size,), generator=source)]


def draw_state(network: dict[str, Tree], rng: Random) -> dict[str, Tree]:
    """`network` with a drawn state.

    Biases have unit scale, so that weight decay shows in one step; running variances lie between
    0.5 and 1.5.
    """
    source = make_generator(rng)
    state = build_network(network).state_dict()
    for name, value in state.items():
        if not value.is_floating_point():
            continue
        noise = torch.randn(value.shape, generator=source)
        fan_in = value[0].numel() if value.dim() > 1 else 1
        state[name] = noise / fan_in**0.5
        if name.endswith("running_var"):
            state[name] = 0.5 + torch.rand(value.shape, generator=source)
    return {**network, "state": dict(state)}


def draw_networks(rng: Random, side: int) -> dict[str, dict[str, Tree]]:
    """One network of each kind for images `(1, side, side)`, with drawn widths and depths.

    The convolution has no bias: a norm follows, so the bias's gradient would be rounding error.
    """
    inputs, width = side * side, rng.randrange(18, 40)
    other = rng.randrange(9, 17)
    act = rng.choice(["relu", "tanh", "gelu"])
    share = rng.choice([0.3, 0.4, 0.5])
    head: list[Any] = ["linear", width, CLASSES]
    first: list[Any] = [["flatten"], ["linear", inputs, width]]
    deep = [item for _ in range(rng.randrange(1, 3)) for item in (["linear", width, width], [act])]
    after_pool = other * (side // 2) ** 2
    plans: dict[str, dict[str, Tree]] = {
        "deep": {"layers": [*first, [act], *deep, head]},
        "dropout": {"layers": [*first, [act], ["dropout", share], head]},
        "frozen": {"layers": [*first, [act], head], "frozen": [1]},
        "conv": {
            "layers": [
                ["conv", 1, other, 3, 1, 1, 1, 1, False],
                ["norm2d", other],
                ["relu"],
                ["pool", 2],
                ["flatten"],
                ["linear", after_pool, CLASSES],
            ]
        },
    }
    return {kind: draw_state(plan, rng) for kind, plan in plans.items()}
