"""memory: for how many bytes a GPU must have room in a step, under each strategy.

The right value is the answer itself, so this module has no formula: the judge compares with the
same probe's evidence on the instructor's solution (`by_solution`). Values of the other strategies,
from there too, name the mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import RAISED, error_finding
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, NotLookedAt, Question
from litcourse.feedback.bars import Bars, draw_bars
from litcourse.feedback.chart import stack
from litcourse.labs.lab4_fsdp._refusals import ask, is_value_error
from litcourse.labs.lab4_fsdp._strategies import FLAGS

ALL = ("ddp", "stages", "fsdp", "refuses")
FAMILIES = {
    "ddp": ("ddp", "fsdp_no_shard"),
    "stages": ("zero1", "zero2", "zero3"),
    "fsdp": ("fsdp", "fsdp2", "fsdp_grad_op"),
}
"""The flags of each criterion."""
PUBLISHED = (7_500_000_000, 64)
"""The model and the GPUs whose numbers the authors of ZeRO publish."""
TOLERANCE = 16
"""Bytes, so that any rounding passes."""
_UNITS = (8, 10**3, 2**10, 10**6, 2**20, 10**9, 2**30)
"""Bits, and larger units than bytes."""
Answer = tuple[dict[str, Any], Evidence, Evidence]
"""The arguments of a call, the evidence from the instructor's solution and from the student's."""


def draw(rng: Random) -> Inputs:
    """Sizes, each under every flag, and arguments that are none, in any order."""
    worlds = rng.choice([2, 3, 5, 7, 8, 16]), rng.randrange(257, 513)
    sizes = [PUBLISHED, (rng.randrange(10**6, 10**9), 1), (1, rng.randrange(2, 9))]
    sizes += [(rng.randrange(10**6, 10**12), world) for world in worlds]
    calls = [{"params": n, "world_size": w, "strategy": flag} for n, w in sizes for flag in FLAGS]
    some = rng.randrange(1000, 10**6)
    for params, world, flag in (
        (0, 8, "ddp"), (-some, 8, "zero1"), (some, 0, "zero3"), (some, -2, "fsdp"),
        (some, 8, "zero4"), (some, 8, "fsdp3"), (some, 8, ""), (some, 8, f"zero{some}"),
    ):  # fmt: skip
        calls.append({"params": params, "world_size": world, "strategy": flag})
    return Inputs({"calls": rng.sample(calls, len(calls))})


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Call the function for each input; record its value or its exception."""
    function = student["bytes_per_gpu"]
    return {"calls": [_call(function, call) for call in shown["calls"]]}


def _call(function: Callable[..., Any], call: dict[str, Any]) -> dict[str, Any]:
    def run() -> dict[str, Any]:
        value = function(*call.values())
        kind = type(value).__name__
        return {"type": kind, "text": str(value)[:100], "value": value if kind == "int" else None}

    return ask(run, _format(call))


def _format(call: dict[str, Any]) -> str:
    return f"bytes_per_gpu({', '.join(map(repr, call.values()))})"


# --- judge ------------------------------------------------------------------------------


def _order(answer: Answer) -> tuple[bool, int, int]:
    """The model whose numbers the lesson shows comes first, then the largest one."""
    call, flag = answer[0], answer[0]["strategy"]
    shown = (call["params"], call["world_size"]) == PUBLISHED
    return not shown, -call["params"], FLAGS.index(flag) if flag in FLAGS else len(FLAGS)


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Compare each value with that of the instructor's solution."""
    cases, seen = inputs.shown["calls"], list(evidence["calls"])
    right = list(Evidence(inputs.withheld["solution"])["calls"])
    if len(seen) != len(cases):
        return [Finding("LIT903", ALL, "bytes_per_gpu(...)", f"{len(cases)} answers", "others")]
    answers = sorted(zip(cases, right, seen, strict=True), key=_order)
    valid = [answer for answer in answers if "error" not in answer[1]]
    for call, _, answer in valid:
        fatal = _judge_form(call, answer)
        if fatal is not None:
            return [fatal]
    marks = [_judge_family(family, valid) for family in FAMILIES]
    if not any(isinstance(mark, Earned) for mark in marks):
        return [*marks, NotLookedAt(("refuses",), "no number is right yet")]
    return [*marks, _judge_refusals([answer for answer in answers if answer not in valid])]


def _judge_form(call: dict[str, Any], answer: Evidence) -> Finding | None:
    """The finding on an answer to a valid input that is no int."""
    if "error" in answer:
        found = error_finding(answer["error"], ALL)
        if found.code == RAISED and is_value_error(answer["error"]):
            return Finding("LIT4809", ALL, _format(call), "bytes", found.got, found.where)
        return found
    kind = answer["type"].text()
    if kind != "int":
        got = f"{answer['text'].text()}, a {kind}"
        return Finding("LIT4800", ALL, _format(call), "bytes, an int", got)
    return None


def _judge_family(family: str, valid: list[Answer]) -> Mark:
    for call, right, answer in valid:
        if call["strategy"] not in FAMILIES[family]:
            continue
        wanted, got = right["value"].integer(), answer["value"].integer()
        if abs(got - wanted) > TOLERANCE:
            code = _explain(call, got, valid)
            return Finding(code, (family,), _format(call), f"{wanted:,}", f"{got:,}")
    return Earned((family,))


def _explain(call: dict[str, Any], got: int, valid: list[Answer]) -> str:
    """The code of the mistake that gives just this number, by the right ones of all flags."""
    same = {
        other["strategy"]: right["value"].integer()
        for other, right, _ in valid
        if all(other[key] == call[key] for key in ("params", "world_size"))
    }
    whole, wanted = same["ddp"], same[call["strategy"]]
    if call["strategy"] == "zero1" and _is_32_bit(call, same, valid):
        return "LIT4810"
    if abs(got - whole) <= TOLERANCE:
        return "LIT4801"
    if any(abs(got - value) <= TOLERANCE for value in same.values()):
        return "LIT4802" if got > wanted else "LIT4803"
    if any(_is_multiple(wanted, got, f) or _is_multiple(got, wanted, f) for f in _UNITS):
        return "LIT4804"
    if wanted == whole:
        return "LIT4805"
    return "LIT4806"


def _is_32_bit(call: dict[str, Any], same: dict[str, int], valid: list[Answer]) -> bool:
    """Whether stage 1 shards half of all bytes, and stage 2 as much as stage 1 should."""
    wanted = {"zero1": (same["ddp"] + same["zero3"]) // 2, "zero2": same["zero1"]}
    got = {
        other["strategy"]: answer["value"].integer()
        for other, _, answer in valid
        if all(other[key] == call[key] for key in ("params", "world_size"))
    }
    return all(abs(got[flag] - number) <= TOLERANCE for flag, number in wanted.items())


def _is_multiple(large: int, small: int, factor: int) -> bool:
    return abs(small * factor - large) <= TOLERANCE * factor


def _judge_refusals(invalid: list[Answer]) -> Mark:
    cost = ("refuses",)
    for call, _, answer in sorted(invalid, key=lambda one: "error" in one[2]):
        if "error" not in answer:
            got = answer["text"].text()
            return Finding("LIT4807", cost, _format(call), "ValueError", got)
        if not is_value_error(answer["error"]):
            got = error_finding(answer["error"], cost).got
            return Finding("LIT4808", cost, _format(call), "ValueError", got)
    return Earned(cost)


def picture(inputs: Inputs, evidence: Evidence) -> str:
    """Bars of the student's numbers, for the model that the authors of ZeRO publish."""
    found = {}
    for call, answer in zip(inputs.shown["calls"], evidence["calls"], strict=False):
        size = (call["params"], call["world_size"])
        if size == PUBLISHED and "value" in answer and not answer["value"].is_none:
            number = min(max(0, answer["value"].integer()), 10**18)  # what a picture can show
            found[call["strategy"]] = number / 10**9
    rows = [flag for flag in FLAGS if flag in found]
    bars = Bars("your GB per GPU, 7.5 billion parameters on 64 GPUs", [found[f] for f in rows])
    return stack(draw_bars(rows, [bars], own=len(rows))) if rows else ""


QUESTION = Question(
    title="Will it fit?",
    defines=("bytes_per_gpu",),
    criteria=(
        Criterion("ddp", "16 bytes for each parameter where nothing is sharded", 0.1),
        Criterion("stages", "ZeRO's stages 1, 2 and 3", 0.6),
        Criterion("fsdp", "FSDP with full and with half sharding, and FSDP2", 0.2),
        Criterion("refuses", "ValueError for another flag, and for numbers below 1", 0.1),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    picture=picture,
    by_solution=True,
)
