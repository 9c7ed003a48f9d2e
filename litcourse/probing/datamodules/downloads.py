"""Drawn images where a data module looks for a data set, and a record of who fetched them when."""

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
    """Replaces torchvision's downloads by one that writes the drawn files, and notes who asked.

    Args:
        kind: says how the files are written.
        sets: "train" and "test", each with `images` and `labels`.
    """

    def __init__(self, kind: Kind, sets: dict[str, dict[str, Tensor]]) -> None:
        self.kind, self.sets = kind, sets
        self.phase = "__init__"
        self.phases: list[str] = []

    @contextlib.contextmanager
    def replace_downloads(self) -> Iterator[None]:
        """Whoever downloads MNIST or CIFAR10 while the context lasts gets the drawn images."""

        def there(dataset: Any) -> bool:
            check = getattr(dataset, "_check_exists", None) or dataset._check_integrity  # noqa: SLF001 (torchvision asks itself the same)
            return bool(check())

        def download(dataset: Any) -> None:
            if not there(dataset):
                self.phases.append(self.phase)
                self.kind.write(Path(dataset.root), self.sets)

        with contextlib.ExitStack() as stack:
            for of in (datasets.MNIST, datasets.CIFAR10):
                stack.callback(setattr, of, "download", of.download)
                of.download = download
            # Drawn files have not the checksums of the real ones, which CIFAR10 asks for.
            stack.callback(setattr, cifar, "check_integrity", cifar.check_integrity)
            cifar.check_integrity = lambda path, _=None: Path(path).is_file()
            yield


@contextlib.contextmanager
def set_data_variable(root: Path) -> Iterator[None]:
    """LITCOURSE_DATA points to `root`; the scratch folder of a check takes it away again."""
    os.environ["LITCOURSE_DATA"] = str(root)
    try:
        yield
    finally:
        os.environ.pop("LITCOURSE_DATA", None)
