"""Writes drawn images in MNIST's file format, for `litcourse.data.mnist` to read."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

IMAGES, LABELS = 2051, 2049
"""Magic numbers of the two kinds of file (http://yann.lecun.com/exdb/mnist/)."""


def write_mnist(root: Path, sets: dict[str, dict[str, Tensor]]) -> None:
    """Write images and labels where torchvision looks for MNIST below `root`.

    Args:
        root: torchvision's argument `root`.
        sets: "train" and "test", each with uint8 `images` (N, 28, 28) and int64 `labels` (N,).
    """
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for name, prefix in (("train", "train"), ("test", "t10k")):
        images, labels = sets[name]["images"], sets[name]["labels"].byte()
        head = struct.pack(">4i", IMAGES, *images.shape)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(head + images.numpy().tobytes())
        head = struct.pack(">2i", LABELS, len(labels))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(head + labels.numpy().tobytes())
