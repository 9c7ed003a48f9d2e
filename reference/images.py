"""What data modules of images share: loaders, and a split that every rank and run makes alike."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset, Subset


class ImageData(L.LightningDataModule):
    """Loaders of the sets that `setup` of a subclass leaves in `train`, `val` and `test`.

    Hyperparameters that it reads: `batch_size`, of each rank, and `num_workers`.
    """

    train: Dataset[Any]
    val: Dataset[Any]
    test: Dataset[Any]

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches of another order each epoch; the uneven last one is left out."""
        return self._loader(self.train, train=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Every validation sample once."""
        return self._loader(self.val)

    def test_dataloader(self) -> DataLoader[Any]:
        """Every test sample once."""
        return self._loader(self.test)

    def _loader(self, samples: Dataset[Any], *, train: bool = False) -> DataLoader[Any]:
        workers = self.hparams["num_workers"]
        return DataLoader(
            samples,
            batch_size=self.hparams["batch_size"],
            shuffle=train,
            drop_last=train,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
        )


def split(
    training: Dataset[Any], evaluation: Dataset[Any], share: float, seed: int
) -> tuple[Dataset[Any], Dataset[Any]]:
    """Return the samples to train on and those to validate with.

    Args:
        training: all samples, transformed as training wants them.
        evaluation: the same samples in the same order, transformed as validation wants them.
        share: of the samples that validate, 0 to 1.
        seed: of the permutation.
    """
    count = len(evaluation)  # type: ignore[arg-type]  # torch's Dataset declares no length
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    held = round(share * count)
    return Subset(training, order[held:]), Subset(evaluation, order[:held])
