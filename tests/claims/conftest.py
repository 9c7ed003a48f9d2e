"""Takes back what Lightning leaves in a process: variables, random states and modes of torch."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from litcourse.core.environment import only_variables
from litcourse.core.torch_state import keep_torch_state


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """`seed_everything` and `deterministic=True` set variables for the rest of the process."""
    with only_variables(dict(os.environ)), keep_torch_state():
        yield
