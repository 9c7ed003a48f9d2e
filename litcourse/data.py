"""MNIST and CIFAR10 by one function each: the real images, or a set that needs no network.

The first of these that exists decides the source of the images:

1. the argument ``root``: the folder holds the real set, or torchvision downloads it there;
2. the environment variable ``LITCOURSE_DATA``: the same, with that folder as root;
3. the embedded set, which ships with the package.

Both sets keep torchvision's conventions: ``len(dataset)``, ``dataset[i]`` is an image and its
class; ``.data``, ``.targets`` and ``.classes`` are as in torchvision.
"""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import ExitStack, contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchvision import datasets
from torchvision.datasets import utils as torchvision_utils

from litcourse.embedded.sets import EmbeddedCIFAR10, EmbeddedMNIST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL import Image
    from torchvision.datasets import VisionDataset

__all__ = [
    "CIFAR10_MEAN",
    "CIFAR10_STD",
    "MNIST_MEAN",
    "MNIST_STD",
    "DataError",
    "cifar10",
    "mnist",
]

MNIST_MEAN = (0.1307,)
"""Mean of the real training images, one number per channel, pixels in [0, 1]."""
MNIST_STD = (0.3081,)
"""Standard deviation of the real training images, as ``MNIST_MEAN``."""
CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
"""Mean of the real training images: red, green, blue, pixels in [0, 1]."""
CIFAR10_STD = (0.2470, 0.2435, 0.2616)
"""Standard deviation of the real training images, as ``CIFAR10_MEAN``."""

VARIABLE = "LITCOURSE_DATA"
LOCK = ".litcourse-download.lock"
PATIENCE = 20  # seconds; on a compute node without internet a connection would hang for minutes


class DataError(RuntimeError):
    """The real images can't be read or downloaded; the message says what to type next."""


def mnist(
    root: str | Path | None = None,
    train: bool = True,
    transform: Callable[[Image.Image], Any] | None = None,
) -> VisionDataset:
    """Return handwritten digits: pairs of a PIL image ("L", 28x28) and its class, 0 to 9.

    With a root (see the module's docstring) the real MNIST, 60,000 training and 10,000 test
    images; what is missing there is downloaded. Without one, 1438 and 359 embedded digits of
    the same size and grey levels.

    ``transform`` is applied to each image. Raises ``DataError`` if there is a root, and the
    images are neither there nor can be brought there.
    Source: LeCun, Cortes and Burges (real); ``litcourse.embedded.digits`` (embedded).
    """
    found = _root(root)
    if found is None:
        return EmbeddedMNIST(train, transform)
    return _real(_MNIST, found, train, transform)


def cifar10(
    root: str | Path | None = None,
    train: bool = True,
    transform: Callable[[Image.Image], Any] | None = None,
) -> VisionDataset:
    """Return small colour images: pairs of a PIL image ("RGB", 32x32) and its class, 0 to 9.

    With a root (see the module's docstring) the real CIFAR10, 50,000 training and 10,000 test
    images; what is missing there is downloaded. Without one, 5000 and 1000 embedded drawings of
    ten shapes with about the colour statistics of CIFAR10.

    ``transform`` is applied to each image. Raises ``DataError`` if there is a root, and the
    images are neither there nor can be brought there.
    Source: Krizhevsky 2009 (real); ``litcourse.embedded.shapes`` (embedded).
    """
    found = _root(root)
    if found is None:
        return EmbeddedCIFAR10(train, transform)
    return _real(_CIFAR10, found, train, transform)


@dataclass(frozen=True)
class _Root:
    """A folder, and whether the argument or the variable names it."""

    path: Path
    origin: str  # "root" or VARIABLE


@dataclass(frozen=True)
class _RealSet:
    """Name and files of one of torchvision's data sets."""

    name: str  # in torchvision.datasets
    folder: str  # below the root
    files: tuple[str, ...]  # in that folder, unpacked
    packed: tuple[str, ...]  # archives that torchvision downloads and unpacks, below the root


_MNIST_FILES = tuple(
    f"{part}-{content}-ubyte"
    for part in ("train", "t10k")
    for content in ("images-idx3", "labels-idx1")
)
_MNIST = _RealSet(
    "MNIST", "MNIST/raw", _MNIST_FILES, tuple(f"MNIST/raw/{file}.gz" for file in _MNIST_FILES)
)
_CIFAR10 = _RealSet(
    "CIFAR10",
    "cifar-10-batches-py",
    (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"),
    ("cifar-10-python.tar.gz",),
)


def _root(argument: str | Path | None) -> _Root | None:
    """Return the folder for the real images; None means the embedded ones."""
    if argument is not None:
        return _Root(Path(argument).expanduser(), "root")
    variable = os.environ.get(VARIABLE)
    return _Root(Path(variable).expanduser(), VARIABLE) if variable else None


def _real(
    which: _RealSet, root: _Root, train: bool, transform: Callable[[Image.Image], Any] | None
) -> VisionDataset:
    """Open the real set, after a download if files are missing."""
    create = partial(getattr(datasets, which.name), root.path, train=train, transform=transform)
    folder = root.path / which.folder
    with _lock(root.path, alone=False):
        complete = all(_readable(folder / file) for file in which.files)
    try:
        if complete:
            return create(download=False)
        with _lock(root.path, alone=True), _quiet_download():
            return create(download=True)  # it leaves alone what has come meanwhile
    except Exception as error:  # noqa: BLE001 (networks and disks raise anything)
        explain = _damaged if complete else _missing
        # The message names the cause; a chained traceback of urllib has a hundred lines.
        raise DataError(explain(which, root, error)) from None


@contextmanager
def _lock(root: Path, *, alone: bool) -> Iterator[None]:
    """Wait while another process downloads into a folder; nodes and jobs share a disk.

    `alone` is for who downloads. Where one may not write, or the disk has no locks, one does not
    wait.
    """
    held, made = ExitStack(), alone and not root.exists()
    with suppress(OSError):
        if made:
            root.mkdir(parents=True)
        # Who may not download can't open it: else any user could make all others wait for ever.
        handle = os.open(root / LOCK, os.O_RDWR | os.O_CREAT if alone else os.O_RDONLY, 0o600)
        held.callback(os.close, handle)
        fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if alone:
            may_write = root.stat().st_mode & 0o222
            os.fchmod(handle, may_write | may_write << 1)
    try:
        with held:
            yield
    except BaseException:
        if made:  # leave what was found
            with suppress(OSError):
                (root / LOCK).unlink()
                root.rmdir()
        raise


@contextmanager
def _quiet_download() -> Iterator[None]:
    """Disable torchvision's progress bar, and limit the time of a connection.

    nbgrader gives no points to a cell that writes to stderr, and in a notebook the bar is a
    widget that ``redirect_stderr`` alone doesn't reach.
    """
    bar, timeout = torchvision_utils.tqdm, socket.getdefaulttimeout()
    torchvision_utils.tqdm = partial(bar, disable=True)
    socket.setdefaulttimeout(PATIENCE)
    try:
        with redirect_stderr(StringIO()):
            yield
    finally:
        torchvision_utils.tqdm = bar
        socket.setdefaulttimeout(timeout)


def _readable(path: Path) -> bool:
    """Whether a path can be read; ``Path.is_file`` raises below a folder without permission."""
    return os.access(path, os.R_OK)


def _missing(which: _RealSet, root: _Root, error: Exception) -> str:
    """The message that files are missing and can't be downloaded, with a remedy."""
    folder = root.path / which.folder
    absent = [file for file in which.files if not _readable(folder / file)]
    packed = all(_readable(root.path / file) for file in which.packed)
    if packed and not os.access((root.path / which.packed[0]).parent, os.W_OK):
        why = "lie there packed, and you may not write there to unpack them"
        remedy = f"copy {root.path} to where you may write and name the copy: it unpacks itself"
    else:
        why = "are not there, and downloading them failed"
        remedy = f"put these files into {folder}, then run this again"
    return (
        f"{which.name}: the images {why}.\n"
        f"  {_describe_root(root)}\n"
        f"  looked for: {', '.join(absent)} in {folder}\n"
        f"  what failed: {type(error).__name__}: {_short(error)}\n"
        f"{_way_out(root)}\n"
        f"Or {remedy}."
    )


def _damaged(which: _RealSet, root: _Root, error: Exception) -> str:
    """The message that the files can't be read as a data set, with a remedy."""
    folder = root.path / which.folder
    return (
        f"{which.name}: the files are there, but cannot be read as images.\n"
        f"  {_describe_root(root)}\n"
        f"  looked in: {folder}\n"
        f"  what failed: {type(error).__name__}: {_short(error)}\n"
        f"{_way_out(root)}\n"
        f"Or delete {folder} and run this again: it is downloaded anew."
    )


def _describe_root(root: _Root) -> str:
    origin = "the argument root" if root.origin == "root" else f"the variable {root.origin}"
    state = "" if _readable(root.path) and root.path.is_dir() else ", which is no open folder"
    return f"root: {root.path}{state} (from {origin})"


def _way_out(root: _Root) -> str:
    if root.origin == "root":
        return f"To use the embedded images, leave root out (and {VARIABLE} unset)."
    return f"To use the embedded images, type: unset {VARIABLE} (or del os.environ[{VARIABLE!r}])."


def _short(error: Exception) -> str:
    """The last line: torchvision's messages list all mirrors, and end with the reason."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else "no reason given"
