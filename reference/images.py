"""What data modules of images share: loaders, and a split that every rank and run makes alike."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset, Subset

from reference.refusals import RefusalError
from reference.resuming.epoch_order import batches_had, train_loader


class ImageData(L.LightningDataModule):
    """Loaders of the sets that `setup` of a subclass leaves in `train`, `val` and `test`.

    Hyperparameters that it reads: `batch_size`, of each rank, and `num_workers`.
    """

    train: Dataset[Any]
    val: Dataset[Any]
    test: Dataset[Any]

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches of another order each epoch; a run that was cut goes on with the next one."""
        return train_loader(self.train, self.trainer, self._batch_size(), **self._loading())

    def val_dataloader(self) -> DataLoader[Any]:
        """Every validation sample once."""
        return self._loader(self.val)

    def test_dataloader(self) -> DataLoader[Any]:
        """Every test sample once."""
        return self._loader(self.test)

    def _loader(self, samples: Dataset[Any]) -> DataLoader[Any]:
        return DataLoader(samples, batch_size=self._batch_size(), **self._loading())

    def _batch_size(self) -> int:
        size = int(self.hparams["batch_size"])
        if size < 1:
            raise RefusalError(f"a batch of {size} samples is none", "--data.batch_size, from 1")
        return size

    def _loading(self) -> dict[str, Any]:
        workers = self.hparams["num_workers"]
        return {
            "num_workers": workers,
            "persistent_workers": workers > 0,
            "pin_memory": torch.cuda.is_available(),
        }

    def state_dict(self) -> dict[str, Any]:
        """How large global batches are, and how many of the epoch are done."""
        return {"global_batch": self._global_batch(), "batches": batches_had(self.trainer)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Compare with what was saved.

        Raises:
            RefusalError: batches were counted that had another size.
        """
        before, now = state_dict["global_batch"], self._global_batch()
        if state_dict["batches"] and before != now:
            ranks = now // self.hparams["batch_size"]
            raise RefusalError(
                f"the checkpoint is from the middle of an epoch in global batches of {before} "
                f"images, and these have {now}: some would come twice or never",
                f"a --data.batch_size that makes {before} on {ranks} ranks",
            )

    def _global_batch(self) -> int:
        return self._batch_size() * (self.trainer.world_size if self.trainer else 1)


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
