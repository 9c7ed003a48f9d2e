"""zero: DeepSpeed's ZeRO, by stage and with offload.

The probe reads the configuration that the student's strategies hold. A stand-in takes the place of
DeepSpeed, in a forked process, where it is installed too: a check then says the same everywhere.
"""

from __future__ import annotations

from random import Random
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import RAISED, error_finding
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, NotLookedAt, Question
from litcourse.labs.lab4_fsdp._refusals import ask, is_value_error
from litcourse.labs.lab4_fsdp._strategies import (
    format_kind,
    is_kind,
    of_fabric,
    read_strategy,
    replicates,
)
from litcourse.ranks import rank_findings, read_rank_values, run_ranks
from litcourse.sharding import measured, pretend_deepspeed

ALL = ("stage", "offload", "refuses")
STAGES = (1, 2, 3)
NO_STAGES = (0, 4, -1)
PLACES = {"offload_optimizer": "optimizer", "offload_param": "parameters"}
"""Entries of the configuration, each with its name in the evidence."""


def draw(rng: Random) -> Inputs:
    """All stages, with offload, without and by default, and numbers that are none, in any order."""
    asked = [{"stage": s, "offload": offload} for s in STAGES for offload in (None, False, True)]
    wrong = (*NO_STAGES, rng.randrange(5, 100), -rng.randrange(2, 100))
    asked += [{"stage": stage, "offload": None} for stage in wrong]
    return Inputs({"calls": rng.sample(asked, len(asked))})


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Make each strategy, and read what it holds."""
    make = student["make_zero_strategy"]

    def work(_: int) -> dict[str, Any]:
        with pretend_deepspeed(there=True):
            return {"calls": [_ask(make, call) for call in shown["calls"]]}

    return {"run": measured(run_ranks(work, 1))}


def _ask(make: Any, call: dict[str, Any]) -> dict[str, Any]:
    more = {} if call["offload"] is None else {"offload": call["offload"]}
    return ask(lambda: read_strategy(make(call["stage"], **more)), _format(call))


def _format(call: dict[str, Any]) -> str:
    more = "" if call["offload"] is None else f", offload={call['offload']}"
    return f"make_zero_strategy({call['stage']}{more})"


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge what the strategies hold, then what was refused."""
    failed = rank_findings(evidence["run"], ALL, 1)
    if failed:
        return [*failed]
    calls, entries = inputs.shown["calls"], list(read_rank_values(evidence["run"])[0]["calls"])
    if len(entries) != len(calls):
        return [Finding("LIT903", ALL, "make_zero_strategy(...)", f"{len(calls)} calls", "others")]
    asked = sorted(zip(calls, entries, strict=True), key=lambda pair: pair[0]["stage"])
    valid = [(call, seen) for call, seen in asked if call["stage"] in STAGES]
    for call, seen in valid:
        fatal = _judge_form(call, seen)
        if fatal is not None:
            return [fatal]
    marks = [_judge_stage(valid), _judge_offload(valid)]
    if not any(isinstance(mark, Earned) for mark in marks):
        return [*marks, NotLookedAt(("refuses",), "no stage is right yet")]
    return [*marks, _judge_refusals([pair for pair in asked if pair not in valid])]


def _judge_form(call: dict[str, Any], seen: Evidence) -> Finding | None:
    """The finding on a valid stage that gives no strategy of DeepSpeed."""
    called = _format(call)
    if "error" in seen:
        found = error_finding(seen["error"], ALL)
        if found.code == RAISED and is_value_error(seen["error"]):
            return Finding("LIT4613", ALL, called, "a strategy", found.got, found.where)
        return found
    if not is_kind(seen, "DeepSpeedStrategy"):
        code = "LIT4601" if replicates(seen) else "LIT4600"
        code = "LIT4417" if of_fabric(seen) else code
        return Finding(code, ALL, called, "a DeepSpeedStrategy", format_kind(seen))
    if not seen["zero"].flag():
        return Finding("LIT4604", ALL, called, "zero_optimization", "a configuration without it")
    return None


def _judge_stage(valid: list[tuple[dict[str, Any], Evidence]]) -> Mark:
    for call, seen in valid:
        kind, wanted = seen["stage_type"].text(), call["stage"]
        if kind != "int":
            got = f"{seen['stage'].text()}, a {kind}" if kind != "NoneType" else "none"
            return Finding("LIT4603", ("stage",), _format(call), f"stage {wanted}, an int", got)
    numbers = [seen["stage"].integer() for _, seen in valid]
    for number, (call, _) in zip(numbers, valid, strict=True):
        if number != call["stage"]:
            code = "LIT4602" if len(set(numbers)) == 1 else "LIT4609"
            code = "LIT4612" if number == 0 else code
            return Finding(code, ("stage",), _format(call), f"stage {call['stage']}", f"{number}")
    return Earned(("stage",))


def _judge_offload(valid: list[tuple[dict[str, Any], Evidence]]) -> Mark:
    for call, seen in valid:
        offload = bool(call["offload"])
        wanted = {"optimizer": offload, "parameters": offload and call["stage"] == STAGES[-1]}
        for name, place in PLACES.items():
            device = seen[place].text()
            if device == ("cpu" if wanted[place] else "none"):
                continue
            expected = f"{place} on the CPU" if wanted[place] else f"{place} not offloaded"
            code = _explain_offload(call, place, device)
            return Finding(code, ("offload",), _format(call), expected, f"{name}: {device}")
    return Earned(("offload",))


def _explain_offload(call: dict[str, Any], place: str, device: str) -> str:
    if device not in {"cpu", "none"}:
        return "LIT4614"
    if not call["offload"]:
        return "LIT4606"
    if place == "optimizer":
        return "LIT4605"
    return "LIT4607" if call["stage"] == STAGES[-1] else "LIT4608"


def _judge_refusals(invalid: list[tuple[dict[str, Any], Evidence]]) -> Mark:
    cost = ("refuses",)
    for call, seen in invalid:
        if "error" not in seen:
            got = f"a {format_kind(seen)}"
            return Finding("LIT4610", cost, _format(call), "ValueError", got)
        if not is_value_error(seen["error"]):
            got = error_finding(seen["error"], cost).got
            return Finding("LIT4611", cost, _format(call), "ValueError", got)
    return Earned(cost)


QUESTION = Question(
    title="ZeRO's three stages",
    defines=("make_zero_strategy",),
    criteria=(
        Criterion("stage", "the stage that was asked for, as a number", 0.4),
        Criterion("offload", "what is offloaded, and only where it has an effect", 0.4),
        Criterion("refuses", "ValueError for a stage that there is not", 0.2),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
