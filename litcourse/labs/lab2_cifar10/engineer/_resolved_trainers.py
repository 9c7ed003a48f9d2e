"""Judges the resolved Trainers of `engineer`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.known_errors import error_finding
from litcourse.core.question import Earned, Finding, Inputs, Mark, NotLookedAt
from litcourse.probing.trainer_limits import NO_LIMIT, limits_left_in

ALL = ("hardware", "precision", "steps", "best", "last", "log", "place")
UNSET = {"accumulate": 1, "clip_val": None}
"""The Trainer's defaults for accumulation and clipping."""
OF_HARDWARE = {"LIT013": "LIT2310", "LIT007": "LIT2364"}
"""Codes of exceptions that have another cause, and another remedy, when a Trainer is made."""


def format_call(arguments: dict[str, Any], machine: str) -> str:
    words = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"make_trainer({words}, run_dir=...) {machine}"


def by_other_means(seen: Evidence) -> set[str]:
    """Settings with the Trainer's default in a run whose steps are right: a callback followed them.

    For these settings a Trainer that never runs shows nothing.
    """
    return {name for name, value in UNSET.items() if _read_setting(seen, name) == value}


def judge_made(inputs: Inputs, made: Evidence, free: set[str]) -> list[Mark]:
    """The first difference of each kind between the arguments and the resolved Trainers.

    Args:
        inputs: the inputs of the check.
        made: evidence of the Trainers that `make_trainer` made.
        free: settings that may keep their default, from `by_other_means`.
    """
    found: dict[str, Finding] = {}
    broken: list[Finding] = []
    unusable = 0
    compared: list[dict[str, Any]] = []
    entries = list(made)
    if len(entries) != len(inputs.shown["made"]):
        raise MalformedError(made.path, "entry for each call")
    for one, seen in zip(inputs.shown["made"], entries, strict=True):
        gpus = one["gpus"]
        called = format_call(
            one["arguments"], f"on a machine with {gpus} GPU{'' if gpus == 1 else 's'}"
        )
        if "error" in seen:
            broken.append(replace(exception_finding(seen["error"], ("hardware",)), called=called))
            seen = seen["rest"]  # noqa: PLW2901 (the same call, on the hardware asked for)
            if "error" in seen:
                continue
            unusable += 1
        if seen["returned"].text() != "Trainer":
            got = seen["returned"].text()
            return [Finding("LIT2300", ALL, called, "a lightning Trainer", got)]
        compared.append(one["arguments"])
        for finding in _judge_resolved(one["arguments"], gpus, seen, called, free):
            found.setdefault(finding.criteria[0], finding)
    if len(broken) == len(entries) and not unusable:
        return [replace(broken[0], criteria=ALL)]
    # A Trainer that needs a GPU explains most, then a wrong Trainer, then another exception.
    needs_gpu = next((f for f in broken if f.code in OF_HARDWARE.values()), None)
    hardware = needs_gpu or found.get("hardware") or next(iter(broken), None)
    rest = [finding for criterion, finding in found.items() if criterion != "hardware"]
    # The runs show how the settings of steps work, so any Trainer's will do here.
    shown = [_mark_precision(inputs, compared), Earned(("steps",))]
    return [hardware or Earned(("hardware",)), *rest, *shown]


def _mark_precision(inputs: Inputs, compared: list[dict[str, Any]]) -> Mark:
    """The mark for precision if no Trainer has a wrong one.

    Args:
        inputs: the inputs of the check.
        compared: arguments of those calls that gave a Trainer.
    """
    cost = ("precision",)
    asked = {one["arguments"].get("precision") for one in inputs.shown["made"]}
    if {arguments.get("precision") for arguments in compared} == asked:
        return Earned(cost)
    return NotLookedAt(cost, "make_trainer gives no Trainer for some of the precisions")


def exception_finding(error: Evidence, criteria: tuple[str, ...]) -> Finding:
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
        cpu = name == "precision" and seen["accelerator"].text() == "CPUAccelerator"
        if cpu and on_gpu and (right, got) == ("16-mixed", "bf16-mixed"):
            continue  # as Lightning does on a CPU, which is wrong here and costs "hardware"
        if got != right:
            exact = _refine_code(code, right, got)
            found.append(Finding(exact, (criterion,), called, f"{name} {right}", f"{got}"))
    left = limits_left_in(seen["limits"])
    if not seen["shares"].flag():
        left = ", ".join(filter(None, [left, "use_distributed_sampler=False"]))
    if left:
        expected = "none of " + ", ".join(NO_LIMIT)
        found.append(Finding("LIT2361", ("steps",), called, expected, left))
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
    return int(number) if isinstance(like, int) and number.is_integer() else number


def _refine_code(code: str, right: Any, got: Any) -> str:
    if code == "LIT2312" and "bf16" in str(right) and str(got).startswith("16"):
        return "LIT2313"
    return code
