"""The data of `reference.mnist`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.utils.data import TensorDataset

from litcourse.data import MNIST_MEAN, MNIST_STD, mnist
from reference.images import ImageData, split

if TYPE_CHECKING:
    from torchvision.datasets import VisionDataset


class DigitData(ImageData):
    """MNIST in memory, 190 MB of it, a part of its training images held out for validation.

    Args:
        data_dir: folder of the real images, downloaded if they are not there; without it,
            what LITCOURSE_DATA names, or the small set that travels with `litcourse`.
        batch_size: samples in a batch, on each rank.
        val_size: share of the training images that validate, 0 to 1.
        seed: of the split.
        num_workers: processes that load beside the training one.
    """

    def __init__(
        self,
        data_dir: str | None = None,
        batch_size: int = 64,
        val_size: float = 0.1,
        seed: int = 42,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()

    def prepare_data(self) -> None:
        """Download, on one rank of each node."""
        mnist(self.hparams["data_dir"])

    def setup(self, stage: str) -> None:
        """Open what `stage` needs, on every rank."""
        folder, h = self.hparams["data_dir"], self.hparams
        if stage in {"fit", "validate"}:
            images = normalised(mnist(folder))
            self.train, self.val = split(images, images, h["val_size"], h["seed"])
        if stage == "test":
            self.test = normalised(mnist(folder, train=False))


def normalised(found: VisionDataset) -> TensorDataset:
    """The images as float32 (N, 1, 28, 28) and their classes; once, not anew in each epoch."""
    images = found.data.unsqueeze(1) / 255
    return TensorDataset((images - MNIST_MEAN[0]) / MNIST_STD[0], found.targets)
