"""Recognises the drawn samples, and judges the images and the split of a data module's loaders."""

from __future__ import annotations

import torch
from torch import Tensor

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.marks import find_findings, merge
from litcourse.core.question import Earned, Finding, Inputs, Mark
from litcourse.probing.datamodules.kind import UNKNOWN, Kind

TOLERANCE = 1e-4
MATRIX = 2
"""Number of dimensions of a matrix."""
LOADERS = ("train", "val", "test")


def part_of(loader: str) -> str:
    """The drawn set, "train" or "test", that a loader serves."""
    return "test" if loader == "test" else "train"


def right_images(kind: Kind, inputs: Inputs, part: str) -> Tensor:
    """The drawn images of "train" or "test", normalised: float32 (N, *shape)."""
    return kind.normalise(inputs.shown["sets"][part]["images"])


def identify(kind: Kind, inputs: Inputs, part: str, images: Tensor) -> list[int]:
    """For each of `images` the index of the drawn sample that it shows, in any scale; -1: none."""
    return kind.recognise(right_images(kind, inputs, part), images)


def identify_keys(kind: Kind, inputs: Inputs, keys: Evidence, part: str = "train") -> list[int]:
    """Indices of the samples of a set with these `keys` (N, key_pixels); -1: none.

    Raises:
        MalformedError: `keys` is no real matrix, or is wider than an image.
    """
    rows, known = keys.tensor(), right_images(kind, inputs, part)
    if rows.dim() != MATRIX or rows.is_complex() or not 1 < rows.shape[1] <= known[0].numel():
        raise MalformedError(keys.path, "keys of images")
    return kind.recognise_keys(known, rows)


def judge_images(kind: Kind, inputs: Inputs, first: Evidence) -> list[Mark]:
    """Judge type, shape, normalisation and labels of all three loaders, up to the first fault."""
    parts: list[list[Mark]] = []
    for name in LOADERS:
        parts.append(_judge_part(kind, inputs, name, first[name]))
        if any("images" in finding.criteria for finding in find_findings(parts[-1])):
            break
    return merge(parts)


def _judge_part(kind: Kind, inputs: Inputs, name: str, seen: Evidence) -> list[Mark]:
    images, labels = seen["images"].tensor(), seen["labels"].tensor()
    called, cost, part = f"{name}_dataloader()", ("images",), part_of(name)
    if images.dtype != torch.float32 or images.shape[1:] != kind.shape:
        expected = f"torch.float32, {kind.shape} per image"
        got = f"{images.dtype}, {tuple(images.shape[1:])} per image"
        every = (*cost, *kind.costs_of_strangers)
        return [Finding(kind.code("LIT310"), every, called, expected, got)]
    if not len(images):  # `judge_split` judges the number of samples
        return []
    parts, found = [part], list[Mark]()
    indices = identify(kind, inputs, part, images)
    if UNKNOWN in indices:
        stranger = _stranger_finding(kind, inputs, name, images, indices)
        if "images" in stranger.criteria:
            return [stranger]
        parts, found = ["train", "test"], [stranger]  # the other part's images can be right, too
    return [*found, *_judge_values(kind, inputs, parts, called, images, labels)]


def _judge_values(
    kind: Kind, inputs: Inputs, parts: list[str], called: str, images: Tensor, labels: Tensor
) -> list[Mark]:
    """Compare a loader's images, all of the drawn `parts`, with the right pixels and labels."""
    known = torch.cat([right_images(kind, inputs, part) for part in parts])
    indices = kind.recognise(known, images)
    right, where = kind.comparable(known, images, indices)
    gap = float((images - right).abs()[where].max())
    if not gap <= TOLERANCE:
        return [_scale_finding(kind, called, images, right, where)]
    wanted = torch.cat([inputs.shown["sets"][part]["labels"] for part in parts])[indices]
    if labels.is_complex() or not torch.equal(labels.long(), wanted):
        got = f"{labels.dtype}, shape {tuple(labels.shape)}"
        return [Finding("LIT314", ("images",), called, "the images' own labels", got)]
    return [Earned(("images",))]


def _stranger_finding(
    kind: Kind, inputs: Inputs, name: str, images: Tensor, indices: list[int]
) -> Finding:
    """The finding on images that are not in this part: of the other part, or changed."""
    part = part_of(name)
    other = "train" if part == "test" else "test"
    called = f"{name}_dataloader()"
    strangers = [i for i, index in enumerate(indices) if index == UNKNOWN]
    cost = ("split",) if name == "test" else ("split", "repeat")
    expected = f"images of the {part} set"
    if UNKNOWN not in identify(kind, inputs, other, images[strangers]):
        got = f"{len(strangers)} images of the {other} set"
        return Finding(kind.code("LIT322"), cost, called, expected, got)
    got = f"{len(strangers)} of {len(indices)} images that are not in it"
    every = ("images", *kind.costs_of_strangers)
    return Finding(kind.code("LIT315"), every, called, expected, got)


def _scale_finding(
    kind: Kind, called: str, images: Tensor, right: Tensor, where: Tensor
) -> Finding:
    def gap(other: Tensor) -> float:
        return float((images - other).abs()[where].max())

    pixels = kind.to_pixels(right)
    got = f"pixels from {float(images.min()):.3g} to {float(images.max()):.3g}"
    code = "LIT313"
    if gap(pixels) <= TOLERANCE:
        code = "LIT311"
    elif gap(255 * pixels) <= 255 * TOLERANCE:
        code = "LIT312"
    note = f"largest difference {gap(right):.3g}"
    return Finding(kind.code(code), ("images",), called, kind.formula, got, note)


def judge_split(kind: Kind, inputs: Inputs, first: Evidence) -> list[Mark]:
    """Judge the size of each part, and that each sample comes once."""
    total = len(inputs.shown["sets"]["train"]["labels"])
    train, val = (
        identify(kind, inputs, "train", first[n]["images"].tensor()) for n in ("train", "val")
    )
    test = identify(kind, inputs, "test", first["test"]["images"].tensor())
    shared = set(train) & set(val)
    if shared:
        got = f"{len(shared)} samples in both"
        return [_split_finding("LIT321", "train and val", "no sample in both", got)]
    wanted = inputs.shown["val_size"] * total
    lost = wanted - len(val)
    if 1 < lost < inputs.shown["batch_size"] and len(val) % inputs.shown["batch_size"] == 0:
        expected, got = f"{wanted:.0f} samples, each once", f"{len(val)}, in full batches alone"
        return [_split_finding("LIT323", "val_dataloader()", expected, got)]
    if abs(len(set(val)) - wanted) > 1 + TOLERANCE:
        got = f"{len(set(val))} samples"
        return [
            _split_finding("LIT320", "val_dataloader()", f"{wanted:.0f} of {total} samples", got)
        ]
    for name, indices, count in (
        ("val", val, len(set(val))),
        ("test", test, len(inputs.shown["sets"]["test"]["labels"])),
    ):
        if sorted(indices) != sorted(set(indices)) or len(indices) != count:
            got = f"{len(indices)} samples, {len(set(indices))} different ones"
            return [
                _split_finding("LIT323", f"{name}_dataloader()", f"{count} samples, each once", got)
            ]
    return _judge_train(inputs, train, total - len(val))


def _judge_train(inputs: Inputs, train: list[int], count: int) -> list[Mark]:
    size = inputs.shown["batch_size"]
    dropped = count - len(train)
    once = len(train) == len(set(train))
    if once and (dropped == 0 or (0 < dropped < size and dropped == count % size)):
        return [Earned(("split",))]
    got = f"{len(train)} samples, {len(set(train))} different ones"
    return [_split_finding("LIT323", "train_dataloader()", f"{count} samples, each once", got)]


def _split_finding(code: str, called: str, expected: str, got: str) -> Finding:
    return Finding(code, ("split",), called, expected, got)
