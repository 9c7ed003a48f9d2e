"""The network: a frozen layer that whitens 2x2 patches, then three groups of two convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

KERNEL = 2
FILTERS = 2 * 3 * KERNEL**2
"""Each principal direction of a patch (3 channels, 2x2 pixels), and its negative."""


class Convolution(nn.Conv2d):
    """3x3, no bias; starts as an identity for as many channels as come in."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding="same", bias=False)

    def reset_parameters(self) -> None:
        """Draw as torch does, then let the first filters pass their input on."""
        super().reset_parameters()
        nn.init.dirac_(self.weight.data[: self.in_channels])


class Norm(nn.BatchNorm2d):
    """Batch norm that shifts but does not scale; its statistics forget quickly."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-12, momentum=0.4)
        self.weight.requires_grad = False


class Group(nn.Module):
    """Two convolutions; the image is halved after the first.

    Input (N, inputs, H, W); output (N, outputs, H // 2, W // 2).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = Convolution(inputs, outputs), Norm(outputs)
        self.conv2, self.norm2 = Convolution(outputs, outputs), Norm(outputs)
        self.pool, self.activation = nn.MaxPool2d(2), nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """Return the features."""
        x = self.activation(self.norm1(self.pool(self.conv1(x))))
        features: Tensor = self.activation(self.norm2(self.conv2(x)))
        return features


class WhitenedNet(nn.Module):
    """The whole network, 2 million parameters at its default widths.

    Args:
        widths: channels of the three groups.
        classes: how many there are.

    Input (N, 3, 32, 32) float, normalised; output (N, classes) logits.
    """

    def __init__(self, widths: tuple[int, int, int] = (64, 256, 256), classes: int = 10) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, FILTERS, KERNEL)
        self.whiten.weight.requires_grad = False
        inputs = (FILTERS, *widths)
        groups = [Group(i, o) for i, o in zip(inputs, widths, strict=False)]
        self.body = nn.Sequential(nn.GELU(), *groups, nn.MaxPool2d(3), nn.Flatten())
        self.head = nn.Linear(widths[-1], classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, classes) logits; they start small, a ninth of what the head gives."""
        logits: Tensor = self.head(self.body(self.whiten(x)))
        return logits / 9

    @torch.no_grad()
    def fit_whitening(self, images: Tensor, eps: float = 5e-4) -> None:
        """Set the first layer so that what comes out of it has no correlation, and unit variance.

        Args:
            images: (N, 3, H, W) float, normalised; a few thousand are enough.
            eps: added to the variances, lest noise be blown up.
        """
        patches = images.unfold(2, KERNEL, 1).unfold(3, KERNEL, 1)  # (N, 3, H', W', 2, 2)
        flat = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, FILTERS // 2).float()
        variances, directions = torch.linalg.eigh(flat.T @ flat / len(flat))
        filters = (directions / (variances + eps).sqrt()).T.flip(0)  # the largest variance first
        weight = torch.cat([filters, -filters]).view_as(self.whiten.weight)
        self.whiten.weight.copy_(weight)
        self.whiten.bias.zero_()  # type: ignore[union-attr]  # this layer has one
