"""Which drawn sample is which, and what a data module's loaders made of them."""

from __future__ import annotations

import torch
from torch import Tensor

from litcourse.data import MNIST_MEAN, MNIST_STD
from litcourse.evidence import Evidence, MalformedError
from litcourse.question import Draw, Finding

TOLERANCE = 1e-4
UNKNOWN = -1
_AT_ONCE = 4096  # rows compared at a time, which bounds the memory whatever came back
MATRIX = 2
"""Dimensions of a tensor of rows."""


def right_images(draw: Draw, part: str) -> Tensor:
    """The drawn images of "train" or "test", normalised: float32 (N, 1, 28, 28)."""
    pixels = draw.given["sets"][part]["images"].float() / 255
    normalised: Tensor = ((pixels - MNIST_MEAN[0]) / MNIST_STD[0]).unsqueeze(1)
    return normalised


def identify(draw: Draw, part: str, images: Tensor) -> list[int]:
    """Indices of the drawn samples that `images` show, however they are scaled; -1: none.

    Scaling and shifting all pixels alike leaves the correlation with the drawn image at 1.
    """
    known = right_images(draw, part)
    if images.shape[1:] != known.shape[1:]:
        return [UNKNOWN] * len(images)
    return _match(images.flatten(1), known.flatten(1))


def who(draw: Draw, keys: Evidence) -> list[int]:
    """Indices of the training samples whose first rows `keys` (N, 28) hold; -1: none."""
    rows, known = keys.tensor(), right_images(draw, "train").flatten(1)
    if rows.dim() != MATRIX or rows.is_complex() or not 1 < rows.shape[1] <= known.shape[1]:
        raise MalformedError(keys.place, "first rows of images")
    return _match(rows, known[:, : rows.shape[1]])


def _match(seen: Tensor, known: Tensor) -> list[int]:
    right = _standardised(known)
    found: list[int] = []
    for rows in seen.split(_AT_ONCE):
        best = (_standardised(rows) @ right.T).max(dim=1)
        close = torch.where(best.values > 1 - 1e-3, best.indices, torch.tensor(UNKNOWN))
        found += [int(index) for index in close]
    return found


def _standardised(rows: Tensor) -> Tensor:
    centred: Tensor = rows.double() - rows.double().mean(dim=1, keepdim=True)
    scaled: Tensor = centred / centred.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return scaled


def judge_images(draw: Draw, first: Evidence) -> list[Finding]:
    """Type, shape, normalisation and labels of all three loaders."""
    for name in ("train", "val", "test"):
        part = "test" if name == "test" else "train"
        found = _judge_part(draw, name, part, first[name])
        if found:
            return found
    return []


def _judge_part(draw: Draw, name: str, part: str, seen: Evidence) -> list[Finding]:
    images, labels = seen["images"].tensor(), seen["labels"].tensor()
    called, cost = f"{name}_dataloader()", ("images",)
    if images.dtype != torch.float32 or images.shape[1:] != (1, 28, 28):
        got = f"{images.dtype}, {tuple(images.shape[1:])} per image"
        every = (*cost, "split", "repeat", "order", "loaders")
        return [Finding("LIT310", every, called, "torch.float32, (1, 28, 28) per image", got)]
    if not len(images):  # how many there are is the split's affair
        return []
    indices = identify(draw, part, images)
    if UNKNOWN in indices:
        return [_stranger(draw, name, part, images, indices)]
    right = right_images(draw, part)[indices]
    gap = float((images - right).abs().max())
    if not gap <= TOLERANCE:
        return [_scaled(draw, called, images, indices, part, gap)]
    wanted = draw.given["sets"][part]["labels"][indices]
    if labels.is_complex() or not torch.equal(labels.long(), wanted):
        got = f"{labels.dtype}, shape {tuple(labels.shape)}"
        return [Finding("LIT314", cost, called, "the images' own labels", got)]
    return []


def _stranger(draw: Draw, name: str, part: str, images: Tensor, indices: list[int]) -> Finding:
    """Images that are none of this part's: of the other part, or changed."""
    other = "train" if part == "test" else "test"
    called = f"{name}_dataloader()"
    strangers = [i for i, index in enumerate(indices) if index == UNKNOWN]
    cost = ("split",) if name == "test" else ("split", "repeat")
    expected = f"images of the {part} set"
    if UNKNOWN not in identify(draw, other, images[strangers]):
        got = f"{len(strangers)} images of the {other} set"
        return Finding("LIT322", cost, called, expected, got)
    got = f"{len(strangers)} of {len(indices)} images that are not in it"
    every = ("images", "split", "repeat", "order", "loaders")
    return Finding("LIT315", every, called, expected, got)


def _scaled(
    draw: Draw, called: str, images: Tensor, indices: list[int], part: str, gap: float
) -> Finding:
    pixels = draw.given["sets"][part]["images"][indices].float().unsqueeze(1)
    got = f"pixels from {float(images.min()):.3g} to {float(images.max()):.3g}"
    expected = f"(x - {MNIST_MEAN[0]}) / {MNIST_STD[0]} of pixels in [0, 1]"
    code = "LIT313"
    if float((images - pixels / 255).abs().max()) <= TOLERANCE:
        code = "LIT311"
    elif float((images - pixels).abs().max()) <= TOLERANCE:
        code = "LIT312"
    return Finding(code, ("images",), called, expected, got, f"largest difference {gap:.3g}")


def judge_split(draw: Draw, first: Evidence) -> list[Finding]:
    """Sizes, and every sample once."""
    total = len(draw.given["sets"]["train"]["labels"])
    train, val = (identify(draw, "train", first[n]["images"].tensor()) for n in ("train", "val"))
    test = identify(draw, "test", first["test"]["images"].tensor())
    shared = set(train) & set(val)
    if shared:
        got = f"{len(shared)} samples in both"
        return [_split("LIT321", "train and val", "no sample in both", got)]
    wanted = draw.given["val_size"] * total
    lost = wanted - len(val)
    if 1 < lost < draw.given["batch_size"] and len(val) % draw.given["batch_size"] == 0:
        expected, got = f"{wanted:.0f} samples, each once", f"{len(val)}, in full batches alone"
        return [_split("LIT323", "val_dataloader()", expected, got)]
    if abs(len(set(val)) - wanted) > 1 + TOLERANCE:
        got = f"{len(set(val))} samples"
        return [_split("LIT320", "val_dataloader()", f"{wanted:.0f} of {total} samples", got)]
    for name, indices, count in (
        ("val", val, len(set(val))),
        ("test", test, len(draw.given["sets"]["test"]["labels"])),
    ):
        if sorted(indices) != sorted(set(indices)) or len(indices) != count:
            got = f"{len(indices)} samples, {len(set(indices))} different ones"
            return [_split("LIT323", f"{name}_dataloader()", f"{count} samples, each once", got)]
    return _judge_train(draw, train, total - len(val))


def _judge_train(draw: Draw, train: list[int], count: int) -> list[Finding]:
    size = draw.given["batch_size"]
    dropped = count - len(train)
    once = len(train) == len(set(train))
    if once and (dropped == 0 or (0 < dropped < size and dropped == count % size)):
        return []
    got = f"{len(train)} samples, {len(set(train))} different ones"
    return [_split("LIT323", "train_dataloader()", f"{count} samples, each once", got)]


def _split(code: str, called: str, expected: str, got: str) -> Finding:
    return Finding(code, ("split",), called, expected, got)
