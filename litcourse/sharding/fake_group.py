"""Rank 0 of a process group whose other ranks do not exist.

Collectives of torch's backend "fake" return at once and move nothing. What rank 0 holds and which
collectives it calls is exact, what it computes is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from litcourse.probing.private_names import find_private
from litcourse.sharding.sharding_error import ShardingError

_STORE = "torch.testing._internal.distributed.fake_pg.FakeStore"
_STREAM_METHODS = ("record_event", "wait_event")
"""FSDP2 calls these of a CPU stream, which lacks them in torch 2.6. Later they do nothing."""


@contextmanager
def fake_group(world_size: int) -> Iterator[None]:
    """Be rank 0 of `world_size` ranks that do not exist, while the context lasts.

    The group is that of the whole process: call it in a process without one, such as a forked rank.

    Raises:
        ShardingError: torch has no such group any more, or the group is another.
    """
    store = find_private(_STORE, ShardingError)
    for name in _STREAM_METHODS:
        if not hasattr(torch.cpu.Stream, name):
            setattr(torch.cpu.Stream, name, lambda *_: None)
    try:
        dist.init_process_group("fake", rank=0, world_size=world_size, store=store())
    except (RuntimeError, ValueError, TypeError) as error:
        raise ShardingError(_STORE, f"makes no group ({type(error).__name__}: {error})") from error
    try:
        _check(world_size)
        yield
    finally:
        if dist.is_initialized():  # who trains inside may have ended it
            dist.destroy_process_group()


def _check(world_size: int) -> None:
    """Call one collective: cheap, and proof that the group answers and waits for nobody."""
    seen = dist.get_world_size(), dist.get_rank()
    if seen != (world_size, 0):
        raise ShardingError(_STORE, f"makes rank {seen[1]} of {seen[0]}, not 0 of {world_size}")
    try:
        dist.all_gather_into_tensor(torch.empty(world_size), torch.zeros(1))
    except RuntimeError as error:
        raise ShardingError(_STORE, f"makes a group without collectives ({error})") from error
