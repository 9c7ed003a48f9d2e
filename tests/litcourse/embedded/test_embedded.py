"""The embedded data sets: torchvision's conventions, the digits, the drawings."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor

from litcourse import data
from litcourse.embedded import digits, shapes
from litcourse.embedded.sets import TEST, TRAIN

if TYPE_CHECKING:
    from collections.abc import Callable

BOTH = pytest.mark.parametrize("make", [data.mnist, data.cifar10])


# --- Both sets, embedded ---


@BOTH
@pytest.mark.parametrize("train", [True, False])
def test_embedded_sets_keep_torchvisions_conventions(make: Callable[..., Any], train: bool) -> None:
    images = make(train=train)
    image, target = images[len(images) - 1]
    assert isinstance(image, Image.Image)
    assert type(target) is int
    assert (image.mode, image.size) in {("L", (28, 28)), ("RGB", (32, 32))}
    assert len(images) == len(images.data) == len(images.targets)
    assert sorted({int(t) for t in images.targets}) == list(range(10))
    assert images.class_to_idx[images.classes[target]] == target
    assert ("Train" if train else "Test") in repr(images)
    with pytest.raises(IndexError):
        images[len(images)]


@BOTH
def test_the_transform_is_applied(make: Callable[..., Any]) -> None:
    assert make(transform=lambda image: image.size[0] + 1)[0][0] in {29, 33}


@BOTH
def test_a_loader_can_batch_them(make: Callable[..., Any]) -> None:
    images, targets = next(iter(DataLoader(make(transform=ToTensor()), batch_size=5)))
    assert images.shape in {(5, 1, 28, 28), (5, 3, 32, 32)}
    assert targets.dtype == torch.int64


@BOTH
def test_train_and_test_share_no_image(make: Callable[..., Any]) -> None:
    def prints(train: bool) -> set[bytes]:
        return {np.asarray(image).tobytes() for image, _ in make(train=train)}

    train, test = prints(train=True), prints(train=False)
    assert len(train) == len(make(train=True))
    assert not train & test


@BOTH
def test_every_call_gives_the_same_images_and_its_own_copy(make: Callable[..., Any]) -> None:
    first = make()
    kept = first.data[0] + 0
    first.data[0] = 7
    first.targets[0] = 99
    again = make()
    assert np.array_equal(again.data[0], kept)
    assert again[0][1] < 10


# --- Embedded digits ---


def _stored() -> tuple[Any, Any]:
    with np.load(Path(digits.__file__).with_name("digits.npz")) as stored:
        return stored["images"], stored["labels"]


def test_the_stored_digits_are_scikit_learns() -> None:
    """By the digest of what scikit-learn 1.9's `load_digits` returned, as bytes."""
    images, labels = _stored()
    assert images.dtype == labels.dtype == np.uint8
    assert images.shape == (1797, 8, 8)
    digest = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == digest


def test_the_digits_are_split_by_digit() -> None:
    train, test = data.mnist(train=True), data.mnist(train=False)
    assert (len(train), len(test)) == (1438, 359)
    shares = torch.bincount(test.targets) / (
        torch.bincount(train.targets) + torch.bincount(test.targets)
    )
    assert shares.min() > 0.195
    assert shares.max() < 0.205


def test_the_digits_fill_the_middle_and_the_whole_range() -> None:
    images = data.mnist().data
    assert images.max() == 255
    frame = images.clone()
    frame[:, 4:-4, 4:-4] = 0
    assert frame.sum() == 0


def test_enlarging_is_bilinear() -> None:
    small = torch.from_numpy(_stored()[0][:50]).double()
    expected = torch.nn.functional.interpolate(
        small[:, None] * 255 / 16, size=(20, 20), mode="bilinear", align_corners=False
    )
    found = digits.enlarge(small.numpy().astype(np.uint8))[:, 4:-4, 4:-4]
    assert np.abs(found - expected[:, 0].numpy()).max() <= 0.5 + 1e-9


# --- Embedded drawings ---


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (TRAIN, "fb333ad28ca6c5948c8b543313844cc74a3cf38545e2ab4d138983bee75e7d2e"),
        (TEST, "aed14bbd88a746141780e4544149d22da839106dd603efad288a22b4fd137fa6"),
    ],
)
def test_the_drawings_are_the_same_everywhere(part: tuple[int, int], expected: str) -> None:
    images, labels = shapes.draw(*part)
    content = images.tobytes() + labels.astype("<i8").tobytes()
    assert hashlib.sha256(content).hexdigest() == expected


def test_the_drawings_have_about_the_statistics_of_cifar10() -> None:
    pixels = data.cifar10().data / 255
    assert pixels.mean(axis=(0, 1, 2)) == pytest.approx(data.CIFAR10_MEAN, abs=0.01)
    assert pixels.std(axis=(0, 1, 2)) == pytest.approx(data.CIFAR10_STD, abs=0.02)


@pytest.mark.parametrize("count", [0, 1, 10, 37])
def test_any_number_can_be_drawn_evenly(count: int) -> None:
    images, labels = shapes.draw(count, seed=3)
    assert images.shape == (count, 32, 32, 3)
    assert np.ptp(np.bincount(labels, minlength=10)) <= 1


def test_another_seed_draws_other_images() -> None:
    assert (shapes.draw(20, seed=3)[0] != shapes.draw(20, seed=4)[0]).any(axis=(1, 2, 3)).all()
