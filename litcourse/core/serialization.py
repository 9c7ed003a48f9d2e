"""Encodes inputs and evidence as one safetensors blob, with the structure as JSON in its header.

safetensors holds no code, so the grader can read evidence from a student's process without
running any of it (https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from litcourse.core.tree import Tree

_KEY = "$tensor"
_NUMBER = "$number"
MAX_BYTES = 64 * 2**20
"""`decode` refuses a longer blob before it parses it."""
MAX_HEADER = 4 * 2**20
"""`decode` refuses a longer header, in bytes: parsed JSON takes many times its length in memory."""
MAX_ENTRIES = 500_000
"""`decode` refuses more nodes: each takes a judge's time. No probe writes a fifth of them."""
MAX_DIMENSIONS = 16
_LENGTH = 8  # bytes in front of the header that hold its length


class SerializationError(ValueError):
    """Bytes that `encode` did not make, or a tree that it can't encode."""


def encode(tree: Tree) -> bytes:
    """The tree as bytes; tensors are detached, made contiguous and moved to the CPU.

    Raises:
        SerializationError: the tree holds other types than those of `Tree`, or is too large.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    try:
        text = json.dumps(_plain(tree, tensors), allow_nan=False)
        data = save(tensors, metadata={"tree": text})
    except (RecursionError, RuntimeError) as error:
        raise SerializationError(f"This can't be encoded: {error}.") from error
    _check_size(data)
    return data


def _check_size(data: bytes) -> int:
    """The length of the header of `data` in bytes."""
    if len(data) > MAX_BYTES:
        raise SerializationError(f"The evidence has {len(data)} bytes; {MAX_BYTES} are allowed.")
    length = int.from_bytes(data[:_LENGTH], "little")
    if length > MAX_HEADER:
        raise SerializationError(f"Its header has {length} bytes; {MAX_HEADER} are allowed.")
    return length


def _plain(node: Tree, tensors: dict[str, Tensor]) -> object:
    import torch

    if node is None or type(node) in {bool, int, str}:
        return node
    if type(node) is float:
        return node if math.isfinite(node) else {_NUMBER: repr(node)}
    if isinstance(node, torch.Tensor):
        if node.layout is not torch.strided or node.is_quantized:
            raise SerializationError("A tree can't hold a sparse or quantised tensor.")
        name = f"t{len(tensors)}"
        tensors[name] = node.detach().cpu().contiguous().clone()
        return {_KEY: name}
    if type(node) in {list, tuple}:
        return [_plain(child, tensors) for child in node]
    if type(node) is dict and all(type(key) is str for key in node):
        return {key: _plain(child, tensors) for key, child in node.items()}
    raise SerializationError(f"A tree can't hold a {type(node).__name__}.")


def decode(data: bytes) -> Tree:
    """The tree that `encode` turned into `data`.

    Raises:
        SerializationError: `data` is too large, or `encode` did not make it.
    """
    length = _check_size(data)
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        header = json.loads(data[_LENGTH : _LENGTH + length])
        tree = json.loads(header.pop("__metadata__")["tree"])
        for entry in header.values():
            _check_shape(entry["shape"])
        return _Reader(load(data)).tree(tree)
    except SerializationError:
        raise
    except (SafetensorError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise SerializationError(f"These bytes hold no tree: {type(error).__name__}.") from error
    except (RuntimeError, ArithmeticError) as error:  # RecursionError is a RuntimeError
        raise SerializationError(f"These bytes hold no tree: {type(error).__name__}.") from error


def _check_shape(shape: list[int]) -> None:
    """Refuse a large shape of few bytes, such as `(10**9, 0)` or a million dimensions."""
    if len(shape) > MAX_DIMENSIONS:
        raise SerializationError(f"They hold a tensor of {len(shape)} dimensions.")
    if math.prod(max(1, size) for size in shape) > MAX_BYTES:
        raise SerializationError("They hold a tensor of too many elements.")


class _Reader:
    """Makes a tree of JSON and tensors.

    It takes each tensor once: else a few bytes name one a million times, and a judge compares it as
    often.
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self._tensors, self._entries = tensors, 0

    def tree(self, node: object) -> Tree:
        """The tree of a node of JSON."""
        self._entries += 1
        if self._entries > MAX_ENTRIES:
            raise SerializationError(f"They hold more than {MAX_ENTRIES} entries.")
        if isinstance(node, str):
            return writable(node)
        if isinstance(node, list):
            return [self.tree(child) for child in node]
        if isinstance(node, dict):
            if set(node) == {_KEY}:
                return self._tensors.pop(node[_KEY])
            if set(node) == {_NUMBER}:
                return float(node[_NUMBER])
            return {writable(key): self.tree(child) for key, child in node.items()}
        return node


def writable(text: str) -> str:
    """`text` without lone surrogates, which UTF-8 can't encode."""
    return text.encode("utf-8", "replace").decode("utf-8")
