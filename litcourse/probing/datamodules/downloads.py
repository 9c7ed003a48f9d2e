"""Replaces torchvision's downloads by drawn images, and records the phase of each download."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchvision import datasets
from torchvision.datasets import cifar

if TYPE_CHECKING:
    from torch import Tensor

    from litcourse.probing.datamodules.kind import Kind


class FakeDownloads:
    """A download that writes the drawn images as files; `phases` lists the `phase` of each call.

    Args:
        kind: writes the files.
        sets: "train" and "test", each with `images` and `labels`.
    """

    def __init__(self, kind: Kind, sets: dict[str, dict[str, Tensor]]) -> None:
        self.kind, self.sets = kind, sets
        self.phase = "__init__"
        self.phases: list[str] = []

    @contextlib.contextmanager
    def replace_downloads(self) -> Iterator[None]:
        """Have a download of MNIST or CIFAR10 in this context write the drawn images."""

        def exists(dataset: Any) -> bool:
            check = getattr(dataset, "_check_exists", None) or dataset._check_integrity  # noqa: SLF001 (torchvision asks itself the same)
            return bool(check())

        def download(dataset: Any) -> None:
            if not exists(dataset):
                self.phases.append(self.phase)
                self.kind.write(Path(dataset.root), self.sets)

        with contextlib.ExitStack() as stack:
            for cls in (datasets.MNIST, datasets.CIFAR10):
                stack.callback(setattr, cls, "download", cls.download)
                cls.download = download
            # CIFAR10 checks the checksums of the real files, which drawn files do not have.
            stack.callback(setattr, cifar, "check_integrity", cifar.check_integrity)
            cifar.check_integrity = lambda path, _=None: Path(path).is_file()
            yield


@contextlib.contextmanager
def set_data_variable(root: Path) -> Iterator[None]:
    """Set LITCOURSE_DATA to `root`; `scratch_folder` has unset it for the rest of a check."""
    os.environ["LITCOURSE_DATA"] = str(root)
    try:
        yield
    finally:
        os.environ.pop("LITCOURSE_DATA", None)
