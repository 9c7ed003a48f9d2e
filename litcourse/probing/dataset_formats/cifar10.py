"""Writes drawn images in CIFAR10's file format, for `litcourse.data.cifar10` to read."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = "cifar-10-batches-py"
TRAIN_FILES = 5


def write_cifar10(root: Path, sets: dict[str, dict[str, Tensor]]) -> None:
    """Write images and labels where torchvision looks for CIFAR10 below `root`.

    Their checksums differ from those of the real files, so a caller replaces torchvision's check
    (`litcourse.probing.datamodules.downloads`).

    Args:
        root: torchvision's argument `root`.
        sets: "train" and "test", each with uint8 `images` (N, 3, 32, 32) and int64 `labels` (N,).
    """
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = sets["train"]["images"], sets["train"]["labels"]
    for number in range(TRAIN_FILES):
        low, high = (len(labels) * n // TRAIN_FILES for n in (number, number + 1))
        _write(folder / f"data_batch_{number + 1}", images[low:high], labels[low:high])
    _write(folder / "test_batch", sets["test"]["images"], sets["test"]["labels"])
    names = [f"class {number}" for number in range(10)]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))


def _write(path: Path, images: Tensor, labels: Tensor) -> None:
    batch = {"data": images.reshape(len(images), -1).numpy(), "labels": labels.tolist()}
    path.write_bytes(pickle.dumps(batch))
