"""The networks that the labs hand to you: plain torch modules, no Lightning in them.

You wrap these, train them and split them over devices; you never need to write one. Each takes
a batch and returns *logits*, the raw scores that ``torch.nn.functional.cross_entropy`` expects:
there is no softmax at the end.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MLP", "BasicBlock", "Block", "Head", "ResNet", "SmallCNN", "TransformerClassifier"]


class MLP(nn.Module):
    """Fully connected layers with ReLU and dropout between them.

    Each sample is flattened first, so images need no reshaping. With ``hidden=()`` one linear
    layer is left, which makes a baseline.

    Input (N, ...) float with ``in_features`` numbers per sample; output (N, classes) logits.
    """

    def __init__(
        self,
        in_features: int = 784,
        hidden: Sequence[int] = (128,),
        classes: int = 10,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [in_features, *hidden]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(nn.Flatten(), *layers, nn.Linear(widths[-1], classes))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, classes) logits for a batch (N, ...)."""
        logits: Tensor = self.layers(x)
        return logits


class SmallCNN(nn.Module):
    """Three 3x3 convolutions with batch norm, each halving the image and doubling the width.

    Trains in seconds on a laptop. Convolutions have no bias: the batch norm after each has one.

    Input (N, 3, 32, 32) float, or smaller, down to 8x8; output (N, classes) logits.
    """

    def __init__(self, classes: int = 10, width: int = 32) -> None:
        super().__init__()
        widths = [3, width, 2 * width, 4 * width]
        stages: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            stages += [
                nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.features = nn.Sequential(*stages)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, classes) logits for a batch (N, 3, 32, 32)."""
        logits: Tensor = self.head(self.features(x).mean(dim=(2, 3)))
        return logits


class BasicBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to their input.

    Where the shape changes (``stride`` above 1, or another number of channels) the shortcut is
    a 1x1 convolution, else the input itself.

    Input (N, inputs, H, W); output (N, outputs, H / stride, W / stride), rounded up.
    Source: He et al. 2016, Deep Residual Learning for Image Recognition.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features for features (N, inputs, H, W)."""
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """A residual network for small images: stages of ``BasicBlock``, each twice as wide.

    ``blocks`` counts the blocks of each stage; every stage but the first halves the image. The
    stem is one 3x3 convolution without pooling, since 32x32 pixels are few already. The default
    is the usual ResNet-18 for CIFAR10 (11.2 million parameters).

    Input (N, 3, H, W) float; output (N, classes) logits.
    """

    def __init__(
        self, blocks: Sequence[int] = (2, 2, 2, 2), width: int = 64, classes: int = 10
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        stages: list[nn.Module] = []
        inputs = width
        for stage, count in enumerate(blocks):
            outputs = width * 2**stage
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                stages.append(BasicBlock(inputs, outputs, stride))
                inputs = outputs
        self.blocks = nn.Sequential(*stages)
        self.head = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, classes) logits for a batch (N, 3, H, W)."""
        logits: Tensor = self.head(self.blocks(self.stem(x)).mean(dim=(2, 3)))
        return logits


class Block(nn.Module):
    """One transformer layer: self-attention, then a two-layer network, each added to its input.

    The norm comes before each half ("pre-norm"), which trains without a warm-up. Every token
    attends to every other; nothing is masked.

    Input and output (N, T, dim). Raises ``ValueError`` unless ``heads`` divides ``dim``.
    Source: Vaswani et al. 2017, Attention Is All You Need.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            message = f"Block: heads={heads} must divide dim={dim}; choose another of the two."
            raise ValueError(message)
        self.heads = heads
        self.norm1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, T, dim) features for features of the same shape."""
        x = x + self.attention(self.norm1(x))
        features: Tensor = x + self.mlp(self.norm2(x))
        return features

    def attention(self, x: Tensor) -> Tensor:
        """Return multi-head self-attention over the T tokens, (N, T, dim)."""
        split = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        result: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return result


class Head(nn.Module):
    """Norm and linear layer after the last ``Block``, as a class of its own.

    A wrapping policy of FSDP sees one module at a time and decides by its class: it could not
    tell a plain ``nn.Linear`` from the linear layers inside each ``Block``.

    Input (N, dim); output (N, outputs).
    """

    def __init__(self, dim: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.linear = nn.Linear(dim, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs) for pooled features (N, dim)."""
        outputs: Tensor = self.linear(self.norm(x))
        return outputs


class TransformerClassifier(nn.Module):
    """Classifies token sequences: embedding, ``depth`` ``Block``s, mean over tokens, ``Head``.

    With ``tie=True`` the head shares the embedding's weight: it returns a vector of ``dim``
    numbers, and the logit of class ``k`` is its product with the embedding of token ``k``. The
    model then reads ``embedding.weight`` outside the embedding's own ``forward``, so sharding
    must keep that weight whole until the last line of the model's ``forward``.

    Fixed sines and cosines encode the positions, so any length T works and no buffer has to
    follow the model to its device.

    Input (N, T) int64 in ``range(vocab)``; output (N, classes) logits. Raises ``ValueError``
    unless ``heads`` divides ``dim`` and, when tied, ``classes`` is at most ``vocab``.
    """

    def __init__(
        self, vocab: int, dim: int, heads: int, depth: int, classes: int, tie: bool = False
    ) -> None:
        super().__init__()
        if tie and classes > vocab:
            message = (
                f"TransformerClassifier: tie=True takes one token per class, so classes={classes}"
                f" must not exceed vocab={vocab}."
            )
            raise ValueError(message)
        self.classes = classes
        self.tie = tie
        self.embedding = nn.Embedding(vocab, dim)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.head = Head(dim, dim if tie else classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (N, classes) logits for token numbers (N, T)."""
        x: Tensor = self.embedding(tokens)
        x = x + positions(x)
        for block in self.blocks:
            x = block(x)
        outputs: Tensor = self.head(x.mean(dim=1))
        if self.tie:
            return functional.linear(outputs, self.embedding.weight[: self.classes])
        return outputs


def positions(x: Tensor) -> Tensor:
    """Return the (T, dim) encoding of positions for embeddings ``x`` (N, T, dim).

    The first half of the columns are sines, the second cosines, of wavelengths from 2 pi to
    20,000 pi tokens; dtype and device are those of ``x``.
    Source: Vaswani et al. 2017, Attention Is All You Need, section 3.5.
    """
    length, dim = x.shape[-2:]
    half = (dim + 1) // 2
    frequency = 10_000.0 ** (-torch.arange(half, device=x.device) / half)
    angle = torch.arange(length, device=x.device)[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)[:, :dim].to(x.dtype)
