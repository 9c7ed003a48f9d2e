"""A GPU that is not there: torch's fake tensors have a device and a shape, but no values.

They refuse an operation whose tensors lie on different devices just as a real GPU does, so
a module that makes tensors on the CPU is found out on a laptop. FakeTensorMode is private
to torch (seen to work with 2.6 to 2.15); this is the only module that touches it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode


def run_on_fake_gpu(
    make: Callable[[], nn.Module],
    batch: list[torch.Tensor],
    step: Callable[[nn.Module, tuple[Any, ...]], object],
) -> bool:
    """Call `step(network, batch)` with a network and a batch on a fake GPU.

    Returns:
        True if it came to its end, False if it stopped at the first value it wanted to know
        (`.item()`), which fake tensors do not have; no device is at fault then.

    Raises:
        Exception: whatever `step` raises, devices that do not match among them.
    """
    with FakeTensorMode():
        with torch.device("cuda"):
            images = tuple(torch.empty(t.shape, dtype=t.dtype) for t in batch)
            network = make()
        try:
            step(network, images)
        except DataDependentOutputException:
            return False
    return True
