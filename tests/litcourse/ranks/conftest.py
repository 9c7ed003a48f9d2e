"""A scratch folder for every test of ranks, and a student's class."""

from __future__ import annotations

from typing import Any

import pytest

from litcourse.probing.silenced import scratch_folder
from tests.litcourse.ranks.rank_jobs import NOTEBOOK


@pytest.fixture(autouse=True)
def _in_a_quiet_room(_neutral: None) -> Any:
    with scratch_folder():
        yield


@pytest.fixture
def student() -> Any:
    """A class as a notebook defines it: of __main__, in no module that could be imported."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(NOTEBOOK, namespace)  # noqa: S102 (as a kernel does)
    return namespace["Student"]
