"""Wrapping policies that YAML can name: which parts of a network FSDP gathers together.

A *unit* is a module whose parameters are gathered before its forward and freed after it. Each
policy says the same in two ways: `fsdp1()` is what torch's FullyShardedDataParallel takes as
`auto_wrap_policy`, `units(model)` lists the modules on which FSDP2 calls `fully_shard`. What no
unit holds stays with the root. Few, large units save little memory; many small ones cost a
collective each, whose latency nothing hides.

    policy: {class_path: reference.policies.BySize, init_args: {min_params: 100000}}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import nn
from torch.distributed.fsdp.wrap import (
    CustomPolicy,
    ModuleWrapPolicy,
    size_based_auto_wrap_policy,
)


class WrapPolicy(ABC):
    """Cuts a network into units."""

    @abstractmethod
    def fsdp1(self) -> Any:
        """What FullyShardedDataParallel takes as `auto_wrap_policy`."""

    @abstractmethod
    def units(self, model: nn.Module) -> list[nn.Module]:
        """The units within `model`, innermost first, `model` itself left out."""


class ByClass(WrapPolicy):
    """Every module of the given classes is a unit: the usual choice, a unit for each block.

    Args:
        classes: the classes, by full name; none leaves everything with the root.
    """

    def __init__(self, classes: Sequence[type[nn.Module]]) -> None:
        self.classes = tuple(classes)

    def fsdp1(self) -> ModuleWrapPolicy:
        """As in the base class."""
        return ModuleWrapPolicy(set(self.classes))

    def units(self, model: nn.Module) -> list[nn.Module]:
        """As in the base class."""
        return _chosen(model, lambda module: isinstance(module, self.classes))


class BySize(WrapPolicy):
    """A module is a unit if it has so many parameters that no unit inside it holds.

    It needs to know nothing of the model, and pays for that: units end where the count is
    reached, not where a block does.

    Args:
        min_params: the number of parameters.
    """

    def __init__(self, min_params: int) -> None:
        self.min_params = min_params

    def fsdp1(self) -> Callable[..., bool]:
        """As in the base class."""
        return partial(size_based_auto_wrap_policy, min_num_params=self.min_params)

    def units(self, model: nn.Module) -> list[nn.Module]:
        """As in the base class; the rule is that of torch's `size_based_auto_wrap_policy`."""
        found: list[nn.Module] = []
        for child in model.children():
            self._walk(child, found)
        return found

    def _walk(self, module: nn.Module, found: list[nn.Module]) -> int:
        """Add the units in `module` to `found`; return how many parameters they hold."""
        count = _size(module)
        if count < self.min_params or isinstance(module, nn.MultiheadAttention):
            return 0
        held = sum(self._walk(child, found) for child in module.children())
        # A list is never called itself, so nothing would gather its parameters.
        if count - held < self.min_params or isinstance(module, (nn.ModuleList, nn.ModuleDict)):
            return held
        found.append(module)
        return count


class LargeBlocks(WrapPolicy):
    """Modules of the given classes, but only large ones: a rule of our own.

    The first stages of a convolutional network hold few parameters and much activation. To gather
    them one by one costs a collective each and saves next to nothing, so they stay with the root.

    Args:
        classes: the classes, by full name.
        min_params: the number of parameters from which one is large.
    """

    def __init__(self, classes: Sequence[type[nn.Module]], min_params: int) -> None:
        self.classes, self.min_params = tuple(classes), min_params

    def fsdp1(self) -> CustomPolicy:
        """As in the base class."""
        return CustomPolicy(self._is_unit)

    def units(self, model: nn.Module) -> list[nn.Module]:
        """As in the base class."""
        return _chosen(model, self._is_unit)

    def _is_unit(self, module: nn.Module) -> bool:
        return isinstance(module, self.classes) and _size(module) >= self.min_params


def _chosen(model: nn.Module, is_unit: Callable[[nn.Module], bool]) -> list[nn.Module]:
    inside = [module for module in model.modules() if module is not model]
    return [module for module in reversed(inside) if is_unit(module)]


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
