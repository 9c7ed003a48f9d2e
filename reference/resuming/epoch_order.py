"""No sample twice in an epoch, however often the run is cut, on any number of ranks and workers.

Lightning 2.6.6 goes on in the middle of an epoch with as many batches as are left, but loaders
begin at the front again: the first samples come twice and the last never (lightning issue 19764).
With workers the first epoch after any resume has the order of epoch 0, because they are started
before the sampler learns of its epoch (issue 21938), and a loader's own state is not restored where
`configure_optimizers` asks for the number of steps (issue 20550). Here an order depends on seed and
epoch alone, the place in it is Lightning's own count of batches, and both are asked for when the
first batch is. What transforms and dropout draw depends on seed, epoch and batch alone, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from reference.refusals import RefusalError


class Key(NamedTuple):
    """Which sample, in which epoch: a loader's worker knows of no epoch otherwise."""

    epoch: int
    sample: int


class EpochSampler(DistributedSampler[Any]):
    """A rank's samples in the order of an epoch, without those that it has had.

    A global batch holds the same samples on any number of ranks.

    Args:
        samples: to order; those that the ranks can't share evenly are left out, others each epoch.
        ranks: how many ranks there are.
        rank: which one this is.
        seed: of the orders.
        had: how many samples of the epoch this rank has had.
    """

    def __init__(
        self, samples: Dataset[Any], ranks: int, rank: int, seed: int, had: Callable[[], int]
    ) -> None:
        super().__init__(samples, ranks, rank, shuffle=True, seed=seed, drop_last=True)
        self._had = had

    def __iter__(self) -> Iterator[Key]:
        """The keys that are left of the epoch; `len` counts all of it, as Lightning does."""
        order = [Key(self.epoch, sample) for sample in super().__iter__()]
        return iter(order[self._had() :])


class Drawn(Dataset[Any]):
    """Samples whose transforms draw the same again for the same batch of the same epoch.

    Only torch's random numbers are held; those of `random` and numpy are not.

    Args:
        samples: the dataset.
        seed: of what is drawn.
    """

    def __init__(self, samples: Dataset[Any], seed: int) -> None:
        self.samples, self.seed = samples, seed

    def __len__(self) -> int:
        return len(self.samples)  # type: ignore[arg-type]  # torch's Dataset declares no length

    def __getitem__(self, key: Key) -> Any:
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: list[Key]) -> list[Any]:
        """The samples of a batch; a loader calls it with all of their keys."""
        before = torch.get_rng_state()
        # Of integers Python's hash is the same in every process.
        torch.default_generator.manual_seed(hash((self.seed, *keys[0])))
        try:
            return [self.samples[sample] for _, sample in keys]
        finally:
            torch.set_rng_state(before)


class ResumableLoader(DataLoader[Any]):
    """A loader that begins where its sampler is when the first batch is asked for."""

    def __iter__(self) -> Any:
        """Start the workers with the first batch: Lightning calls `iter` before it has resumed."""
        yield from super().__iter__()

    def state_dict(self) -> dict[str, Any]:
        """Nothing: Lightning counts batches. It warns where a loader has no such method."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """There is nothing to load."""


class Draws(L.Callback):
    """Seeds what a training step draws, such as dropout, by epoch, batch and rank.

    A run that goes on in the middle of an epoch then draws what it would have drawn.
    """

    def on_train_batch_start(
        self, trainer: L.Trainer, module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed all devices; without `seed_everything` nothing is asked for."""
        if "PL_GLOBAL_SEED" in os.environ:
            parts = (run_seed(), trainer.global_rank, trainer.current_epoch, batch_idx)
            torch.manual_seed(hash(parts))


def train_loader(
    samples: Dataset[Any], trainer: L.Trainer | None, batch_size: int, **options: Any
) -> ResumableLoader:
    """A loader that shuffles, leaves out the uneven last batch, and goes on where a run was cut.

    Args:
        samples: to train on.
        trainer: whose run it is; None outside of one.
        batch_size: samples in a batch, on each rank.
        options: further ones of torch's DataLoader.

    Raises:
        RefusalError: there are not enough samples for one batch on each rank.
    """
    shares = (trainer and trainer.distributed_sampler_kwargs) or {"num_replicas": 1, "rank": 0}
    ranks, count = shares["num_replicas"], len(samples)  # type: ignore[arg-type]  # as in `Drawn`
    if batch_size > count // ranks:
        raise RefusalError(
            f"{count} samples make no batch of {batch_size} on each of {ranks} ranks",
            f"--data.batch_size, up to {count // ranks}",
        )
    sampler = EpochSampler(
        samples, ranks, shares["rank"], run_seed(),
        had=lambda: batches_had(trainer) * batch_size,
    )  # fmt: skip
    drawn = Drawn(samples, run_seed())
    return ResumableLoader(drawn, batch_size, sampler=sampler, drop_last=True, **options)


def batches_had(trainer: L.Trainer | None) -> int:
    """How many batches of the epoch at hand are done."""
    if trainer is None:
        return 0
    epochs: Any = trainer.fit_loop.epoch_progress.current
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    return int(batches.processed) if epochs.ready > epochs.processed else 0


def run_seed() -> int:
    """What `seed_everything` was given, or 0."""
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))
