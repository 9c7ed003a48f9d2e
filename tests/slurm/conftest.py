"""One Slurm for all tests of a worker."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.minislurm import MiniSlurm, refusal


@pytest.fixture(scope="session")
def slurm() -> Iterator[MiniSlurm]:
    """A running cluster of eight nodes with eight GPUs each, which are none."""
    reason = refusal()
    if reason:
        pytest.skip(reason)
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as folder,
        MiniSlurm(Path(folder)) as cluster,
    ):
        yield cluster
