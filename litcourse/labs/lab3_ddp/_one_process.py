"""Computes weights and metrics of one process on the batches of all ranks, and judges the ranks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from litcourse.core.comparison import largest_gap
from litcourse.core.evidence import Evidence
from litcourse.core.question import Earned, Finding, Mark
from litcourse.probing.networks import build_network
from litcourse.probing.trainers import copy_tensors

TOLERANCE = 1e-5
"""Relative difference of weights (by norm) and metrics: float32 sums in another order."""
RUN = "Trainer(strategy='ddp', devices=2).fit(SyncedClassifier(model, lr), ...)"


def one_process(shown: dict[str, Any], epochs: int, **change: Any) -> dict[str, Tensor]:
    """Weights after plain steps on the global batches; `change` puts one mistake into them.

    Args:
        shown: the drawn inputs.
        epochs: number of epochs.
        change: `loss` (a function of logits and labels), `scale` (of the learning rate),
            `optimizer` (a function of parameters and lr), `ranks` (numbers of the ranks to use).
    """
    model = build_network(shown["network"])
    loss_of: Callable[..., Tensor] = change.get("loss", F.cross_entropy)
    make = change.get("optimizer", lambda p, lr: torch.optim.SGD(p, lr=lr))
    optimizer = make(model.parameters(), shown["lr"] * change.get("scale", 1.0))
    ranks = [shown["train"][rank] for rank in change.get("ranks", range(len(shown["train"])))]
    for _ in range(epochs):
        for batches in zip(*ranks, strict=True):
            inputs, labels = (torch.cat(part) for part in zip(*batches, strict=True))
            optimizer.zero_grad()
            loss_of(model(inputs), labels).backward()
            optimizer.step()
    return copy_tensors(model.state_dict())


# --- weights ----------------------------------------------------------------------------


def judge_weights(shown: dict[str, Any], epochs: int, ranks: list[Evidence]) -> Mark:
    """Compare each rank's final weights with those of one process."""
    seen = [rank["end"].tensors() for rank in ranks]
    right = one_process(shown, epochs)
    gaps = [largest_gap(right, weights) for weights in seen]
    if max(gaps) <= TOLERANCE:
        return Earned(("weights",))
    code, got = _explain_weights(shown, epochs, seen)
    where = f"relative difference of the change, rank by rank: {_format_values(gaps)}"
    expected = "the weights of one process on the global batches"
    return Finding(code, ("weights",), RUN, expected, got, where)


def _explain_weights(
    shown: dict[str, Any], epochs: int, seen: list[dict[str, Tensor]]
) -> tuple[str, str]:
    start = shown["network"]["state"]
    if all(largest_gap(start, weights) == 0 for weights in seen):
        return "LIT3310", "no weight moved"
    if largest_gap(seen[0], seen[1]) > TOLERANCE:
        return "LIT3311", "other weights on each rank"
    for code, change, got in _list_mistakes(len(seen)):
        if largest_gap(one_process(shown, epochs, **change), seen[0]) <= TOLERANCE:
            return code, got
    return "LIT3317", "others, the same on every rank"


def _list_mistakes(world: int) -> list[tuple[str, dict[str, Any], str]]:
    """Codes of mistakes, each with its `change` of `one_process` and a note."""
    return [
        ("LIT3312", {"scale": float(world)}, f"those of {world} times the learning rate"),
        ("LIT3313", {"scale": 1.0 / world}, f"those of a learning rate divided by {world}"),
        (
            "LIT3314",
            {"loss": lambda z, y: F.cross_entropy(z, y, reduction="sum") / world},
            "those of a loss that is summed over the batch",
        ),
        ("LIT3315", {"loss": lambda z, y: F.cross_entropy(z.softmax(1), y)}, "a softmax too many"),
        ("LIT3316", {"optimizer": lambda p, lr: torch.optim.Adam(p, lr=lr)}, "those of Adam"),
        ("LIT3316", {"optimizer": lambda p, lr: torch.optim.AdamW(p, lr=lr)}, "those of AdamW"),
        (
            "LIT3316",
            {"optimizer": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)},
            "those of SGD with momentum 0.9",
        ),
        ("LIT3318", {"ranks": [0]}, "those of rank 0's batches alone"),
    ]


# --- metrics ----------------------------------------------------------------------------


def judge_metrics(shown: dict[str, Any], epochs: int, ranks: list[Evidence]) -> list[Mark]:
    """Compare each metric, in each epoch and on each rank, with its value over all ranks' samples.

    The right value comes from the ranks' own weights, so wrong weights cost only once.
    """
    ends = [list(end) for end in zip(*(rank["epochs"] for rank in ranks), strict=False)]
    return [_judge_key(key, shown, epochs, ends) for key in ("val_loss", "val_acc")]


def _judge_key(key: str, shown: dict[str, Any], epochs: int, ends: list[list[Evidence]]) -> Mark:
    """The first finding on a metric, over the `epochs` that should have ended in a validation."""
    for number, end in enumerate(ends):
        finding = _judge_metric(key, shown, end, number)
        if finding is not None:
            # The same code was right one epoch earlier.
            kept = number > 0 and finding.code == "LIT3329"
            return replace(finding, code="LIT3333") if kept else finding
    if len(ends) == epochs:
        return Earned((key,))
    got = f"{len(ends)} of {epochs} ran" if ends else "no validation ran"
    return Finding("LIT3303", (key,), RUN, "a validation in each epoch", got)


def _compute_values(key: str, shown: dict[str, Any], ends: list[Evidence]) -> list[Tensor] | None:
    """Loss or hit of each sample, rank by rank, float64; None if the weights do not fit."""
    values = []
    for end, (inputs, labels) in zip(ends, shown["val"], strict=True):
        model = build_network(shown["network"])
        right, seen = model.state_dict(), end["weights"].tensors()
        if largest_gap(right, seen) == math.inf:
            return None
        model.load_state_dict(seen)
        with torch.no_grad():
            logits = model(inputs)
        each = F.cross_entropy(logits, labels, reduction="none")
        values.append((each if key == "val_loss" else logits.argmax(1) == labels).double())
    return values


def _judge_metric(
    key: str, shown: dict[str, Any], ends: list[Evidence], epoch: int
) -> Finding | None:
    called = f"{key} after epoch {epoch}, rank by rank"
    logged = [end["logged"] for end in ends]
    present = [key in values for values in logged]
    if not all(present):
        code = "LIT3321" if any(present) else "LIT3320"
        names = ", ".join(logged[present.index(False)].keys()) or "nothing"
        absent = f"rank {present.index(False)} logged {names}"
        return Finding(code, (key,), called, f"{key} on every rank", absent)
    got = [values[key].number() for values in logged]
    values = _compute_values(key, shown, ends)
    if values is None:
        return Finding("LIT3317", (key,), called, "weights of the given network", "others")
    right = float(torch.cat(values).mean())
    if all(_is_equal(value, right) for value in got):
        return None
    code, note = _explain_value(got, values, shown["val_sizes"])
    sizes = " and ".join(str(len(part)) for part in values)
    where = f"{note}; shards of {sizes} samples" if note else f"shards of {sizes} samples"
    return Finding(code, (key,), called, f"{right:.6f} on each", _format_values(got), where)


def _is_equal(value: float, right: float) -> bool:
    return math.isfinite(value) and abs(value - right) <= TOLERANCE * max(1.0, abs(right))


def _format_values(values: list[float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _explain_value(
    got: list[float], values: list[Tensor], sizes: list[list[int]]
) -> tuple[str, str]:
    """The code of the mistake that gives exactly these values, and a note.

    Args:
        got: the value that each rank logged.
        values: loss or hit of each sample, rank by rank.
        sizes: sizes of the batches, rank by rank.
    """
    if any(not math.isfinite(value) for value in got):
        return "LIT3322", "not a finite number"
    own = [float(part.mean()) for part in values]
    batches = [
        torch.stack([chunk.mean() for chunk in part.split(own_sizes)])
        for part, own_sizes in zip(values, sizes, strict=True)
    ]
    by_batch = [float(means.mean()) for means in batches]
    every, world, means = torch.cat(values), len(values), torch.cat(batches)
    # If each batch counts as one sample, Lightning averages their number over ranks as an integer.
    as_one = float(means.sum()) / world / max(1, len(means) // world)
    candidates: list[tuple[str, list[float], str]] = [
        ("LIT3323", own, "each rank has the value of its own shard"),
        ("LIT3323", by_batch, "each rank has the mean of its own batches' means"),
        ("LIT3324", [sum(own) / world] * world, "the mean of the ranks' means"),
        ("LIT3324", [sum(by_batch) / world] * world, "the mean of means"),
        ("LIT3324", [float(means.mean())] * world, "the mean of the batches' means"),
        ("LIT3324", [as_one] * world, "every batch counted as one"),
        ("LIT3325", [sum(own)] * world, "the sum of the ranks' means"),
        ("LIT3326", [100 * float(every.mean())] * world, "in percent"),
        ("LIT3327", [float(every.sum())] * world, "a sum over the samples"),
        ("LIT3328", [own[0]] * world, "rank 0's own value on each rank"),
    ]
    for code, right, note in candidates:
        if all(_is_equal(a, b) for a, b in zip(got, right, strict=True)):
            return code, note
    by_itself = [_is_equal(got[rank], own[rank]) for rank in range(world)]
    if any(by_itself) and not all(_is_equal(value, got[0]) for value in got):
        return "LIT3323", f"rank {by_itself.index(True)} has the value of its own shard"
    gaps = [value - float(every.mean()) for value in got]
    worst = max(range(world), key=lambda rank: abs(gaps[rank]))
    return "LIT3329", f"a difference of {gaps[worst]:+.3g} on rank {worst}"
