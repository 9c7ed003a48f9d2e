"""Networks to shard, some of which no student has seen, as plain values for probe and judge.

A network is a list: its kind and the arguments of its class. Probe and judge build it from the
same values.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import Any

import lightning as L
import torch
from torch import nn

from litcourse.models import Block, Head, ResNet, TransformerClassifier

Spec = list[Any]
"""A kind of network and the arguments of its class."""


class Holder(L.LightningModule):
    """Keeps the network as `self.model`, as every module of the course does."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


class Towers(nn.Module):
    """Two stacks of blocks side by side, heads of three sizes, a linear layer above a block's size.

    Nobody calls it: policies decide by modules and counts alone.
    """

    def __init__(self, dim: int, heads: int, depth: int, outputs: list[int]) -> None:
        super().__init__()
        stack = {name: [Block(dim, heads) for _ in range(depth)] for name in ("text", "image")}
        self.towers = nn.ModuleDict({name: nn.Sequential(*part) for name, part in stack.items()})
        self.norm = nn.LayerNorm(dim)
        self.wide = nn.Linear(dim, 16 * dim)
        self.exits = nn.ModuleList(Head(dim, number) for number in outputs)


class Mixed(nn.Module):
    """Blocks of ours deep inside, beside torch's own encoder layer."""

    def __init__(self, dim: int, heads: int, vocab: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab, dim)
        self.stem = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim))
        self.encoder = nn.TransformerEncoderLayer(dim, heads, 4 * dim, batch_first=True)
        self.body = nn.Module()
        self.body.first = Block(dim, heads)
        self.body.inner = nn.Sequential(nn.Identity(), Block(dim, heads))
        self.classify = Head(dim, 3)
        self.out = nn.Linear(dim, 7)


_KINDS: dict[str, Callable[..., nn.Module]] = {
    "transformer": TransformerClassifier,
    "towers": Towers,
    "mixed": Mixed,
    "resnet": ResNet,
}


def build(spec: Spec) -> nn.Module:
    """The network that `spec` describes."""
    kind, *arguments = spec
    return _KINDS[kind](*arguments)


def held_on_meta(spec: Spec) -> Holder:
    """The network in its `Holder`, without memory for its parameters; not to be changed."""
    return _held_on_meta(repr(spec))


def parts_of(spec: Spec) -> dict[str, nn.Module]:
    """The modules of the network in its `Holder`, by name; not to be changed."""
    return _parts(repr(spec))


@lru_cache(maxsize=64)
def _held_on_meta(spec: str) -> Holder:
    with torch.device("meta"):
        return Holder(build(ast.literal_eval(spec)))


@lru_cache(maxsize=64)
def _parts(spec: str) -> dict[str, nn.Module]:
    return dict(_held_on_meta(spec).named_modules())


def size(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def draw_specs(rng: Random) -> dict[str, Spec]:
    """A deep transformer, a tied one, towers, a mixed network and a ResNet, by name.

    Sizes are drawn: of the tied one the vocabulary is large, of the towers a head.
    """
    heads = rng.choice([2, 4])
    dim = heads * rng.choice([3, 4, 5])

    classes = rng.sample(range(3, 30), 2)
    deep, few = rng.randrange(9, 13), rng.randrange(2, 5)
    vocab, large = rng.randrange(15, 40), rng.randrange(20_000, 60_000)
    outputs = [rng.randrange(2, 6), rng.randrange(40, 60), rng.randrange(20_000, 60_000)]
    return {
        "plain": ["transformer", vocab, dim, heads, deep, classes[0], False],
        "tied": ["transformer", large, dim, heads, few, classes[1], True],
        "towers": ["towers", dim, heads, rng.randrange(2, 4), outputs],
        "mixed": ["mixed", dim, heads, rng.randrange(15, 40)],
        "resnet": ["resnet", [1, 1], 4],
    }


def format_network(name: str, spec: Spec) -> str:
    """The network in a few words, for findings."""
    words = {
        "plain": "a TransformerClassifier",
        "tied": "a tied TransformerClassifier",
        "towers": "a network of two towers of blocks",
        "mixed": "a network of blocks beside torch's encoder layer",
        "resnet": "a ResNet",
    }
    return f"{words[name]} of {size(held_on_meta(spec)):,} parameters"
