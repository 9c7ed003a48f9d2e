"""The data of `reference.cifar10`: photographs, cropped and mirrored at random for training."""

from __future__ import annotations

import torch
from torchvision.transforms import v2

from litcourse.data import CIFAR10_MEAN, CIFAR10_STD, cifar10
from reference.images import ImageData, split

NORMALISE = [
    v2.ToImage(),
    v2.ToDtype(torch.float32, scale=True),
    v2.Normalize(CIFAR10_MEAN, CIFAR10_STD),
]
PLAIN = v2.Compose(NORMALISE)
AUGMENT = v2.Compose(
    [v2.RandomCrop(32, padding=4, padding_mode="reflect"), v2.RandomHorizontalFlip(), *NORMALISE]
)


class PhotoData(ImageData):
    """CIFAR10, a part of its training images held out for validation.

    Args:
        data_dir: folder of the real images, downloaded if they are not there; without it,
            what LITCOURSE_DATA names, or the small set that travels with `litcourse`.
        batch_size: samples in a batch, on each rank.
        val_size: share of the training images that validate, 0 to 1.
        seed: of the split.
        num_workers: processes that load beside the training one; on a GPU, as many as the
            job has cores for each rank.
    """

    def __init__(
        self,
        data_dir: str | None = None,
        batch_size: int = 128,
        val_size: float = 0.1,
        seed: int = 42,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()

    def prepare_data(self) -> None:
        """Download, on one rank of each node."""
        cifar10(self.hparams["data_dir"])

    def setup(self, stage: str) -> None:
        """Open what `stage` needs, on every rank."""
        folder, h = self.hparams["data_dir"], self.hparams
        if stage in {"fit", "validate"}:
            augmented, plain = (cifar10(folder, transform=t) for t in (AUGMENT, PLAIN))
            self.train, self.val = split(augmented, plain, h["val_size"], h["seed"])
        if stage == "test":
            self.test = cifar10(folder, train=False, transform=PLAIN)
