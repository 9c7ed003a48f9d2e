"""recipe: batch size and learning rate for more GPUs.

What is right here is the answer itself, so this module has no formula: the judge compares with
what the same probe finds on the instructor's solution (`by_solution`). Ratios to the inputs only
name what went wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from random import Random
from typing import Any

from litcourse.core.evidence import Evidence, is_close
from litcourse.core.known_errors import error_finding
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Finding, Inputs, Question
from litcourse.probing.attempts import attempt
from litcourse.probing.trainers import to_number

KEYS = ("lr", "global_batch_size")
COUNTS = ("batch_size", "world_size", "accumulate")
TOLERANCE = 1e-9
ALL = ("lr", "batch", "errors")
AskedCall = tuple[dict[str, Any], Evidence, Evidence]
"""The arguments of a call; what came of it by the instructor's solution, and by the student's."""
_COSTS = {"lr": ("lr",), "global_batch_size": ("batch",)}


def draw(rng: Random) -> Inputs:
    """Inputs, accumulate left out in some, among inputs of which one or several are not positive.

    Which are which is for the answer to find out: nothing in their order tells.
    """
    cases = [_case(rng, world, accumulate) for world, accumulate in _plans(rng)]
    cases[rng.randrange(len(cases))]["lr"] = round(rng.uniform(1.0, 5.0), 3)
    names = ("lr", *COUNTS)
    bad = [(name, value) for name in names for value in (0, -rng.randrange(1, 9))]
    invalid = [
        _case(rng, 4, 2) | {name: value * (0.1 if name == "lr" else 1)} for name, value in bad
    ]
    invalid.append(_case(rng, rng.choice([1, 4]), 2) | {"lr": math.nan})
    for negative in (*combinations(names, 2), names):  # whose product is positive
        case = _case(rng, 4, 2)
        invalid.append(case | {name: -case[name] for name in negative})
    return Inputs({"calls": rng.sample([*cases, *invalid], len(cases) + len(invalid))})


def _plans(rng: Random) -> list[tuple[int, int | None]]:
    """World sizes and accumulations; in each pair the two differ, so that each shows."""
    worlds = [1, 2, 3, 8, rng.choice([4, 16]), rng.choice([6, 12, 64]), 8]
    accumulations = [1, None, 2, None, 5, rng.choice([3, 7]), 1]
    return [*zip(worlds, accumulations, strict=True), (1, rng.choice([2, 4]))]


def _case(rng: Random, world_size: int, accumulate: int | None) -> dict[str, Any]:
    case: dict[str, Any] = {
        "lr": round(rng.uniform(0.001, 0.2), 5),
        "batch_size": rng.randrange(8, 200),
        "world_size": world_size,
    }
    return case if accumulate is None else case | {"accumulate": accumulate}


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """What the function gives for each input, and what it raises."""
    function = student["scale_recipe"]
    return {"calls": [_call(function, case) for case in shown["calls"]]}


def _call(function: Callable[..., Any], case: dict[str, Any]) -> dict[str, Any]:
    raised: list[str] = []

    def run() -> dict[str, Any]:
        try:
            return {"value": _described(function(**case))}
        except BaseException as error:
            raised.extend(kind.__name__ for kind in type(error).__mro__)
            raise

    return attempt(run, _shown(case)) | {"raised": raised}


def _described(value: object) -> dict[str, Any]:
    items = value if isinstance(value, dict) else {}
    entries = {str(k): {"type": type(v).__name__, "number": to_number(v)} for k, v in items.items()}
    return {"type": type(value).__name__, "entries": entries}


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Finding]:
    """Entry by entry what the instructor's solution gives."""
    cases, seen = inputs.shown["calls"], list(evidence["calls"])
    right = list(Evidence(inputs.withheld["solution"])["calls"])
    if len(seen) != len(cases):
        return [Finding("LIT3203", ALL, "scale_recipe(...)", f"{len(cases)} answers", "others")]
    asked = list(zip(cases, right, seen, strict=True))
    valid = [called for called in asked if "error" not in called[1]]
    for case, _, answer in valid:
        fatal = _judge_form(case, answer)
        if fatal:
            return [fatal]
    found = [f for key in KEYS for f in _judge_key(key, valid)]
    return [*found, *_judge_invalid(asked)]


def _shown(case: dict[str, Any]) -> str:
    return f"scale_recipe({', '.join(f'{k}={v}' for k, v in case.items())})"


def _judge_form(case: dict[str, Any], answer: Evidence) -> Finding | None:
    """The answer to a valid input is a dict of just two entries."""
    called = _shown(case)
    if "error" in answer:
        finding = error_finding(answer["error"], ALL)
        if "ValueError" in answer["raised"].texts() and finding.code == "LIT902":
            return Finding("LIT3213", ALL, called, "a dict", finding.got, finding.where)
        return finding
    value = answer["value"]
    if value["type"].text() != "dict":
        return Finding("LIT3200", ALL, called, "a dict", f"a {value['type'].text()}")
    keys = sorted(value["entries"].keys())
    if keys != sorted(KEYS):
        expected = " and ".join(KEYS)
        return Finding("LIT3201", ALL, called, expected, ", ".join(keys) or "no entry")
    return None


def _judge_key(key: str, valid: list[AskedCall]) -> list[Finding]:
    cases = [case for case, _, _ in valid]
    wanted, answers = ([one[i]["value"]["entries"][key] for one in valid] for i in (1, 2))
    for case, answer in zip(cases, answers, strict=True):
        kind = answer["type"].text()
        if key != "lr" and kind != "int":
            return [Finding("LIT3209", ("batch",), _shown(case), f"{key}, an int", f"a {kind}")]
        if kind not in {"int", "float", "float64"}:
            return [Finding("LIT3214", _COSTS[key], _shown(case), f"{key}, a float", f"a {kind}")]
    got = [answer["number"].number() for answer in answers]
    right = [answer["number"].number() for answer in wanted]
    wrong = [i for i, (a, b) in enumerate(zip(got, right, strict=True)) if not _same(a, b)]
    if not wrong:
        return []
    first = wrong[0]
    expected, actual = f"{key} = {right[first]:.6g}", f"{got[first]:.6g}"
    code = _why(key, cases, got, right)
    return [Finding(code, _COSTS[key], _shown(cases[first]), expected, actual)]


def _same(a: float, b: float) -> bool:
    return is_close(a, b, TOLERANCE * max(1.0, abs(b)))


def _why(key: str, cases: list[dict[str, Any]], got: list[float], right: list[float]) -> str:
    """The mistake that explains every answer."""
    own = "lr" if key == "lr" else "batch_size"
    inputs = [case[own] for case in cases]
    worlds = [case["world_size"] for case in cases]
    steps = [case.get("accumulate", 1) for case in cases]
    shares = [b / a for a, b in zip(inputs, right, strict=True)]
    divided = [a / share for a, share in zip(inputs, shares, strict=True)]
    explanations = (
        ("LIT3202" if key == "lr" else "LIT3205", inputs),
        ("LIT3204", [b / step for b, step in zip(right, steps, strict=True)]),
        ("LIT3206", [b / world for b, world in zip(right, worlds, strict=True)]),
        ("LIT3207", [b / math.sqrt(share) for b, share in zip(right, shares, strict=True)]),
        ("LIT3208", divided),
        ("LIT3208", [math.floor(value) for value in divided]),
        ("LIT3208", [a / world for a, world in zip(inputs, worlds, strict=True)]),
    )
    for code, values in explanations:
        if all(_same(a, b) for a, b in zip(got, values, strict=True)):
            return code
    return "LIT3203"


def _judge_invalid(asked: list[AskedCall]) -> list[Finding]:
    nan_last = sorted(asked, key=lambda called: math.isnan(called[0]["lr"]))
    for case, wanted, answer in nan_last:  # it alone is what remains to be told
        expected, raised = wanted["raised"].texts(), answer["raised"].texts()
        if "ValueError" not in expected or "ValueError" in raised:
            continue
        called = _shown(case)
        if raised:
            got = error_finding(answer["error"], ("errors",)).got
            return [Finding("LIT3211", ("errors",), called, "ValueError", got)]
        code = "LIT3212" if math.isnan(case["lr"]) else "LIT3210"
        return [Finding(code, ("errors",), called, "ValueError", "no exception")]
    return []


QUESTION = Question(
    title="Scale the recipe",
    defines=("scale_recipe",),
    criteria=(
        Criterion("lr", "the learning rate grows with the batch", 0.35),
        Criterion("batch", "the batch of all GPUs and all accumulated steps", 0.35),
        Criterion("errors", "ValueError for what is not positive", 0.3),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    by_solution=True,
)
