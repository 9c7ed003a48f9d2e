"""The judge's parts of `engineer`: what Trainers resolved to, and what two runs did and left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from litcourse.evidence import Evidence, MalformedError, close
from litcourse.known_errors import error_finding
from litcourse.question import Draw, Finding

ALL = ("hardware", "precision", "steps", "best", "last", "log", "place")
STEP_TOLERANCE = 1e-3
"""Relative, of one step's length; bf16-mixed leaves these products in float32."""


def _call(arguments: dict[str, Any], machine: str) -> str:
    words = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"make_trainer({words}, run_dir=...) {machine}"


def judge_made(draw: Draw, made: Evidence) -> list[Finding]:
    """The first difference of each kind between what was asked for and what was resolved."""
    found: dict[str, Finding] = {}
    broken: list[Finding] = []
    entries = list(made)
    if len(entries) != len(draw.given["made"]):
        raise MalformedError(made.place, "entry for each call")
    for one, seen in zip(draw.given["made"], entries, strict=True):
        gpus = one["gpus"]
        called = _call(one["arguments"], f"on a machine with {gpus} GPU{'' if gpus == 1 else 's'}")
        if "error" in seen:
            broken.append(replace(error_finding(seen["error"], ("hardware",)), called=called))
            continue
        if seen["returned"].text() != "Trainer":
            got = seen["returned"].text()
            return [Finding("LIT2300", ALL, called, "a lightning Trainer", got)]
        for finding in _differences(one["arguments"], gpus, seen, called):
            found.setdefault(finding.criteria[0], finding)
    if len(broken) == len(entries):
        return [replace(broken[0], criteria=ALL)]
    # Except for a GPU that is insisted on, it shows best what is wrong where nothing was raised.
    insisted = next((finding for finding in broken if finding.code == "LIT013"), None)
    hardware = insisted or found.get("hardware") or next(iter(broken), None)
    rest = [finding for criterion, finding in found.items() if criterion != "hardware"]
    return [hardware, *rest] if hardware else rest


def world_size(arguments: dict[str, Any], gpus: int) -> int:
    """Processes that `devices` asks for on a machine with so many GPUs."""
    devices = arguments.get("devices", "auto")
    if isinstance(devices, list):
        return len(devices)
    if devices == "auto":
        return max(1, gpus) if arguments.get("accelerator", "auto") != "cpu" else 1
    return int(devices)


def _differences(
    arguments: dict[str, Any], gpus: int, seen: Evidence, called: str
) -> list[Finding]:
    on_gpu = gpus > 0 and arguments.get("accelerator", "auto") != "cpu"
    accelerator = "CUDAAccelerator" if on_gpu else "CPUAccelerator"
    clip = arguments.get("clip")
    wanted: list[tuple[str, str, str, Any]] = [
        ("LIT2310", "hardware", "accelerator", accelerator),
        ("LIT2311", "hardware", "world_size", world_size(arguments, gpus)),
        ("LIT2312", "precision", "precision", arguments.get("precision", "32-true")),
        ("LIT2320", "steps", "max_epochs", arguments["max_epochs"]),
        ("LIT2321", "steps", "accumulate", arguments.get("accumulate", 1)),
        ("LIT2322", "steps", "clip_val", clip),
    ]
    devices = arguments.get("devices")
    if isinstance(devices, list):
        wanted.append(("LIT2311", "hardware", "root_device", f"cuda:{devices[0]}"))
    found = []
    for code, criterion, name, right in wanted:
        got = _read(seen[name], right)
        if got != right:
            named = _named(code, right, got)
            found.append(Finding(named, (criterion,), called, f"{name} {right}", f"{got}"))
    if clip is not None and seen["clip_algorithm"].is_none is False:
        algorithm = seen["clip_algorithm"].text()
        if algorithm != "norm":
            found.append(Finding("LIT2323", ("steps",), called, "clipping by norm", algorithm))
    return found


def _read(node: Evidence, like: Any) -> Any:
    """The node's value, as a value of the kind that is expected there."""
    if node.is_none:
        return None
    if isinstance(like, str):
        return node.text()
    number = node.number()
    return int(number) if isinstance(like, int) and number == int(number) else number


def _named(code: str, right: Any, got: Any) -> str:
    if code == "LIT2312" and "bf16" in str(right) and str(got).startswith("16"):
        return "LIT2313"
    return code


# --- the runs -----------------------------------------------------------------------------


def judge_runs(draw: Draw, runs: Evidence, blamed: list[Finding]) -> list[Finding]:
    """What two runs did and left; criteria that are lost already are not looked at again."""
    lost = {criterion for finding in blamed for criterion in finding.criteria}
    found: dict[str, Finding] = {}
    for name, run in draw.given["runs"].items():
        arguments = {**run["arguments"], "accelerator": "cpu", "devices": 1}
        called = "fit after " + _call(arguments, "")
        for finding in _judge_run(draw, run, runs[name], called):
            if finding.criteria == ALL:
                return [finding]
            if not set(finding.criteria) <= lost:
                found.setdefault(finding.code, finding)
    return list(found.values())


def _judge_run(draw: Draw, run: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    if "error" in seen:
        found = error_finding(seen["error"], ALL)
        if "has no logger" in found.got:
            return [Finding("LIT2340", ("log",), called, "a CSV log", found.got)]
        return [found]
    if seen["returned"].text() != "Trainer":
        return [Finding("LIT2300", ALL, called, "a lightning Trainer", seen["returned"].text())]
    epochs = seen["epochs"].integer()
    if epochs != run["arguments"]["max_epochs"]:
        expected = f"{run['arguments']['max_epochs']} epochs"
        return [Finding("LIT2320", ("steps",), called, expected, f"{epochs} epochs")]
    return [
        *_judge_precision(run, seen, called),
        *_judge_steps(draw, run, seen, called),
        *_judge_best(run, seen, called),
        *_judge_last(run, seen, called),
        *_judge_log(draw, run, seen, called),
        *_judge_place(seen, called),
    ]


def _judge_precision(run: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    mixed = run["arguments"].get("precision") == "bf16-mixed"
    wanted = "torch.bfloat16" if mixed else "torch.float32"
    dtypes = set(seen["dtypes"].texts())
    if dtypes == {wanted}:
        return []
    got = ", ".join(sorted(dtypes)) or "none"
    return [Finding("LIT2312", ("precision",), called, f"products in {wanted}", got)]


def _judge_steps(draw: Draw, run: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    """Each step's length and direction, from where the weights were before and after it."""
    arguments, cost = run["arguments"], ("steps",)
    window, batches = arguments.get("accumulate", 1), len(draw.given["rows"])
    wanted = arguments["max_epochs"] * -(-batches // window)
    rates = seen["rates"].numbers()
    if len(rates) != wanted:
        expected, got = f"{wanted} optimizer steps", f"{len(rates)}"
        return [Finding("LIT2321", cost, called, expected, got)]
    places, slopes = (
        _vectors(draw, seen["places"], wanted + 1),
        _vectors(draw, seen["slopes"], wanted),
    )
    clip = arguments.get("clip")
    for step, (rate, slope) in enumerate(zip(rates, slopes, strict=True)):
        moved = (places[step] - places[step + 1]) / max(rate, 1e-9)
        if torch.allclose(moved, _clipped(slope, clip), rtol=STEP_TOLERANCE, atol=1e-4):
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


def _clipped(slope: Tensor, clip: float | None) -> Tensor:
    if clip is None:
        return slope
    shorter: Tensor = slope * min(1.0, clip / (float(slope.norm()) + 1e-6))
    return shorter


def _vectors(draw: Draw, nodes: Evidence, count: int) -> list[Tensor]:
    found = [node.tensor() for node in nodes]
    width = draw.given["rows"].shape[1:]
    if len(found) != count or any(v.shape != width or v.dtype != torch.float32 for v in found):
        raise MalformedError(nodes.place, f"{count} vectors")
    return found


def _judge_best(run: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    curve, cost = run["curve"], ("best",)
    ran = seen["epochs"].integer()
    wanted = curve.index(max(curve))
    expected = f"the checkpoint of epoch {wanted}, by val_acc"
    watching = [c for c in seen["checkpoints"] if c["monitor"].text() == "val_acc"]
    if not watching:
        return [Finding("LIT2330", cost, called, expected, "none that monitors val_acc")]
    marks = [None if c["best"].is_none else c["best"].integer() for c in watching]
    if wanted in marks:
        return []
    got = f"that of epoch {marks[0]}"
    lowest = marks[0] is not None and curve[marks[0] : marks[0] + 1] == [min(curve[:ran])]
    return [Finding("LIT411" if lowest else "LIT413", cost, called, expected, got)]


def _judge_last(run: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    final = run["arguments"]["max_epochs"] - 1
    marks = [mark.integer() for mark in seen["marks"] if not mark.is_none]
    if final in marks or any(not c["last"].is_none for c in seen["checkpoints"]):
        return []
    got = f"files of epochs {sorted(set(marks))}" if marks else "no checkpoint under run_dir"
    expected = f"a checkpoint of epoch {final}, or what save_last=True writes"
    return [Finding("LIT2331", ("last",), called, expected, got)]


def _judge_log(draw: Draw, run: dict[str, Any], seen: Evidence, called: str) -> list[Finding]:
    epochs, cost = run["arguments"]["max_epochs"], ("log",)
    wanted, got = run["curve"][:epochs], seen["val_acc"].numbers()
    same = len(got) == len(wanted)
    if not (same and all(close(a, b, 1e-4) for a, b in zip(got, wanted, strict=True))):
        shown = ", ".join(f"{value:.4g}" for value in got) or "no CSV file with such a column"
        expected = "val_acc: " + ", ".join(f"{value:.4g}" for value in wanted)
        return [Finding("LIT2340", cost, called, expected, shown)]
    rates, batches = seen["rates"].numbers(), len(draw.given["rows"])
    if len(rates) != epochs * batches or len(rates) < 50:  # noqa: PLR2004 (Lightning logs every 50)
        return []
    rows = [(row["step"].integer(), row["rate"].number()) for row in seen["rate_rows"]]
    within = [(step, rate) for step, rate in rows if step % batches and 0 <= step < len(rates)]
    if within and all(close(rate, rates[step], 1e-6) for step, rate in within):
        return []
    expected = f"the learning rate of a step, at least every 50 of {len(rates)}"
    if not within and rows:
        shown = ", ".join(str(step) for step, _ in rows)
        got_text = f"rates at the start of epochs alone, steps {shown}"
        return [Finding("LIT2342", cost, called, expected, got_text)]
    got_text = "other rates" if within else "no column of a learning rate"
    return [Finding("LIT2341", cost, called, expected, got_text)]


def _judge_place(seen: Evidence, called: str) -> list[Finding]:
    elsewhere = seen["elsewhere"].texts()
    if not elsewhere:
        return []
    got = ", ".join(elsewhere[:3])
    return [Finding("LIT2350", ("place",), called, "nothing written outside of run_dir", got)]
