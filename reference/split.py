"""A split into training and validation that every rank, and every run, makes alike."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import Dataset, Subset


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
