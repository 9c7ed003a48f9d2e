"""Where a data set comes from, the real ones, and what happens when they aren't there."""

from __future__ import annotations

import fcntl
import gzip
import os
import shutil
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import numpy as np
import pytest
import torchvision
from torchvision.transforms import Compose, Normalize, ToTensor

from litcourse import data

if TYPE_CHECKING:
    from collections.abc import Callable

BOTH = pytest.mark.parametrize("make", [data.mnist, data.cifar10])
REAL = Path(os.environ.get("LITCOURSE_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer every attempt to download as a machine without a network does."""

    def download(_: object) -> None:
        message = "no route to host"
        raise URLError(message)

    monkeypatch.setattr(torchvision.datasets.MNIST, "download", download)
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "download", download)


def write_tiny_mnist(root: Path, *, packed: bool = False) -> None:
    """Write the four files of MNIST with six training and four test images."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        count, side = (6 if name.startswith("train") else 4), 28
        if "images" in name:
            header = [0x803, count, side, side]
            body = np.arange(count * side * side) % 251
        else:
            header, body = [0x801, count], np.arange(count) + 3
        content = np.array(header, dtype=">i4").tobytes() + body.astype(np.uint8).tobytes()
        if packed:
            (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(content))
        else:
            (folder / f"{name}-ubyte").write_bytes(content)


def real(name: str) -> Path:
    """Return the folder of a real data set, or skip."""
    if not (REAL / name).is_dir():
        pytest.skip(
            f"no real {name}; to enable: LITCOURSE_TEST_DATA=FOLDER make test, with FOLDER/{name} "
            "as torchvision downloads it"
        )
    return REAL / name


# --- Where the images come from ---


def test_an_explicit_root_beats_the_variable_beats_the_embedded_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_mnist(tmp_path / "given")
    write_tiny_mnist(tmp_path / "variable")
    assert len(data.mnist()) == 1438
    monkeypatch.setenv("LITCOURSE_DATA", str(tmp_path / "variable"))
    assert Path(data.mnist().root) == tmp_path / "variable"
    assert Path(data.mnist(tmp_path / "given").root) == tmp_path / "given"
    assert Path(data.mnist(str(tmp_path / "given")).root) == tmp_path / "given"
    monkeypatch.setenv("LITCOURSE_DATA", "")
    assert len(data.mnist()) == 1438


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_mnist(tmp_path / "images")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(data.mnist("~/images")) == 6
    monkeypatch.setenv("LITCOURSE_DATA", "~/images")
    assert len(data.mnist(train=False)) == 4


@pytest.mark.usefixtures("offline")
def test_files_that_are_there_are_read_without_downloading(tmp_path: Path) -> None:
    write_tiny_mnist(tmp_path)
    images = data.mnist(tmp_path, train=False, transform=ToTensor())
    assert images[0][0].shape == (1, 28, 28)
    assert [int(target) for _, target in images] == [3, 4, 5, 6]


def test_what_is_missing_is_downloaded_by_torchvision_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    timeouts: list[float | None] = []

    def download(self: torchvision.datasets.MNIST) -> None:
        timeouts.append(socket.getdefaulttimeout())
        for _ in torchvision.datasets.utils.tqdm(range(3)):
            sys.stderr.write("noise")
        write_tiny_mnist(Path(self.root))

    bar = torchvision.datasets.utils.tqdm
    monkeypatch.setattr(torchvision.datasets.MNIST, "download", download)
    assert len(data.mnist(tmp_path / "new" / "folder")) == 6
    assert capfd.readouterr() == ("", "")
    assert timeouts == [data.PATIENCE]
    assert socket.getdefaulttimeout() is None
    assert torchvision.datasets.utils.tqdm is bar


def test_who_comes_second_waits_until_the_first_has_downloaded(tmp_path: Path) -> None:
    """The jobs of several nodes, on one disk."""
    with (tmp_path / data.LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found: list[Any] = []
        second = threading.Thread(target=lambda: found.append(data.mnist(tmp_path)))
        second.start()
        write_tiny_mnist(tmp_path)
        second.join(0.2)
        assert second.is_alive()
    second.join(10)
    assert len(found[0]) == 6


@pytest.mark.parametrize("mode", [0o755, 0o775])
def test_who_may_not_download_can_not_make_others_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    """On a shared disk any user could open the lock's file, and hold it for good."""
    root = tmp_path / "shared"
    root.mkdir()
    root.chmod(mode)
    monkeypatch.setattr(
        torchvision.datasets.MNIST, "download", lambda self: write_tiny_mnist(Path(self.root))
    )
    assert len(data.mnist(root)) == 6
    assert (root / data.LOCK).stat().st_mode & 0o777 == {0o755: 0o600, 0o775: 0o660}[mode]


# --- What a person reads when the images can't be had ---


@BOTH
@pytest.mark.usefixtures("offline")
def test_without_a_network_the_error_says_what_to_do(
    make: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(data.DataError) as shown:
        make(tmp_path / "nowhere")
    monkeypatch.setenv("LITCOURSE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(data.DataError) as variable:
        make()
    for error in (shown, variable):
        assert f"root: {tmp_path / 'nowhere'}, which is no open folder" in str(error.value)
        assert "no route to host" in str(error.value)
    assert "leave root out" in str(shown.value)
    assert "unset LITCOURSE_DATA" in str(variable.value)


@pytest.mark.usefixtures("offline")
def test_the_missing_files_are_named(tmp_path: Path) -> None:
    write_tiny_mnist(tmp_path)
    (tmp_path / "MNIST/raw/t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(data.DataError) as error:
        data.mnist(tmp_path)
    folder = tmp_path / "MNIST" / "raw"
    assert f"looked for: t10k-labels-idx1-ubyte in {folder}\n" in str(error.value)
    assert f"put these files into {folder}" in str(error.value)


@BOTH
def test_a_root_that_is_a_file_is_one_clear_error(make: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(data.DataError, match="which is no open folder"):
        make(tmp_path / "file")


def test_packed_files_that_cannot_be_unpacked_are_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(30, "Read-only file system")

    write_tiny_mnist(tmp_path, packed=True)
    monkeypatch.setattr(torchvision.datasets.mnist, "download_and_extract_archive", refuse)
    access = os.access  # by it, root may write whatever the mode
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    with pytest.raises(data.DataError, match="lie there packed") as error:
        data.mnist(tmp_path)
    assert "Read-only file system" in str(error.value)
    assert f"copy {tmp_path} to where you may write" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no images", b"\0\0\x08\x03\0\0\0\x06\0\0\0\x1c"])
def test_damaged_files_are_told_from_missing_ones(tmp_path: Path, content: bytes) -> None:
    write_tiny_mnist(tmp_path)
    (tmp_path / "MNIST/raw/train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(data.DataError, match="cannot be read as images") as error:
        data.mnist(tmp_path)
    assert f"delete {tmp_path / 'MNIST' / 'raw'}" in str(error.value)


def test_damaged_cifar10_is_told_from_missing(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(b"not a batch")
    with pytest.raises(data.DataError, match=r"corrupted|cannot be read as images"):
        data.cifar10(tmp_path)


# --- The real sets ---


def test_embedded_attributes_have_the_types_of_the_real_ones(tmp_path: Path) -> None:
    write_tiny_mnist(tmp_path)
    there, here = data.mnist(tmp_path), data.mnist()
    for attribute in ("data", "targets"):
        assert getattr(there, attribute).dtype == getattr(here, attribute).dtype
        assert getattr(there, attribute).dim() == getattr(here, attribute).dim()
    assert there.classes == here.classes
    drawn = data.cifar10()
    assert drawn.data.shape == (5000, 32, 32, 3)
    assert drawn.data.dtype == np.uint8
    assert type(drawn.targets) is list


def test_real_mnist_is_unpacked_and_has_the_stated_statistics(tmp_path: Path) -> None:
    root = tmp_path / "mnist"
    shutil.copytree(real("mnist"), root)
    train, test = data.mnist(root), data.mnist(root, train=False)
    assert (len(train), len(test)) == (60_000, 10_000)
    pixels = train.data.double() / 255
    assert pixels.mean().item() == pytest.approx(data.MNIST_MEAN[0], abs=5e-5)
    assert pixels.std().item() == pytest.approx(data.MNIST_STD[0], abs=5e-5)
    normalise = Compose([ToTensor(), Normalize(data.MNIST_MEAN, data.MNIST_STD)])
    image, target = data.mnist(root, transform=normalise)[0]
    assert image.shape == (1, 28, 28)
    assert target == 5


@pytest.mark.usefixtures("offline")
def test_real_cifar10_has_the_stated_statistics() -> None:
    root = real("cifar10")
    train, test = data.cifar10(root), data.cifar10(root, train=False)
    assert (len(train), len(test)) == (50_000, 10_000)
    flat = train.data.reshape(-1, 3)
    counts = np.stack([np.bincount(flat[:, channel], minlength=256) for channel in range(3)])
    levels = np.arange(256) / 255
    mean = counts @ levels / len(flat)
    std = np.sqrt(counts @ levels**2 / len(flat) - mean**2)
    assert mean == pytest.approx(data.CIFAR10_MEAN, abs=1e-4)
    assert std == pytest.approx(data.CIFAR10_STD, abs=1e-4)
