"""Simulates a GPU with torch's fake tensors, which have a device and a shape but no values.

Fake tensors refuse an operation on tensors of different devices just as a real GPU does, so a
laptop can find a module that makes tensors on the CPU. FakeTensorMode is private to torch (it
works in 2.6 to 2.15); only this module uses it.
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

    Args:
        make: makes the network.
        batch: tensors whose shapes and dtypes the fake batch has.
        step: runs the student's code.

    Returns:
        True if `step` returned; False if it asked for a value, e.g. by `.item()`, which a fake
        tensor does not have. Up to there all devices matched.

    Raises:
        Exception: any exception of `step`, e.g. torch's for devices that do not match.
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
