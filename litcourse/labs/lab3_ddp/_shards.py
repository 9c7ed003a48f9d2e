"""Judges which samples each rank of `sampler` got, in which batches and which order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.question import Earned, Finding, Mark, NotLookedAt
from litcourse.ranks import read_rank_values

ALL = ("once", "batches", "order", "val")
EPOCHS = 3
VAL_FROM = 10_000
"""Number of the first validation sample; training samples count from 0."""

_BATCH = {"first": "batch", "other": "large", "nodes": "default"}
"""The name of the batch size of each run among the inputs."""
Epoch = list[list[list[int]]]
"""For each rank its batches, each a list of sample numbers."""


def epochs_of(seen: Evidence, run: str, part: str) -> list[Epoch]:
    """The epochs of a run on all ranks, as many as the rank with the fewest has."""
    ranks = [
        [[batch.integers() for batch in epoch] for epoch in rank[run][part]]
        for rank in read_rank_values(seen)
    ]
    return [list(epoch) for epoch in zip(*ranks, strict=False)]


def flat(batches: list[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


# --- samples ----------------------------------------------------------------------------


def judge_samples(shown: dict[str, Any], seen: Evidence, run: str, number: int) -> list[Mark]:
    """Judge samples and batches of each rank, in each of the `number` epochs of a run.

    Args:
        shown: the drawn inputs.
        seen: the evidence of all ranks.
        run: "first", "nodes", or "other", which has large batches and another validation set.
        number: epochs of the run.
    """
    train, val = (epochs_of(seen, run, part) for part in ("train", "val"))
    if len(train) != number:
        marks: list[Mark] = [_count_finding("LIT3402", "once", train, number)]
    else:
        size = shown[_BATCH[run]]
        marks = [_judge_train(shown, train), _judge_batches(size, train)]
    if len(val) != number:
        return [*marks, _count_finding("LIT3421", "val", val, number)]
    return [*marks, _judge_val(shown["val_more" if run == "other" else "val"], val)]


def _count_finding(code: str, cost: str, epochs: list[Epoch], number: int) -> Finding:
    """The finding that some epoch had no batches on some rank, and so is not there."""
    what = "training" if cost == "once" else "validation"
    expected, got = f"{what} batches in {number} epochs", f"in {len(epochs)} of them"
    return Finding(code, (cost,), "fit", expected, got if epochs else "none")


def judge_nodes(shown: dict[str, Any], seen: Evidence) -> list[Mark]:
    """Judge one epoch on three nodes of one rank."""
    parts = {"once": "train", "val": "val"}
    equal = {
        name for name, part in parts.items() if _have_equal_shards(epochs_of(seen, "nodes", part))
    }
    return [
        replace(mark, code="LIT3414")
        if isinstance(mark, Finding) and equal & set(mark.criteria)
        else mark
        for mark in judge_samples(shown, seen, "nodes", 1)
    ]


def _have_equal_shards(epochs: list[Epoch]) -> bool:
    """Whether all ranks have the same samples in the first epoch, as if dealt by local rank."""
    shards = [sorted(flat(batches)) for batches in epochs[0]] if epochs else []
    return all(shard == shards[0] for shard in shards)


def _judge_train(shown: dict[str, Any], epochs: list[Epoch]) -> Mark:
    for number, epoch in enumerate(epochs):
        found = _judge_shards(epoch, range(shown["train"]), f"epoch {number}", "once")
        if found:
            return found
    return Earned(("once",))


_CODES = {
    "once": {"all": "LIT3401", "left": "LIT3402", "more": "LIT3403", "mixed": "LIT3406"},
    "val": {"all": "LIT3420", "left": "LIT3421", "more": "LIT3422", "mixed": "LIT3421"},
}


def _judge_shards(epoch: Epoch, wanted: range, called: str, cost: str) -> Finding | None:
    """The finding if not all ranks together have each of the `wanted` once, few repeated."""
    world, codes = len(epoch), _CODES[cost]
    shards = [flat(batches) for batches in epoch]
    counts = Counter(number for shard in shards for number in shard)
    what = "training" if cost == "once" else "validation"
    called = f"{what} samples of {world} ranks, {called}"
    expected = f"each of {len(wanted)} once, at most {world - 1} of them twice"
    strangers = [number for number in counts if number not in wanted]
    if strangers:
        got = f"{len(strangers)} samples that are not in the {what} set"
        return Finding("LIT3413", (cost,), called, expected, got)
    left = [number for number in wanted if number not in counts]
    total = sum(counts.values())
    sizes = ", ".join(str(len(shard)) for shard in shards)
    where = f"shards of {sizes}"
    if not left and all(len(set(shard)) == len(wanted) for shard in shards):
        got = f"all {len(wanted)} on each rank"
        return Finding(codes["all"], (cost,), called, expected, got, where)
    repeated = total - len(counts)
    if left:
        code = codes["mixed"] if repeated >= world else codes["left"]
        got = f"{len(left)} left out, {repeated} repeated"
        return Finding(code, (cost,), called, expected, got, where)
    if repeated > world - 1:
        got = f"{repeated} repeated"
        return Finding(codes["more"], (cost,), called, expected, got, where)
    return None


def _judge_batches(size: int, epochs: list[Epoch]) -> Mark:
    cost = ("batches",)
    for number, epoch in enumerate(epochs):
        called = f"training batches by rank, epoch {number}"
        sizes = [[len(batch) for batch in batches] for batches in epoch]
        if any(length != size for own in sizes for length in own[:-1]) or any(
            not 0 < length <= size for own in sizes for length in own
        ):
            got = f"batches of {sorted({length for own in sizes for length in own})}"
            return Finding("LIT3408", cost, called, f"batches of {size}, the last smaller", got)
        counts = [len(own) for own in sizes]
        if len(set(counts)) > 1 or not all(counts):
            got = ", ".join(map(str, counts))
            return Finding("LIT3407", cost, called, "equally many on each rank", got)
    return Earned(cost)


def _judge_val(count: int, epochs: list[Epoch]) -> Mark:
    wanted = range(VAL_FROM, VAL_FROM + count)
    for number, epoch in enumerate(epochs):
        found = _judge_shards(epoch, wanted, f"epoch {number}", "val")
        if found:
            return found
        for rank, batches in enumerate(epoch):
            order = flat(batches)
            if not _is_rising(order, len(epoch) - 1):
                where = f"rank {rank}: " + _format_start([n - VAL_FROM for n in order])
                expected, got = "the set's own order", "another"
                called = f"validation order, epoch {number}"
                return Finding("LIT3423", ("val",), called, expected, got, where)
    return Earned(("val",))


# --- the order --------------------------------------------------------------------------


def judge_order(seen: Evidence, on_nodes: Evidence | None) -> Mark:
    """Judge that the order is new in each epoch, and depends on epoch and seed alone.

    The run "again" begins with epoch 1.

    Args:
        seen: the evidence of all ranks on one node.
        on_nodes: that of all nodes, whose seed is a third one; None if it failed.
    """
    first, again, other = (_orders(seen, run) for run in ("first", "again", "other"))
    counts = [len(orders) for orders in (first, again, other)]
    if counts != [EPOCHS, EPOCHS - 1, 1] or not all(map(all, (*first, *again, *other))):
        return NotLookedAt(("order",), "some rank had no training samples in some epoch")
    return (
        _judge_epochs(first)
        or _judge_again(first, again)
        or _judge_seed(first, other)
        or _judge_seed(other, _orders(on_nodes, "nodes") if on_nodes else [])
        or _judge_seeding(seen)
        or Earned(("order",))
    )


def _orders(seen: Evidence, run: str) -> list[list[list[int]]]:
    """By epoch and rank the samples in their order."""
    return [[flat(batches) for batches in epoch] for epoch in epochs_of(seen, run, "train")]


def _judge_epochs(orders: list[list[list[int]]]) -> Finding | None:
    """The finding on a rank that is not shuffled, or has one order in two epochs."""
    called, cost = "training order by epoch", ("order",)
    for rank, first in enumerate(orders[0]):
        beginnings = "; ".join(_format_start(order[rank]) for order in orders)
        where = f"rank {rank}: {beginnings}"
        if all(_is_rising(order[rank], len(order) - 1) for order in orders):
            return Finding("LIT3410", cost, called, "a drawn order", "the set's own order", where)
        if any(order[rank] == first for order in orders[1:]):
            got = "the same in each epoch"
            return Finding("LIT3409", cost, called, "a new order each epoch", got, where)
    return None


def _format_start(order: list[int]) -> str:
    return " ".join(map(str, order[:5])) + " …"


def _is_rising(order: list[int], padded: int) -> bool:
    """Whether the numbers rise, except for at most `padded` repeated ones at the end."""
    rises = next((i + 1 for i in range(len(order) - 1) if order[i + 1] <= order[i]), len(order))
    return len(order) - rises <= padded


def _judge_again(first: list[list[list[int]]], again: list[list[list[int]]]) -> Finding | None:
    """The finding if a run that begins with epoch 1 has another order than that epoch had."""
    if again == first[1:]:
        return None
    called = "training order of epochs 1 and 2, in a run that begins with epoch 1"
    expected, cost = "the same for the same seed and epoch", ("order",)
    if again == first[:-1]:
        return Finding("LIT3415", cost, called, expected, "the order of epochs 0 and 1")
    where = "made without the argument seed, whose default is 0"
    return Finding("LIT3411", cost, called, expected, "another order in another process", where)


def _judge_seed(first: list[list[list[int]]], other: list[list[list[int]]]) -> Finding | None:
    if first[:1] != other[:1]:
        return None
    called, got = "training order of the first epoch", "the same order"
    return Finding("LIT3412", ("order",), called, "another one for another seed", got)


def _judge_seeding(seen: Evidence) -> Finding | None:
    """The finding if the student's code seeds the process."""
    runs = [rank[run] for rank in read_rank_values(seen) for run in ("first", "again", "other")]
    if not any(run["seeded"].flag() for run in runs):
        return None
    called, expected = "torch.initial_seed() after the fit", "the seed of before"
    return Finding("LIT3416", ("order",), called, expected, "another seed")
