"""Judges which samples each rank of `sampler` got, in which batches and which order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.question import Finding
from litcourse.ranks import read_rank_values

ALL = ("once", "batches", "order", "val")
VAL_FROM = 10_000
"""Number of the first validation sample; training samples count from 0."""

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


# --- two ranks --------------------------------------------------------------------------


def judge_first(shown: dict[str, Any], seen: Evidence) -> list[Finding]:
    """Judge each epoch of the first run: samples, batches and order of each rank."""
    train, val = (epochs_of(seen, "first", part) for part in ("train", "val"))
    return [
        *_judge_train(shown, train),
        *_judge_batches(shown, train),
        *_judge_order(train),
        *_judge_val(shown, val),
    ]


def judge_more_ranks(shown: dict[str, Any], seen: Evidence) -> list[Finding]:
    """Judge one epoch of three ranks, each on its own node."""
    train, val = (epochs_of(seen, "first", part) for part in ("train", "val"))
    parts = [(train, _judge_train(shown, train)), (val, _judge_val(shown, val))]
    findings = [
        replace(finding, code="LIT3414") if _have_equal_shards(epochs) else finding
        for epochs, found in parts
        for finding in found
    ]
    return [*findings, *_judge_batches(shown, train)]


def _have_equal_shards(epochs: list[Epoch]) -> bool:
    """Whether all ranks have the same samples in the first epoch, as if dealt by local rank."""
    shards = [sorted(flat(batches)) for batches in epochs[0]] if epochs else []
    return all(shard == shards[0] for shard in shards)


def _judge_train(shown: dict[str, Any], epochs: list[Epoch]) -> list[Finding]:
    for number, epoch in enumerate(epochs):
        found = _judge_shards(epoch, range(shown["train"]), f"epoch {number}", "once")
        if found:
            return found
    if not epochs:
        return [Finding("LIT3402", ("once",), "fit", "training batches", "none")]
    return []


_CODES = {
    "once": {"all": "LIT3401", "left": "LIT3402", "more": "LIT3403", "mixed": "LIT3406"},
    "val": {"all": "LIT3420", "left": "LIT3421", "more": "LIT3422", "mixed": "LIT3421"},
}


def _judge_shards(epoch: Epoch, wanted: range, called: str, cost: str) -> list[Finding]:
    """Judge that all ranks together have each of the `wanted` samples once, with few repeated."""
    world, codes = len(epoch), _CODES[cost]
    shards = [flat(batches) for batches in epoch]
    counts = Counter(number for shard in shards for number in shard)
    what = "training" if cost == "once" else "validation"
    called = f"{what} samples of {world} ranks, {called}"
    expected = f"each of {len(wanted)} once, at most {world - 1} of them twice"
    strangers = [number for number in counts if number not in wanted]
    if strangers:
        got = f"{len(strangers)} samples that are not in the {what} set"
        return [Finding("LIT3413", (cost,), called, expected, got)]
    left = [number for number in wanted if number not in counts]
    total = sum(counts.values())
    sizes = ", ".join(str(len(shard)) for shard in shards)
    where = f"shards of {sizes}"
    if not left and all(len(set(shard)) == len(wanted) for shard in shards):
        got = f"all {len(wanted)} on each rank"
        return [Finding(codes["all"], (cost,), called, expected, got, where)]
    repeated = total - len(counts)
    if left:
        code = codes["mixed"] if repeated >= world else codes["left"]
        got = f"{len(left)} left out, {repeated} repeated"
        return [Finding(code, (cost,), called, expected, got, where)]
    if repeated > world - 1:
        got = f"{repeated} repeated"
        return [Finding(codes["more"], (cost,), called, expected, got, where)]
    return []


def _judge_batches(shown: dict[str, Any], epochs: list[Epoch]) -> list[Finding]:
    size, cost = shown["batch"], ("batches",)
    for number, epoch in enumerate(epochs):
        called = f"training batches by rank, epoch {number}"
        sizes = [[len(batch) for batch in batches] for batches in epoch]
        if any(length != size for own in sizes for length in own[:-1]) or any(
            length > size for own in sizes for length in own
        ):
            got = f"batches of {sorted({length for own in sizes for length in own})}"
            return [Finding("LIT3408", cost, called, f"batches of {size}, the last smaller", got)]
        counts = [len(own) for own in sizes]
        if len(set(counts)) > 1:
            got = ", ".join(map(str, counts))
            return [Finding("LIT3407", cost, called, "equally many on each rank", got)]
    return []


def _judge_order(epochs: list[Epoch]) -> list[Finding]:
    called, cost = "training order by epoch", ("order",)
    orders = [[flat(batches) for batches in epoch] for epoch in epochs]
    if not orders or not all(map(len, orders[0])):
        return []
    for rank, first in enumerate(orders[0]):
        beginnings = "; ".join(_format_start(order[rank]) for order in orders)
        where = f"rank {rank}: {beginnings}"
        if all(_is_rising(order[rank], len(order) - 1) for order in orders):
            return [Finding("LIT3410", cost, called, "a drawn order", "the set's own order", where)]
        if any(order[rank] == first for order in orders[1:]):
            got = "the same in each epoch"
            return [Finding("LIT3409", cost, called, "a new order each epoch", got, where)]
    return []


def _format_start(order: list[int]) -> str:
    return " ".join(map(str, order[:5])) + " …"


def _is_rising(order: list[int], padded: int) -> bool:
    """Whether the numbers rise, except for at most `padded` repeated ones at the end."""
    rises = next((i + 1 for i in range(len(order) - 1) if order[i + 1] <= order[i]), len(order))
    return len(order) - rises <= padded


def _judge_val(shown: dict[str, Any], epochs: list[Epoch]) -> list[Finding]:
    wanted = range(VAL_FROM, VAL_FROM + shown["val"])
    for number, epoch in enumerate(epochs):
        called = f"epoch {number}"
        found = _judge_shards(epoch, wanted, called, "val")
        if found:
            return found
        for rank, batches in enumerate(epoch):
            order = flat(batches)
            if not _is_rising(order, len(epoch) - 1):
                where = f"rank {rank}: " + _format_start([n - VAL_FROM for n in order])
                expected, got = "the set's own order", "another"
                called = f"validation order, epoch {number}"
                return [Finding("LIT3423", ("val",), called, expected, got, where)]
    if not epochs:
        return [Finding("LIT3421", ("val",), "fit", "validation batches", "none")]
    return []


# --- the seed ---------------------------------------------------------------------------


def judge_seed(seen: Evidence) -> list[Finding]:
    """Judge that the order depends on epoch and seed alone, on every rank.

    The run "again" begins with epoch 1.
    """
    first, again, other = (
        [[flat(batches) for batches in epoch] for epoch in epochs_of(seen, run, "train")]
        for run in ("first", "again", "other")
    )
    cost = ("order",)
    if again != first[1:]:
        called = "training order of epochs 1 and 2, in a run that begins with epoch 1"
        expected = "the same for the same seed and epoch"
        if again == first[: len(again)]:
            return [Finding("LIT3415", cost, called, expected, "the order of epochs 0 and 1")]
        got = "another order in another process"
        return [Finding("LIT3411", cost, called, expected, got)]
    if other[:1] == first[:1]:
        called, got = "training order of the first epoch", "the same order"
        return [Finding("LIT3412", cost, called, "another one for another seed", got)]
    return []


def judge_seeding(seen: Evidence) -> list[Finding]:
    """Judge that the student's code does not seed the process."""
    if not any(rank["first"]["seeded"].flag() for rank in read_rank_values(seen)):
        return []
    called, expected = "torch.initial_seed() after the fit", "the seed of before"
    return [Finding("LIT3416", ("order",), called, expected, "another seed")]
