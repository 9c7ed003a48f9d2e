"""A GPU that is not there: tensors with values that say they lie on another device.

Inside `run_on_fake_gpu` the device `DEVICE` exists. Each of its tensors is a `torch.Tensor`
subclass around an ordinary CPU tensor, so it has values, and training runs to its end. Every
operation passes through `__torch_dispatch__`, which raises where tensors of both devices meet, as a
GPU does. The device calls itself "meta": torch never reads the memory of such a tensor, so no
kernel can crash on it.

It needs no driver. It uses torch's hooks `__torch_dispatch__` and `__torch_function__`
(https://pytorch.org/docs/stable/notes/extending.html); seen to work with torch 2.6 and 2.15.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, Self
from unittest.mock import patch

import torch
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch.optim import optimizer
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import error_finding
from litcourse.core.marks import not_measured
from litcourse.core.question import Finding, Mark, NotLookedAt
from litcourse.probing.attempts import find_student_line

DEVICE = torch.device("meta")
_CPU = torch.device("cpu")
_FUSED = "_get_fused_kernels_supported_devices"
_aten = torch.ops.aten
_TO_ANOTHER_DEVICE = {_aten._to_copy.default, _aten.copy_.default}  # noqa: SLF001 (its name)
_INDEXING = {
    _aten.index.Tensor,
    _aten.index_put.default,
    _aten.index_put_.default,
    _aten._index_put_impl_.default,
}
"""Operations whose indices may lie on the CPU, whatever they index."""


class DeviceMismatchError(RuntimeError):
    """One operation got tensors of both devices."""


class NamedDeviceError(RuntimeError):
    """A tensor is sent to a device that is none of this machine: its name stands in the code."""


_OF_OURS = re.compile(r"FakeGPU|fake_gpu|__torch_dispatch__|[Mm]eta tensor|fake modes|\bNYI\b")
"""Words of an exception that is the emulation's, not the student's."""
GPU_FIT = "Trainer.fit on a GPU"
"""What a finding calls a fit on the fake GPU."""
BROUGHT_BACK = "brought to the CPU by"
"""In the message of `DeviceMismatchError` where the student's own line did it."""
_brought_back: list[str] = []
"""Lines of the student's code that brought a tensor of the fake GPU to the CPU."""


class FakeGPUTensor(torch.Tensor):
    """A tensor on the fake GPU; its values are in `values`, on the CPU."""

    values: torch.Tensor  # type: ignore[assignment]  # the method is that of sparse tensors

    def __new__(cls, values: torch.Tensor) -> Self:
        """Wrap `values`, which the new tensor shares."""
        made: Self = torch.Tensor._make_wrapper_subclass(  # noqa: SLF001 (the documented way)
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            layout=values.layout,
            device=DEVICE,
        )
        made.values = values
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # as torch's own subclasses have it
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation on tensors that outlived the context."""
        del types
        return _run(func, args, kwargs or {})

    # torch refuses these to every tensor on "meta"; a GPU's have values.

    def item(self) -> Any:
        """The value of a tensor of one element."""
        return self.values.item()

    def tolist(self) -> Any:
        """The values as nested lists."""
        return self.values.tolist()

    def __bool__(self) -> bool:
        return bool(self.values)

    def __int__(self) -> int:
        return int(self.values)

    def __float__(self) -> float:
        return float(self.values)

    def __index__(self) -> int:
        return int(self.values.__index__())

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        del tensor_contents
        return f"{self.values!r} on a fake GPU"

    def numpy(self, **_: Any) -> NoReturn:
        """Refuse, as a GPU's tensor does."""
        raise TypeError("a GPU's tensor has no numpy array. Use Tensor.cpu() first.")

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        self.numpy()


def _values(node: Any) -> Any:
    return node.values if isinstance(node, FakeGPUTensor) else node


def _wrap(node: Any) -> Any:
    plain = isinstance(node, torch.Tensor) and not isinstance(node, FakeGPUTensor)
    return FakeGPUTensor(node) if plain else node


def _run(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operation on the values, and put its result where a GPU would have it."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    on_gpu = any(isinstance(tensor, FakeGPUTensor) for tensor in tensors)
    if on_gpu:
        _check_devices(operation, args, tensors)
    asked = kwargs.get("device")
    device = None if asked is None else torch.device(asked)
    if device is not None and device.type not in {DEVICE.type, _CPU.type}:
        raise NamedDeviceError(f"a tensor is to go to {str(device)!r}, whatever device it is on")
    if on_gpu and device == _CPU and operation in _TO_ANOTHER_DEVICE:
        _note_line()
    if device == DEVICE:
        kwargs = {**kwargs, "device": _CPU}
    result = operation(*tree_map(_values, args), **tree_map(_values, kwargs))
    if operation is _aten.copy_.default:
        return args[0]
    if device is not None and device != DEVICE:
        return result
    if device is None and not on_gpu:
        return result
    wrapped = tree_map(_wrap, result)
    # In-place operations return their argument, and views share its storage.
    return return_and_correct_aliasing(operation, args, kwargs, wrapped) if on_gpu else wrapped


def _check_devices(operation: Any, args: tuple[Any, ...], tensors: list[torch.Tensor]) -> None:
    """Raise where a GPU would: a CPU tensor of more than one number beside one of the GPU's."""
    if operation in _TO_ANOTHER_DEVICE:
        return
    if operation in _INDEXING and isinstance(args[0], FakeGPUTensor):
        return
    strangers = [t for t in tensors if not isinstance(t, FakeGPUTensor) and t.dim() > 0]
    if strangers:
        why = f" {BROUGHT_BACK} {_brought_back[-1]}" if _brought_back else ""
        raise DeviceMismatchError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"the GPU's and cpu, in {operation}.{why}"
        )


def _note_line() -> None:
    """Note the line that called torch just now, if it is one of the student's."""
    frame = sys._getframe(2)  # noqa: SLF001 (no public way)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(("torch", __name__)):
        frame = frame.f_back
    line = find_student_line([(frame, frame.f_lineno)])
    if line:
        _brought_back.append(line)


class _Operations(TorchDispatchMode):
    """Sees operations that get no tensor of the fake GPU and are to make one."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        return _run(func, args, kwargs or {})


class _FromData(TorchFunctionMode):
    """Sees `torch.tensor(data, device=...)`, which for "meta" would forget its data."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.new_tensor:
            beside, *args_left = args
            kwargs = {"dtype": beside.dtype, "device": beside.device, **kwargs}
            func, args = torch.tensor, tuple(args_left)
        asked = kwargs.get("device")
        makes = func in {torch.tensor, torch.as_tensor, torch.asarray}
        if not makes or asked is None or torch.device(asked) != DEVICE:
            return func(*args, **kwargs)
        if args and isinstance(args[0], FakeGPUTensor):
            dtype = kwargs.get("dtype") or args[0].dtype
            return args[0].to(dtype, copy=func is torch.tensor)
        return func(*args, **{**kwargs, "device": _CPU}).to(DEVICE)


class _FakeGPU(Accelerator):
    """Lightning's view of the device; there is nothing to set up or to free."""

    def setup_device(self, device: torch.device) -> None:
        """Nothing."""

    def teardown(self) -> None:
        """Nothing."""

    @staticmethod
    def parse_devices(devices: Any) -> Any:
        """Take what was asked for."""
        return devices

    @staticmethod
    def get_parallel_devices(devices: Any) -> list[torch.device]:
        """The one device."""
        del devices
        return [DEVICE]

    @staticmethod
    def auto_device_count() -> int:
        """One."""
        return 1

    @staticmethod
    def is_available() -> bool:
        """Always."""
        return True

    @staticmethod
    def name() -> str:
        """Its name among accelerators."""
        return "fake_gpu"


@contextlib.contextmanager
def _known_to_torch() -> Iterator[None]:
    """Have torch take the fake GPU for a device with autocast and fused optimizers, as a GPU is.

    Autocast is that of the CPU here; nobody looks at the precision.
    """
    make = torch.autocast.__init__

    def make_known(self: torch.autocast, device_type: str, *args: Any, **kwargs: Any) -> None:
        make(self, _CPU.type if device_type == DEVICE.type else device_type, *args, **kwargs)

    with contextlib.ExitStack() as stack:
        stack.enter_context(patch.object(torch.autocast, "__init__", make_known))
        before = getattr(optimizer, _FUSED, None)
        if before is not None:  # a torch without this name knows such devices by another way
            known = [*before(), DEVICE.type]
            stack.enter_context(patch.object(optimizer, _FUSED, lambda: known))
        yield


def run_on_fake_gpu(work: Callable[[dict[str, Any]], Any]) -> Any:
    """Call `work(arguments)`; `L.Trainer(**arguments)` then trains on a GPU that is not there.

    Raises:
        DeviceMismatchError: an operation gets tensors of the GPU and of the CPU.
        NamedDeviceError: a tensor is to go to another device than these.
        Exception: whatever else `work` raises.
    """
    strategy = SingleDeviceStrategy(device=DEVICE, accelerator=_FakeGPU())
    arguments = {"strategy": strategy, "accelerator": "auto", "devices": 1}
    _brought_back.clear()
    with _known_to_torch(), _FromData(), _Operations():  # type: ignore[no-untyped-call]
        return work(arguments)


def judge_gpu(seen: Evidence, cost: tuple[str, ...]) -> list[Mark]:
    """The mark for an exception on the fake GPU; [] if there was none.

    Args:
        seen: what `litcourse.probing.attempts.attempt` gave of `run_on_fake_gpu`.
        cost: criteria that it costs.
    """
    known = seen.keys()  # a run without exception leaves a dict too
    if "not_measured" in known:
        return [not_measured(seen, cost)]
    if "error" not in known:
        return []
    kind, message = seen["error"]["type"].text(), seen["error"]["message"].text()
    if _OF_OURS.search(message):
        reason = "the pretended GPU of this check can't run it"
        return [NotLookedAt(cost, reason, by_machine=True)]
    if BROUGHT_BACK in message:
        expected, line = "a batch stays where Lightning put it", message.split(BROUGHT_BACK)[1]
        return [Finding("LIT007", cost, GPU_FIT, expected, "brought to the CPU", line.strip())]
    if kind == "DeviceMismatchError" or "same device" in message:
        expected, line = "tensors made on the batch's device", seen["error"]["line"].text()
        return [Finding("LIT142", cost, GPU_FIT, expected, "tensors on the CPU", line)]
    return [error_finding(seen["error"], cost)]
