"""A network without weights yet: on the meta device, for FSDP2 to shard before it fills it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode


def built_on_meta(make: Callable[[], nn.Module]) -> nn.Module | None:
    """The network of `make` on the meta device, if its modules can fill themselves later.

    They can if `reset_parameters` of one module after the other does to all parameters and buffers
    what the constructor did: the same operations in the same order, so from the same seed the same
    weights. None for a network whose constructor does more, such as weights of its own kind,
    trained ones, or one tensor in two places; and for one that needs numbers to be made.

    Args:
        make: makes the network.
    """
    try:
        # Not on meta, where some of `torch.nn.init` does nothing that could be seen (torch 2.15).
        with isolate_rng(include_cuda=False), FakeTensorMode():
            with _Noted() as made:
                model = make()
            with _Noted() as filled:
                for module in model.modules():
                    if own_tensors(module):
                        module.reset_parameters()  # type: ignore[operator]  # else it raises
    except Exception:  # noqa: BLE001  a constructor of anybody's, where there are no numbers
        return None
    held = [*model.named_parameters(remove_duplicate=False),
            *model.named_buffers(remove_duplicate=False)]  # fmt: skip
    places = {_storage(tensor): name for name, tensor in held}
    fills = filled.on(places)
    whole = set(places.values()) == {place for _, place, _ in fills}
    if len(places) < len(held) or not whole or made.on(places) != fills:
        return None
    with torch.device("meta"):
        return make()


def own_tensors(module: nn.Module) -> list[Tensor]:
    """Parameters and buffers of a module itself."""
    return [*module.parameters(recurse=False), *module.buffers(recurse=False)]


class _Noted(TorchDispatchMode):
    """Takes note of what writes to a tensor in place, or draws random numbers."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen: list[tuple[str, Tensor, str, bool]] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        writes = function._schema.is_mutable  # noqa: SLF001  it has no public name
        draws = torch.Tag.nondeterministic_seeded in function.tags
        if writes or draws:
            others = str([arg for arg in args[1:] if not isinstance(arg, Tensor)])
            self._seen.append((str(function), args[0] if writes else made, others, draws))
        return made

    def on(self, places: dict[int, str]) -> list[tuple[str, str, str]]:
        """What writes to these tensors, and what draws random numbers, for whatever it may be.

        Args:
            places: the names of parameters and buffers, by their storage.

        Returns:
            Of each operation its name, what it writes to, and its other arguments.
        """
        found = []
        for name, tensor, others, draws in self._seen:
            place = places.get(_storage(tensor), "")
            if place or draws:
                found.append((name, place, others))
        return found


def _storage(tensor: Tensor) -> int:
    """What tells tensors apart that live at the same time; on meta none has an address."""
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001  it has no public name
