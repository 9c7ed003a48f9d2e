"""Judges the resolved Trainers of `engineer`, and the steps and files of its two runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.known_errors import error_finding
from litcourse.core.question import Finding, Inputs
from litcourse.labs.lab2_cifar10.engineer._csv_log import judge_log

ALL = ("hardware", "precision", "steps", "best", "last", "log", "place")
VAL_BATCHES = 2
STEP_TOLERANCE = 1e-3
"""Relative to one step's length; bf16-mixed computes these products in float32."""
UNSET = {"accumulate": 1, "clip_val": None}
"""The Trainer's defaults for accumulation and clipping."""
OF_HARDWARE = {"LIT013": "LIT2310", "LIT007": "LIT2364"}
"""Codes of exceptions that have another cause, and another remedy, when a Trainer is made."""


def _format_call(arguments: dict[str, Any], machine: str) -> str:
    words = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"make_trainer({words}, run_dir=...) {machine}"


def by_other_means(inputs: Inputs, runs: Evidence) -> set[str]:
    """Settings that a run followed although its Trainer has the default: a callback did it.

    For these settings a Trainer that never runs shows nothing.
    """
    run, seen = inputs.shown["runs"]["tuned"], runs["tuned"]
    if "error" in seen or seen["returned"].text() != "Trainer":
        return set()
    ended = seen["epochs"].integer() == run["arguments"]["max_epochs"]
    if not ended or _judge_steps(inputs, run, seen, ""):
        return set()
    return {name for name, value in UNSET.items() if _read_setting(seen, name) == value}


def judge_made(inputs: Inputs, made: Evidence, free: set[str]) -> list[Finding]:
    """The first difference of each kind between the arguments and the resolved Trainers.

    Args:
        inputs: the inputs of the check.
        made: evidence of the Trainers that `make_trainer` made.
        free: settings that may keep their default, from `by_other_means`.
    """
    found: dict[str, Finding] = {}
    broken: list[Finding] = []
    entries = list(made)
    if len(entries) != len(inputs.shown["made"]):
        raise MalformedError(made.path, "entry for each call")
    for one, seen in zip(inputs.shown["made"], entries, strict=True):
        gpus = one["gpus"]
        called = _format_call(
            one["arguments"], f"on a machine with {gpus} GPU{'' if gpus == 1 else 's'}"
        )
        if "error" in seen:
            broken.append(replace(_exception_finding(seen["error"], ("hardware",)), called=called))
            continue
        if seen["returned"].text() != "Trainer":
            got = seen["returned"].text()
            return [Finding("LIT2300", ALL, called, "a lightning Trainer", got)]
        for finding in _judge_resolved(one["arguments"], gpus, seen, called, free):
            found.setdefault(finding.criteria[0], finding)
    if len(broken) == len(entries):
        return [replace(broken[0], criteria=ALL)]
    # A Trainer that needs a GPU explains most, then a wrong Trainer, then another exception.
    needs_gpu = next((f for f in broken if f.code in OF_HARDWARE.values()), None)
    hardware = needs_gpu or found.get("hardware") or next(iter(broken), None)
    rest = [finding for criterion, finding in found.items() if criterion != "hardware"]
    return [hardware, *rest] if hardware else rest


def _exception_finding(error: Evidence, criteria: tuple[str, ...]) -> Finding:
    found = error_finding(error, criteria)
    return replace(found, code=OF_HARDWARE.get(found.code, found.code))


def world_size(arguments: dict[str, Any], gpus: int) -> int:
    """The number of processes that `devices` means on a machine with `gpus` GPUs."""
    devices = arguments.get("devices", "auto")
    if isinstance(devices, list):
        return len(devices)
    if devices == "auto":
        return max(1, gpus) if arguments.get("accelerator", "auto") != "cpu" else 1
    return int(devices)


def _judge_resolved(
    arguments: dict[str, Any], gpus: int, seen: Evidence, called: str, free: set[str]
) -> list[Finding]:
    on_gpu = gpus > 0 and arguments.get("accelerator", "auto") != "cpu"
    accelerator = "CUDAAccelerator" if on_gpu else "CPUAccelerator"
    wanted: list[tuple[str, str, str, Any]] = [
        ("LIT2310", "hardware", "accelerator", accelerator),
        ("LIT2311", "hardware", "world_size", world_size(arguments, gpus)),
        ("LIT2312", "precision", "precision", arguments.get("precision", "32-true")),
        ("LIT2320", "steps", "max_epochs", arguments["max_epochs"]),
    ]
    devices = arguments.get("devices")
    if isinstance(devices, list):
        wanted.append(("LIT2311", "hardware", "root_device", f"cuda:{devices[0]}"))
    if world_size(arguments, gpus) == 1:
        wanted.append(("LIT2365", "hardware", "strategy", "SingleDeviceStrategy"))
    found = []
    for code, criterion, name, right in wanted:
        got = _read(seen[name], right)
        if got != right:
            exact = _refine_code(code, right, got)
            found.append(Finding(exact, (criterion,), called, f"{name} {right}", f"{got}"))
    return [*found, *_judge_step_settings(arguments, seen, called, free)]


def _judge_step_settings(
    arguments: dict[str, Any], seen: Evidence, called: str, free: set[str]
) -> list[Finding]:
    cost, found = ("steps",), []
    clip = arguments.get("clip")
    wanted = {"accumulate": arguments.get("accumulate", 1), "clip_val": clip}
    codes = {"accumulate": "LIT2321", "clip_val": "LIT2322"}
    for name, right in wanted.items():
        setting = _read_setting(seen, name)
        if setting == right or (name in free and setting == UNSET[name]):
            continue
        expected = f"{name} {right}"
        if name == "accumulate" and setting is None:  # not an integer, so no run takes a step
            return [Finding("LIT2366", ALL, called, expected, seen["accumulate_text"].text())]
        found.append(Finding(codes[name], cost, called, expected, f"{setting}"))
    if clip is not None and seen["clip_algorithm"].is_none is False:
        algorithm = seen["clip_algorithm"].text()
        if algorithm != "norm":
            found.append(Finding("LIT2323", cost, called, "clipping by norm", algorithm))
    return found


def _read_setting(seen: Evidence, name: str) -> float | None:
    """A Trainer's `accumulate` or `clip_val`; None for a `clip_val` that does not clip."""
    if seen[name].is_none:
        return None
    number = seen[name].number()
    # Lightning clips only if the value is above 0; clipping to inf changes nothing.
    return None if name == "clip_val" and (number <= 0 or number == math.inf) else number


def _read(node: Evidence, like: Any) -> Any:
    """The node's value as text or number, whichever `like` is."""
    if node.is_none:
        return None
    if isinstance(like, str):
        return node.text()
    number = node.number()
    return int(number) if isinstance(like, int) and number == int(number) else number


def _refine_code(code: str, right: Any, got: Any) -> str:
    if code == "LIT2312" and "bf16" in str(right) and str(got).startswith("16"):
        return "LIT2313"
    return code


# --- the runs -----------------------------------------------------------------------------


def judge_runs(inputs: Inputs, runs: Evidence, blamed: list[Finding]) -> list[Finding]:
    """Judge the steps and files of two runs, without criteria that `blamed` already costs."""
    lost = {criterion for finding in blamed for criterion in finding.criteria}
    found: dict[str, Finding] = {}
    for name, run in inputs.shown["runs"].items():
        arguments = {**run["arguments"], "accelerator": "cpu", "devices": 1}
        called = "fit after " + _format_call(arguments, "")
        for finding in _judge_run(inputs, run, runs[name], called):
            if finding.criteria == ALL:
                return [finding]
            if not set(finding.criteria) <= lost:
                found.setdefault(finding.code, finding)
    return list(found.values())


def _judge_run(inputs: Inputs, run: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    if "error" in seen:
        return [_judge_error(seen["error"], called)]
    if seen["returned"].text() != "Trainer":
        return [Finding("LIT2300", ALL, called, "a lightning Trainer", seen["returned"].text())]
    epochs, wanted = seen["epochs"].integer(), run["arguments"]["max_epochs"]
    if epochs != wanted:
        got = f"more than {wanted}" if epochs > wanted else f"{epochs}"
        return [Finding("LIT2320", ("steps",), called, f"{wanted} epochs", got)]
    # If validation skipped epochs, the best epoch is another one.
    best = _judge_best(run, seen, called) if seen["validations"].integer() == wanted else []
    return [
        *_judge_precision(run, seen, called),
        *(_judge_trained(inputs, run, seen, called) or _judge_steps(inputs, run, seen, called)),
        *best,
        *_judge_last(run, seen, called),
        *(_judge_validated(run, seen, called) or judge_log(inputs, run, seen, called)),
        *_judge_place(seen, called),
    ]


def _judge_error(error: Evidence, called: str) -> Finding:
    found = _exception_finding(error, ALL)
    if "has no logger" in found.got:
        return Finding("LIT2340", ("log",), called, "a CSV log", found.got)
    if "with an interactive environment" in found.got:
        return Finding("LIT2365", ALL, called, 'strategy="auto"', found.got)
    return found


def _judge_trained(
    inputs: Inputs, run: dict[str, Any], seen: Evidence, called: str
) -> list[Finding]:
    """Judge that each epoch had all batches of the training loader."""
    wanted = run["arguments"]["max_epochs"] * len(inputs.shown["rows"])
    got = len(seen["dtypes"].texts())
    if got == wanted:
        return []
    return [Finding("LIT2361", ("steps",), called, f"{wanted} training batches", f"{got}")]


def _judge_validated(run: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    """Judge that validation ran once after each epoch, on all batches of its loader."""
    epochs, cost = run["arguments"]["max_epochs"], ("log",)
    validations, batches = seen["validations"].integer(), seen["val_batches"].integer()
    if validations != epochs:
        expected = f"{epochs} validations in {epochs} epochs"
        return [Finding("LIT2363", cost, called, expected, f"{validations}")]
    if batches != validations * VAL_BATCHES:
        expected = f"{validations * VAL_BATCHES} validation batches"
        return [Finding("LIT2361", cost, called, expected, f"{batches}")]
    return []


def _judge_precision(run: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    mixed = run["arguments"].get("precision") == "bf16-mixed"
    wanted = "torch.bfloat16" if mixed else "torch.float32"
    dtypes = set(seen["dtypes"].texts())
    if dtypes == {wanted}:
        return []
    got = ", ".join(sorted(dtypes)) or "none"
    return [Finding("LIT2312", ("precision",), called, f"products in {wanted}", got)]


def _judge_steps(inputs: Inputs, run: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    """Judge each step's length and direction by the weights before and after it."""
    arguments, cost = run["arguments"], ("steps",)
    window, batches = arguments.get("accumulate", 1), len(inputs.shown["rows"])
    wanted = arguments["max_epochs"] * -(-batches // window)
    rates = seen["rates"].numbers()
    if len(rates) != wanted:
        expected, got = f"{wanted} optimizer steps", f"{len(rates)}"
        return [Finding("LIT2321", cost, called, expected, got)]
    weights_seen = _read_vectors(inputs, seen["places"], wanted + 1)
    # The loss is linear, so the right gradients are known even if a hook changes the real ones.
    slopes = _compute_gradients(inputs.shown["rows"], window) * arguments["max_epochs"]
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
        return [Finding(code, cost, called, expected, got, f"step {step}")]
    return []


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


def _judge_best(run: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    curve, cost = run["curve"], ("best",)
    ran = seen["epochs"].integer()
    wanted = curve.index(max(curve))
    expected = f"the checkpoint of epoch {wanted}, by val_acc"
    watching = [c for c in seen["checkpoints"] if c["monitor"].text() == "val_acc"]
    if not watching:
        return [Finding("LIT2330", cost, called, expected, "none that monitors val_acc")]
    marks = [_read_epoch(c["best"]) for c in watching]
    if wanted in marks:
        return []
    got = "no file" if marks[0] is None else f"that of epoch {marks[0]}"
    lowest = marks[0] is not None and curve[marks[0] : marks[0] + 1] == [min(curve[:ran])]
    return [Finding("LIT411" if lowest else "LIT413", cost, called, expected, got)]


def _judge_last(run: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    """Judge that a run can resume from a file of the last epoch or of `save_last`."""
    final, cost = run["arguments"]["max_epochs"] - 1, ("last",)
    saved = list(seen["saved"])
    last = [c["last"] for c in seen["checkpoints"] if _read_epoch(c["last"]) is not None]
    last += [file for file in saved if _read_epoch(file) == final]
    if any(file["resumable"].flag() for file in last):
        return []
    if last:
        expected, got = "a last checkpoint to go on from", "no state of the optimizer in it"
        return [Finding("LIT2532", cost, called, expected, got)]
    epochs = sorted({epoch for file in saved if (epoch := _read_epoch(file)) is not None})
    got = f"files of epochs {epochs}" if epochs else "no checkpoint under run_dir"
    expected = f"a checkpoint of epoch {final}, or what save_last=True writes"
    return [Finding("LIT2331", cost, called, expected, got)]


def _read_epoch(saved: Evidence) -> int | None:
    """The epoch of a checkpoint file; None if there is no file."""
    return None if saved["epoch"].is_none else saved["epoch"].integer()


def _judge_place(seen: Evidence, called: str) -> list[Finding]:
    elsewhere = seen["elsewhere"].texts()
    if not elsewhere:
        return []
    got = ", ".join(elsewhere[:3])
    return [Finding("LIT2350", ("place",), called, "nothing written outside of run_dir", got)]
