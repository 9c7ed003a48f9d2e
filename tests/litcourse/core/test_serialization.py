"""Trees as bytes: what goes in comes out; other bytes are refused, and nothing else happens."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from litcourse.core import serialization
from litcourse.core.serialization import (
    MAX_BYTES,
    MAX_ENTRIES,
    MAX_HEADER,
    SerializationError,
    decode,
    encode,
)

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32,
          torch.uint8, torch.bool, torch.complex64)  # fmt: skip


def _tensor(dtype: torch.dtype, shape: list[int], seed: int) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=source, dtype=torch.float64) * 3
    return values.to(dtype)


tensors = st.builds(
    _tensor,
    st.sampled_from(DTYPES),
    st.lists(st.integers(0, 3), max_size=3),
    st.integers(0, 1000),
)
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(
    st.characters(exclude_categories=["Cs"]))  # fmt: skip
keys = st.text("ab$tensornumber é", max_size=8).filter(lambda k: k not in {"$tensor", "$number"})
trees = st.recursive(
    plain | tensors,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


def equal(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, float) and math.isnan(a):
        return math.isnan(b)
    return bool(a == b)


@settings(deadline=None, max_examples=150)
@given(trees)
def test_every_tree_comes_back(tree: Any) -> None:
    data = encode(tree)
    assert equal(decode(data), tree)
    assert encode(tree) == data


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, -0.0, 5e-324, 2**70, "", "\0"])
def test_numbers_at_the_edge_come_back(value: Any) -> None:
    assert repr(decode(encode([value]))) == repr([value])


def test_tensors_come_back_with_nan_and_infinity() -> None:
    tensor = torch.tensor([math.nan, math.inf, -math.inf, -0.0])
    back = decode(encode({"t": tensor}))["t"]
    assert torch.equal(back.nan_to_num(7, 8, 9), tensor.nan_to_num(7, 8, 9))


def test_tensors_travel_as_plain_cpu_tensors() -> None:
    from torchvision import tv_tensors

    table = torch.arange(6.0).reshape(2, 3)
    tree = [
        torch.nn.Parameter(table),
        tv_tensors.Image(torch.zeros(1, 2, 2)),
        table.T,  # not contiguous
        table[0],  # shares memory with the first
    ]
    back = decode(encode(tree))
    assert all(type(t) is torch.Tensor and not t.requires_grad for t in back)
    assert torch.equal(back[2], table.T)
    assert torch.equal(back[3], table[0])


def test_a_tuple_comes_back_as_a_list() -> None:
    assert decode(encode((1, (2, 3)))) == [1, [2, 3]]


class Number(float):
    """What a student's code could return in place of a float."""


@pytest.mark.parametrize(
    "node",
    [object(), {1: 2}, {"a": {3, 4}}, b"bytes", 1j, Number(1), type, len, [[lambda: 0]],
     {Number(1): 1}, torch.ones(3).to_sparse(), torch.float32,
     torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8)],
)  # fmt: skip
def test_what_is_no_tree_is_refused(node: Any) -> None:
    with pytest.raises(SerializationError, match="can't"):
        encode({"answer": node})


def test_a_tree_too_deep_is_refused() -> None:
    tree: Any = []
    for _ in range(100_000):
        tree = [tree]
    with pytest.raises(SerializationError):
        encode(tree)


def test_what_is_too_large_is_refused_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(torch.zeros(1000))
    monkeypatch.setattr(serialization, "MAX_BYTES", 4000)
    for refuse in (lambda: encode(torch.zeros(1000)), lambda: decode(data)):
        with pytest.raises(SerializationError, match="4000 are allowed"):
            refuse()


# --- bytes that nobody vouches for -----------------------------------------------------------


def made(tree: object, **tensors: torch.Tensor) -> bytes:
    """Bytes with any JSON as their tree."""
    return save(tensors, metadata={"tree": json.dumps(tree)})


def raw(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(shape: list[Any], end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}


META = {"__metadata__": {"tree": '{"$tensor": "t"}'}}
HOSTILE = {
    "nothing": b"",
    "a few bytes": b"\x01\x02",
    "a pickle": b"\x80\x04K\x01.",
    "zeros": bytes(64),
    "a huge header length": b"\xff" * 8 + b"{}",
    "a header longer than the file": (10**6).to_bytes(8, "little") + b"{}",
    "a header over the limit": raw(b" " * (MAX_HEADER + 1)),
    "too many bytes": bytes(MAX_BYTES + 1),
    "no metadata": save({"t": torch.ones(2)}),
    "other metadata": save({"t": torch.ones(2)}, metadata={"other": "1"}),
    "metadata that is a list": raw({"__metadata__": ["tree"]}),
    "a header that is a list": raw([1, 2]),
    "a header that is a number": raw(3),
    "a tree that is no text": raw({"__metadata__": {"tree": 3}}),
    "a tree that is no JSON": raw({"__metadata__": {"tree": "{"}}),
    "a tree nested too deep": raw({"__metadata__": {"tree": "[" * 200_000}}),
    "a deep tree that ends": raw({"__metadata__": {"tree": "[" * 50_000 + "]" * 50_000}}),
    "a header nested too deep": raw(b"[" * 200_000),
    "no UTF-8": raw(b'{"__metadata__": {"tree": "\xff"}}'),
    "an integer of too many digits": raw({"__metadata__": {"tree": "1" * 5000}}),
    "an unknown tensor": made({"$tensor": "t9"}, t=torch.ones(1)),
    "a tensor name that is a list": made({"$tensor": ["t"]}, t=torch.ones(1)),
    "a tensor name that is null": made({"$tensor": None}),
    "a number that is none": made({"$number": "many"}),
    "a number that is a list": made({"$number": []}),
    "a number that is null": made({"$number": None}),
    "a shape without end": raw({**META, "t": entry([2**62, 2**62], 4)}, bytes(4)),
    "many dimensions": raw({**META, "t": entry([1] * 100_000, 4)}, bytes(4)),
    "a large shape without elements": raw({**META, "t": entry([10**9, 0], 0)}),
    "a larger one": raw({**META, "t": entry([0, 2**63], 0)}),
    "a negative shape": raw({**META, "t": entry([-1], 4)}, bytes(4)),
    "a shape of texts": raw({**META, "t": entry(["1"], 4)}, bytes(4)),
    "a shape of fractions": raw({**META, "t": entry([1.0], 4)}, bytes(4)),
    "no shape": raw({**META, "t": {"dtype": "F32", "data_offsets": [0, 4]}}, bytes(4)),
    "an entry that is a text": raw({**META, "t": "shape"}),
    "an unknown dtype": raw({**META, "t": entry([1], 4, "F33")}, bytes(4)),
    "offsets beyond the end": raw({**META, "t": entry([1], 4)}),
    "a tensor that is named twice": made([{"$tensor": "t"}] * 2, t=torch.ones(1)),
    "too many entries": made([0] * (MAX_ENTRIES + 1)),
    "too few bytes for the shape": raw({**META, "t": entry([9], 4)}, bytes(4)),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_no_packet(data: bytes) -> None:
    with pytest.raises(SerializationError):
        decode(data)


def refused_or_read(data: bytes) -> None:
    with contextlib.suppress(SerializationError):
        decode(data)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300), st.binary(max_size=64))
def test_any_bytes_are_refused_or_read(header: bytes, body: bytes) -> None:
    refused_or_read(header)
    refused_or_read(raw(header, body))


SAMPLE = encode({"a": [1.5, float("nan"), None, "x"], "t": torch.arange(6).reshape(2, 3)})


def test_every_truncation_is_refused() -> None:
    for end in range(len(SAMPLE)):
        with pytest.raises(SerializationError):
            decode(SAMPLE[:end])


def test_every_flipped_bit_is_refused_or_read() -> None:
    for place in range(len(SAMPLE) * 8):
        data = bytearray(SAMPLE)
        data[place // 8] ^= 1 << place % 8
        refused_or_read(bytes(data))


@settings(deadline=None, max_examples=150)
@given(st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["$tensor", "$number", "a"]), inner, max_size=2),
    max_leaves=6,
))  # fmt: skip
def test_any_json_as_a_tree_is_refused_or_read(tree: Any) -> None:
    refused_or_read(made(tree, t0=torch.ones(2)))


def test_text_that_no_file_could_hold_is_made_harmless() -> None:
    back = decode(made({"a\ud800": "b\udfff"}))
    assert back == {"a?": "b?"}
    assert json.dumps(back).encode()
