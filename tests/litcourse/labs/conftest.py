"""Evidence of a lab's solutions and stubs, taken once for the module whose `LAB` it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.litcourse.labs.contract")

from tests.litcourse.labs.contract import Answered, ask_all  # noqa: E402  (once it is registered)


@pytest.fixture(scope="module")
def answers(
    request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Answered]]:
    """By question; the working folder is one of its own meanwhile."""
    import torch

    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        yield ask_all(root, request.module.LAB)
    torch.set_num_threads(threads)
