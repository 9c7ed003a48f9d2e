"""Restores random states and torch's global modes after code that changes them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator


@contextlib.contextmanager
def keep_torch_state() -> Iterator[None]:
    """Run torch on one thread; afterwards restore random states and torch's global modes."""
    import numpy as np
    import torch

    state = random.getstate()
    array_state = np.random.get_state()  # noqa: NPY002 (the state that Lightning seeds)
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    grad, strict = torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled()
    # Small networks gain less from a second thread than waiting for it costs: a check took
    # 0.3 to 2 CPU seconds with two threads on a busy machine, and 0.2 with one.
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(array_state)  # noqa: NPY002 (as above)
            torch.set_default_dtype(dtype)
            torch.set_num_threads(threads)
            torch.set_grad_enabled(grad)
            torch.use_deterministic_algorithms(strict)
