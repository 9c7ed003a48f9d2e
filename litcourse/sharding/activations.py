"""Counts what forward keeps for backward."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn


class KeptForBackward:
    """A context around a forward; `bytes` is then the size of all that it keeps for backward.

    Parameters are not counted, and what is kept twice counts once. Works on every device, also on
    "meta", where nothing is computed. Inputs of a checkpointed module are counted where the module
    is checkpointed with `use_reentrant=False`.

    Args:
        network: whose parameters are left out.
    """

    def __init__(self, network: nn.Module) -> None:
        self.bytes = 0
        # A storage is one object as long as somebody holds it, so these are told apart by `is`.
        self._storages: dict[int, Any] = {}
        for parameter in network.parameters():
            storage = parameter.untyped_storage()
            self._storages[id(storage)] = storage
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._keep, lambda tensor: tensor)

    def __enter__(self) -> Self:
        """Count from now on."""
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Count no more."""
        self._hooks.__exit__(*error)

    def _keep(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if id(storage) not in self._storages:
            self._storages[id(storage)] = storage
            self.bytes += storage.nbytes()
        return tensor
