"""Inputs and evidence as bytes: one safetensors blob, its structure as JSON in the header.

safetensors holds no code, so what comes out of a student's process can be read without
running anything of it (https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from litcourse.question import Tree

_KEY = "$tensor"
_NUMBER = "$number"
MAX_BYTES = 64 * 2**20
"""A packet larger than this is refused, before it is parsed."""


class PacketError(ValueError):
    """Bytes that are no packet, or a tree that can't become one."""


def encode(tree: Tree) -> bytes:
    """The tree as bytes; tensors are detached, made contiguous and moved to the CPU.

    Raises:
        PacketError: the tree holds something else than the types of `Tree`.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    text = json.dumps(_plain(tree, tensors), allow_nan=False)
    return save(tensors, metadata={"tree": text})


def _plain(node: Tree, tensors: dict[str, Tensor]) -> object:
    import torch

    if node is None or type(node) in {bool, int, str}:
        return node
    if type(node) is float:
        return node if math.isfinite(node) else {_NUMBER: repr(node)}
    if isinstance(node, torch.Tensor):
        name = f"t{len(tensors)}"
        tensors[name] = node.detach().cpu().contiguous().clone()
        return {_KEY: name}
    if type(node) in {list, tuple}:
        return [_plain(child, tensors) for child in node]
    if type(node) is dict and all(type(key) is str for key in node):
        return {key: _plain(child, tensors) for key, child in node.items()}
    raise PacketError(f"A packet can't hold a {type(node).__name__}.")


def decode(data: bytes) -> Tree:
    """The tree that `encode` made into `data`.

    Raises:
        PacketError: `data` is too large, or was not made by `encode`.
    """
    if len(data) > MAX_BYTES:
        raise PacketError(f"The packet has {len(data)} bytes; {MAX_BYTES} are allowed.")
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        tree = json.loads(header["__metadata__"]["tree"])
        return _tree(tree, load(data))
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise PacketError(f"This is no packet: {type(error).__name__}.") from error


def _tree(node: object, tensors: dict[str, Tree]) -> Tree:
    if isinstance(node, list):
        return [_tree(child, tensors) for child in node]
    if isinstance(node, dict):
        if set(node) == {_KEY}:
            return tensors[node[_KEY]]
        if set(node) == {_NUMBER}:
            return float(node[_NUMBER])
        return {key: _tree(child, tensors) for key, child in node.items()}
    return node
