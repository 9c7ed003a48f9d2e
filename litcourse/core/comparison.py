"""Compares tensors: NaN, shape and type come before any tolerance."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor


def is_not_finite(value: float) -> bool:
    """Whether `value` is NaN or infinite."""
    return not math.isfinite(value)


def distance(seen: Tensor, right: Tensor) -> float:
    """Relative distance `|seen - right| / |right|` in Euclidean norm, computed in float64.

    Infinite if shapes differ, `seen` holds NaN or infinity, or `seen` is complex or sparse. If
    `right` is zero: 0 if `seen` is zero too, else infinite.
    """
    if seen.shape != right.shape or seen.is_complex() or seen.is_sparse:
        return math.inf
    a, b = seen.to(torch.float64), right.to(torch.float64)
    if not bool(torch.isfinite(a).all()):
        return math.inf
    gap, size = float((a - b).norm()), float(b.norm())
    if gap == 0:
        return 0.0
    return gap / size if size else math.inf


def tell_apart(right: float, seen: float, digits: int = 4) -> tuple[str, str]:
    """Both numbers as text, with so many significant digits that the texts differ.

    Args:
        right: the expected number.
        seen: another one.
        digits: the least number of digits.
    """
    for count in range(digits, 18):
        texts = f"{right:.{count}g}", f"{seen:.{count}g}"
        if texts[0] != texts[1]:
            break
    return texts


def furthest_apart(seen: Tensor, right: Tensor) -> tuple[int, ...]:
    """The index at which two real tensors of one shape differ most; NaN differs from anything."""
    gap = (seen.double() - right.double()).abs().nan_to_num(nan=math.inf)
    place = torch.unravel_index(gap.argmax(), gap.shape)
    return tuple(int(index) for index in place)


def tell_furthest(seen: Tensor, right: Tensor) -> tuple[str, str]:
    """The value of `right` (N, classes) from which `seen` of that shape is furthest, and its own.

    For tensors of other kinds, their dtypes.
    """
    if seen.is_complex() or seen.is_sparse:
        return str(right.dtype), str(seen.dtype)
    row, column = furthest_apart(seen, right)
    texts = tell_apart(float(right[row, column]), float(seen[row, column]))
    return f"{texts[0]} for class {column} of image {row}", texts[1]


def macro_accuracy(predicted: Tensor, labels: Tensor) -> float:
    """Mean of the per-class accuracies, over all classes in `predicted` or `labels`.

    Equals torchmetrics' `MulticlassAccuracy` with its default `average="macro"`.

    Args:
        predicted: class indices (N,).
        labels: class indices (N,).
    """
    classes = torch.cat([labels, predicted]).unique()
    hit = (predicted == labels).float()
    shares = [hit[labels == c].mean() if (labels == c).any() else torch.zeros(()) for c in classes]
    return float(torch.stack(shares).mean())


def largest_difference(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """The largest `distance` over tensors of the same name."""
    return max((distance(b[name], a[name]) for name in a), default=0.0)


def largest_gap(right: Mapping[str, Tensor], seen: Mapping[str, Tensor]) -> float:
    """The largest `distance` of `seen` from `right`; infinite if the names differ."""
    return largest_difference(right, seen) if set(right) == set(seen) else math.inf


def is_count(got: float, hits: Tensor, size: int | list[int], tolerance: float) -> bool:
    """Whether `got` is a number of hits, where their share is asked for.

    Args:
        got: the logged value.
        hits: (N,) 1.0 for each right answer, else 0.0.
        size: samples in a batch, or of each; Lightning averages counts of batches, by size or not.
        tolerance: relative.
    """
    parts = hits.split(size)
    counts = torch.stack([part.sum() for part in parts])
    weights = torch.tensor([float(len(part)) for part in parts])
    weighted = (counts * weights).sum() / weights.sum()
    known = [float(counts.sum()), float(weighted), float(counts.mean())]
    return any(abs(got - value) <= tolerance * max(1.0, value) for value in known)
