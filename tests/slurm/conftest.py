"""One Slurm for all tests of a worker."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm import minislurm, rootless
from tests.slurm.minislurm import MiniSlurm
from tests.slurm.rootless import RootlessSlurm


@pytest.fixture(scope="session")
def slurm() -> Iterator[MiniSlurm]:
    """A running cluster of eight nodes with eight GPUs each, which are none."""
    reason = minislurm.refusal()
    if reason:
        pytest.skip(reason)
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as folder,
        MiniSlurm(Path(folder)) as cluster,
    ):
        yield cluster


@pytest.fixture(scope="module", name="rootless")
def _rootless() -> Iterator[RootlessSlurm]:
    """A running cluster without root, which is the one of the course."""
    reason = rootless.refusal()
    if reason:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="rs-", dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        with RootlessSlurm(Path(folder)) as cluster:
            yield cluster
