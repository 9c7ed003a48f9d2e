"""Drawn images where a data module looks for MNIST, and a diary of who fetched them when."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torchvision

from litcourse.idx import write_mnist

if TYPE_CHECKING:
    from torch import Tensor


class Fetching:
    """Replaces torchvision's download by one that writes the drawn files, and keeps a diary."""

    def __init__(self, sets: dict[str, dict[str, Tensor]]) -> None:
        self.sets = sets
        self.phase = "__init__"
        self.phases: list[str] = []

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Whoever downloads MNIST while the context lasts gets the drawn images."""
        original = torchvision.datasets.MNIST.download

        def download(dataset: Any) -> None:
            if not dataset._check_exists():  # noqa: SLF001 (torchvision asks itself the same)
                self.phases.append(self.phase)
                write_mnist(Path(dataset.root), self.sets)

        torchvision.datasets.MNIST.download = download
        try:
            yield
        finally:
            torchvision.datasets.MNIST.download = original


@contextlib.contextmanager
def data_variable(root: Path) -> Iterator[None]:
    """LITCOURSE_DATA points to `root`; the quiet room of a check takes it away again."""
    os.environ["LITCOURSE_DATA"] = str(root)
    try:
        yield
    finally:
        os.environ.pop("LITCOURSE_DATA", None)
