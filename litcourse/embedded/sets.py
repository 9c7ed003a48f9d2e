"""The embedded images as data sets with torchvision's conventions."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torchvision.datasets import MNIST, VisionDataset

from litcourse.embedded import digits, shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["EmbeddedCIFAR10", "EmbeddedMNIST"]

TRAIN = (5000, 1)  # count and seed of the drawn images
TEST = (1000, 2)


class _Embedded(VisionDataset):  # type: ignore[misc]  # torchvision is not typed
    """Base of both sets: images in memory, converted to PIL images one by one."""

    data: Any
    targets: Any
    classes: list[str]
    train: bool

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """Return the image, after ``transform`` if there is one, and its class, 0 to 9."""
        image = Image.fromarray(np.asarray(self.data[index]))
        target = int(self.targets[index])
        return (image if self.transform is None else self.transform(image)), target

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: number for number, name in enumerate(self.classes)}

    def extra_repr(self) -> str:
        """Say which part this is, as torchvision's sets do."""
        return f"Split: {'Train' if self.train else 'Test'}"


class EmbeddedMNIST(_Embedded):
    """Handwritten digits, 1438 for training and 359 for test.

    ``data`` (N, 28, 28) uint8 and ``targets`` (N,) int64 are tensors, as in torchvision's MNIST.
    """

    def __init__(
        self, train: bool = True, transform: Callable[[Image.Image], Any] | None = None
    ) -> None:
        super().__init__(transform=transform)
        images, labels = digits.digits()
        chosen = digits.held_out(labels) != train
        self.data = torch.from_numpy(images[chosen])
        self.targets = torch.from_numpy(labels[chosen])
        self.classes = list(MNIST.classes)
        self.train = train


class EmbeddedCIFAR10(_Embedded):
    """Drawings of ten shapes, 5000 for training and 1000 for test.

    ``data`` is a numpy array (N, 32, 32, 3) uint8 and ``targets`` a list of ints, as in
    torchvision's CIFAR10.
    """

    def __init__(
        self, train: bool = True, transform: Callable[[Image.Image], Any] | None = None
    ) -> None:
        super().__init__(transform=transform)
        images, labels = _draw_once(train)
        self.data = images.copy()  # so that a change of one data set does not affect the next
        self.targets = labels.tolist()
        self.classes = list(shapes.CLASSES)
        self.train = train


@cache
def _draw_once(train: bool) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw a part once per process: it takes about half a second."""
    return shapes.draw(*(TRAIN if train else TEST))
