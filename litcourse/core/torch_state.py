"""Gives code torch's global modes as torch has them at first, and restores those of before."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def keep_torch_state() -> Iterator[None]:
    """Run torch on one thread, with the default device, dtype and modes that torch begins with.

    A notebook may have set others, such as `torch.set_default_device("cuda")`: what a check makes
    itself must not follow them. Afterwards they are as before, random states too.
    """
    import numpy as np
    import torch

    state = random.getstate()
    array_state = np.random.get_state()  # noqa: NPY002 (the state that Lightning seeds)
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    grad, strict = torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    # Small networks gain less from a second thread than waiting for it costs: a check took
    # 0.3 to 2 CPU seconds with two threads on a busy machine, and 0.2 with one.
    torch.set_num_threads(1)
    device = _default_device()
    _set_default_device(None)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(mode=False)
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(array_state)  # noqa: NPY002 (as above)
            _set_default_device(device)
            torch.set_default_dtype(dtype)
            torch.set_num_threads(threads)
            torch.set_grad_enabled(grad)
            torch.use_deterministic_algorithms(strict, warn_only=warns)


def _default_device() -> Any:
    """The device of `torch.set_default_device`; None if none is set.

    `torch.get_default_device()` would make a tensor there, and raise where there is no such GPU.
    """
    import torch

    context = getattr(getattr(torch, "_GLOBAL_DEVICE_CONTEXT", None), "device_context", None)
    return getattr(context, "device", None)


def _set_default_device(device: Any) -> None:
    import torch

    if _default_device() != device:
        torch.set_default_device(device)
