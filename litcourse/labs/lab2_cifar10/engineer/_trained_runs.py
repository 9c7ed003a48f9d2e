"""Judges the steps and files of the two runs of `engineer`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.marks import find_findings, first_of_each, merge
from litcourse.core.question import Earned, Finding, Inputs, Mark, NotLookedAt
from litcourse.labs.lab2_cifar10.engineer._csv_log import curve_of, judge_log
from litcourse.labs.lab2_cifar10.engineer._resolved_trainers import (
    ALL,
    exception_finding,
    format_call,
)

VAL_BATCHES = 2
STEP_TOLERANCE = 1e-3
"""Relative to one step's length; bf16-mixed computes these products in float32."""


def judge_runs(inputs: Inputs, runs: Evidence) -> list[Mark]:
    """Judge the steps and files of two runs; of findings with one code the first."""
    each = [
        _judge_run(inputs, run, runs[name], f"fit after {format_call(_arguments(run), '')}")
        for name, run in inputs.shown["runs"].items()
    ]
    for finding in (finding for marks in each for finding in find_findings(marks)):
        if finding.criteria == ALL:
            return [finding]
    return first_of_each(merge(each))


def _arguments(run: dict[str, Any]) -> dict[str, Any]:
    return {**run["arguments"], "accelerator": "cpu", "devices": 1}


def takes_right_steps(inputs: Inputs, runs: Evidence) -> bool:
    """Whether the run with clipping and accumulation ended after the right steps."""
    run, seen = inputs.shown["runs"]["tuned"], runs["tuned"]
    if "error" in seen or seen["returned"].text() != "Trainer":
        return False
    return isinstance(_judge_steps(inputs, run, seen, ""), Earned)


def _judge_run(inputs: Inputs, run: dict[str, Any], seen: Evidence, called: str) -> list[Mark]:
    if "error" in seen:
        return [_judge_error(seen["error"], called)]
    if seen["returned"].text() != "Trainer":
        return [Finding("LIT2300", ALL, called, "a lightning Trainer", seen["returned"].text())]
    steps = _judge_steps(inputs, run, seen, called)
    if seen["epochs"].integer() < 1:
        return [steps]
    # What follows is judged by the epochs that there were: too few or too many cost once.
    return [
        _judge_precision(run, seen, called),
        steps,
        _judge_best(run, seen, called),
        _judge_last(seen, called),
        _judge_validated(seen, called) or judge_log(inputs, run, seen, called),
        _judge_place(seen, called),
    ]


def _judge_error(error: Evidence, called: str) -> Finding:
    found = exception_finding(error, ALL)
    if "has no logger" in found.got:
        return Finding("LIT2340", ("log",), called, "a CSV log", found.got)
    if "with an interactive environment" in found.got:
        return Finding("LIT2365", ALL, called, 'strategy="auto"', found.got)
    return found


def _judge_validated(seen: Evidence, called: str) -> Finding | None:
    """Judge that validation ran once after each epoch, on all batches of its loader."""
    epochs, cost = seen["epochs"].integer(), ("log",)
    validations, batches = len(seen["validated"].integers()), seen["val_batches"].integer()
    if validations != epochs:
        expected = f"{epochs} validations in {epochs} epochs"
        return Finding("LIT2363", cost, called, expected, f"{validations}")
    if batches != validations * VAL_BATCHES:
        expected = f"{validations * VAL_BATCHES} validation batches"
        return Finding("LIT2361", cost, called, expected, f"{batches}")
    return None


def _judge_precision(run: dict[str, Any], seen: Evidence, called: str) -> Mark:
    mixed = run["arguments"].get("precision") == "bf16-mixed"
    wanted = "torch.bfloat16" if mixed else "torch.float32"
    dtypes = set(seen["dtypes"].texts())
    if dtypes == {wanted}:
        return Earned(("precision",))
    got = ", ".join(sorted(dtypes)) or "none"
    return Finding("LIT2312", ("precision",), called, f"products in {wanted}", got)


def _judge_steps(inputs: Inputs, run: dict[str, Any], seen: Evidence, called: str) -> Mark:
    """Judge that each epoch has all batches, and each step its length and direction."""
    arguments, cost = run["arguments"], ("steps",)
    epochs, ran = arguments["max_epochs"], seen["epochs"].integer()
    if ran != epochs:
        got = f"more than {epochs}" if ran > epochs else f"{ran}"
        return Finding("LIT2320", cost, called, f"{epochs} epochs", got)
    window, batches = arguments.get("accumulate", 1), len(inputs.shown["rows"])
    trained = len(seen["dtypes"].texts())
    if trained != epochs * batches:
        expected = f"{epochs * batches} training batches"
        return Finding("LIT2361", cost, called, expected, f"{trained}")
    wanted = epochs * -(-batches // window)
    rates = seen["rates"].numbers()
    if len(rates) != wanted:
        expected, got = f"{wanted} optimizer steps", f"{len(rates)}"
        return Finding("LIT2321", cost, called, expected, got)
    weights_seen = _read_vectors(inputs, seen["places"], wanted + 1)
    # The loss is linear, so the right gradients are known even if a hook changes the real ones.
    slopes = _compute_gradients(inputs.shown["rows"], window) * epochs
    clip = arguments.get("clip")
    for step, (rate, slope) in enumerate(zip(rates, slopes, strict=True)):
        moved = (weights_seen[step] - weights_seen[step + 1]) / max(rate, 1e-9)
        if torch.allclose(moved, _clip(slope, clip), rtol=STEP_TOLERANCE, atol=1e-4):
            continue
        by_value = clip is not None and torch.allclose(
            moved, slope.clamp(-clip, clip), rtol=STEP_TOLERANCE, atol=1e-4
        )
        norm, was = float(moved.norm()), float(slope.norm())
        expected = f"a gradient of norm {min(was, clip) if clip else was:.4f}"
        code = "LIT2323" if by_value else "LIT2322"
        got = f"norm {norm:.4f}" + (", clipped by value" if by_value else "")
        return Finding(code, cost, called, expected, got, f"step {step}")
    return Earned(cost)


def _compute_gradients(rows: Tensor, window: int) -> list[Tensor]:
    """The gradient of each step of an epoch; Lightning divides a shorter window by `window` too."""
    return [part.sum(dim=0) / window for part in rows.split(window)]


def _clip(slope: Tensor, clip: float | None) -> Tensor:
    if clip is None:
        return slope
    shorter: Tensor = slope * min(1.0, clip / (float(slope.norm()) + 1e-6))
    return shorter


def _read_vectors(inputs: Inputs, nodes: Evidence, count: int) -> list[Tensor]:
    found = [node.tensor() for node in nodes]
    width = inputs.shown["rows"].shape[1:]
    if len(found) != count or any(v.shape != width or v.dtype != torch.float32 for v in found):
        raise MalformedError(nodes.path, f"{count} vectors")
    return found


def _judge_best(run: dict[str, Any], seen: Evidence, called: str) -> Mark:
    """Judge the best checkpoint, of the epochs that were validated."""
    curve, cost = curve_of(run, seen), ("best",)
    known = {
        epoch: curve[epoch] for epoch in seen["validated"].integers() if epoch in range(len(curve))
    }
    if not known:
        return NotLookedAt(cost, "no epoch was validated")
    wanted = max(known, key=lambda epoch: known[epoch])
    expected = f"the checkpoint of epoch {wanted}, by val_acc"
    watching = [c for c in seen["checkpoints"] if c["monitor"].text() == "val_acc"]
    if not watching:
        return Finding("LIT2330", cost, called, expected, "none that monitors val_acc")
    marks = [_read_epoch(c["best"]) for c in watching]
    if wanted in marks:
        return Earned(cost)
    got = "no file" if marks[0] is None else f"that of epoch {marks[0]}"
    lowest = marks[0] in known and known[marks[0]] == min(known.values())
    return Finding("LIT411" if lowest else "LIT413", cost, called, expected, got)


def _judge_last(seen: Evidence, called: str) -> Mark:
    """Judge that a run can resume from a file of the last epoch or of `save_last`."""
    final, cost = seen["epochs"].integer() - 1, ("last",)
    saved = list(seen["saved"])
    last = [c["last"] for c in seen["checkpoints"] if _read_epoch(c["last"]) is not None]
    last += [file for file in saved if _read_epoch(file) == final]
    if any(file["resumable"].flag() for file in last):
        return Earned(cost)
    if last:
        expected, got = "a last checkpoint to go on from", "no state of the optimizer in it"
        return Finding("LIT2532", cost, called, expected, got)
    epochs = sorted({epoch for file in saved if (epoch := _read_epoch(file)) is not None})
    got = f"files of epochs {epochs}" if epochs else "no checkpoint under run_dir"
    expected = f"a checkpoint of epoch {final}, or what save_last=True writes"
    return Finding("LIT2331", cost, called, expected, got)


def _read_epoch(saved: Evidence) -> int | None:
    """The epoch of a checkpoint file; None if there is no file."""
    return None if saved["epoch"].is_none else saved["epoch"].integer()


def _judge_place(seen: Evidence, called: str) -> Mark:
    elsewhere, cost = seen["elsewhere"].texts(), ("place",)
    if elsewhere:
        got = ", ".join(elsewhere[:3])
        return Finding("LIT2350", cost, called, "nothing written outside of run_dir", got)
    if seen["files"].texts():
        return Earned(cost)
    return NotLookedAt(cost, "the run wrote no file")
