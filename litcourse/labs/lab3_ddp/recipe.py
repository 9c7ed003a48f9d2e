"""recipe: batch size and learning rate for more GPUs.

The right value is the answer itself, so this module has no formula: the judge compares with the
same probe's evidence on the instructor's solution (`by_solution`). Ratios to the inputs only name
the mistake.
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
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, Question
from litcourse.probing.attempts import attempt
from litcourse.probing.trainers import to_number

KEYS = ("lr", "global_batch_size")
COUNTS = ("batch_size", "world_size", "accumulate")
TOLERANCE = 1e-9
_NO_GROUP = "efault process group has not been initialized"
"""In torch's exception where no ranks have met."""
ALL = ("lr", "batch", "errors")
AskedCall = tuple[dict[str, Any], Evidence, Evidence]
"""The arguments of a call, the evidence from the instructor's solution and from the student's."""
_COSTS = {"lr": ("lr",), "global_batch_size": ("batch",)}


def draw(rng: Random) -> Inputs:
    """Valid inputs, some without accumulate, and invalid ones with arguments that are not positive.

    Their order is random, so that it does not tell valid from invalid.
    """
    cases = [_draw_case(rng, world, accumulate) for world, accumulate in _draw_plans(rng)]
    cases[rng.randrange(len(cases))]["lr"] = round(rng.uniform(1.0, 5.0), 3)
    names = ("lr", *COUNTS)
    bad = [(name, value) for name in names for value in (0, -rng.randrange(1, 9))]
    invalid = [
        _draw_case(rng, 4, 2) | {name: value * (0.1 if name == "lr" else 1)} for name, value in bad
    ]
    invalid.append(_draw_case(rng, rng.choice([1, 4]), 2) | {"lr": math.nan})
    for negative in (*combinations(names, 2), names):  # an even number: their product is positive
        case = _draw_case(rng, 4, 2)
        invalid.append(case | {name: -case[name] for name in negative})
    return Inputs({"calls": rng.sample([*cases, *invalid], len(cases) + len(invalid))})


def _draw_plans(rng: Random) -> list[tuple[int, int | None]]:
    """Pairs of world size and accumulation, which differ in most pairs, so that each shows."""
    worlds = [1, 2, 3, 8, rng.choice([4, 16]), rng.choice([6, 12, 64]), 8]
    worlds += [rng.randrange(65, 5000), 2]
    accumulations = [1, None, 2, None, 5, rng.choice([3, 7]), 1, 2, rng.randrange(65, 1000)]
    return [*zip(worlds, accumulations, strict=True), (1, rng.choice([2, 4]))]


def _draw_case(rng: Random, world_size: int, accumulate: int | None) -> dict[str, Any]:
    case: dict[str, Any] = {
        "lr": round(rng.uniform(0.001, 0.2), 5),
        "batch_size": rng.choice(
            [rng.randrange(1, 8), rng.randrange(8, 200), rng.randrange(200, 9000)]
        ),
        "world_size": world_size,
    }
    return case if accumulate is None else case | {"accumulate": accumulate}


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Call the function for each input; record its value or its exception."""
    function = student["scale_recipe"]
    return {"calls": [_call(function, case) for case in shown["calls"]]}


def _call(function: Callable[..., Any], case: dict[str, Any]) -> dict[str, Any]:
    raised: list[str] = []

    def run() -> dict[str, Any]:
        try:
            return {"value": _describe(function(**case))}
        except BaseException as error:
            raised.extend(kind.__name__ for kind in type(error).__mro__)
            raise

    return attempt(run, _format_call(case)) | {"raised": raised}


def _describe(value: object) -> dict[str, Any]:
    items = value if isinstance(value, dict) else {}
    entries = {str(k): {"type": type(v).__name__, "number": to_number(v)} for k, v in items.items()}
    kind = "dict" if isinstance(value, dict) else type(value).__name__
    return {"type": kind, "entries": entries}


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Compare each entry with that of the instructor's solution."""
    cases, seen = inputs.shown["calls"], list(evidence["calls"])
    right = list(Evidence(inputs.withheld["solution"])["calls"])
    if len(seen) != len(cases):
        return [Finding("LIT3203", ALL, "scale_recipe(...)", f"{len(cases)} answers", "others")]
    calls = list(zip(cases, right, seen, strict=True))
    valid = [call for call in calls if "error" not in call[1]]
    for case, _, answer in valid:
        fatal = _judge_form(case, answer)
        if fatal:
            return [fatal]
    return [*(_judge_key(key, valid) for key in KEYS), _judge_invalid(calls)]


def _format_call(case: dict[str, Any]) -> str:
    return f"scale_recipe({', '.join(f'{k}={v}' for k, v in case.items())})"


def _judge_form(case: dict[str, Any], answer: Evidence) -> Finding | None:
    """Judge that the answer to a valid input is a dict of exactly two entries."""
    called = _format_call(case)
    if "error" in answer:
        finding = error_finding(answer["error"], ALL)
        if _NO_GROUP in finding.got:
            return Finding("LIT3215", ALL, called, "a dict", finding.got, finding.where)
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


def _judge_key(key: str, valid: list[AskedCall]) -> Mark:
    cost = _COSTS[key]
    cases = [case for case, _, _ in valid]
    wanted, answers = ([one[i]["value"]["entries"][key] for one in valid] for i in (1, 2))
    for case, answer in zip(cases, answers, strict=True):
        kind = answer["type"].text()
        if key != "lr" and kind != "int":
            return Finding("LIT3209", cost, _format_call(case), f"{key}, an int", f"a {kind}")
        if kind not in {"int", "float", "float64"}:
            return Finding("LIT3214", cost, _format_call(case), f"{key}, a float", f"a {kind}")
    got = [answer["number"].number() for answer in answers]
    right = [answer["number"].number() for answer in wanted]
    wrong = [i for i, (a, b) in enumerate(zip(got, right, strict=True)) if not _is_equal(a, b)]
    if not wrong:
        return Earned(cost)
    first = wrong[0]
    expected, actual = f"{key} = {right[first]:.6g}", f"{got[first]:.6g}"
    code = _explain_values(key, cases, got, right)
    return Finding(code, cost, _format_call(cases[first]), expected, actual)


def _is_equal(a: float, b: float) -> bool:
    return is_close(a, b, TOLERANCE * max(1.0, abs(b)))


def _explain_values(
    key: str, cases: list[dict[str, Any]], got: list[float], right: list[float]
) -> str:
    """The code of the mistake that explains every answer."""
    argument = "lr" if key == "lr" else "batch_size"
    inputs = [case[argument] for case in cases]
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
        if all(_is_equal(a, b) for a, b in zip(got, values, strict=True)):
            return code
    return "LIT3203"


def _judge_invalid(calls: list[AskedCall]) -> Mark:
    """Judge the calls on which the instructor's solution raises a ValueError."""
    cost = ("errors",)
    nan_last = sorted(calls, key=lambda call: math.isnan(call[0]["lr"]))
    for case, wanted, answer in nan_last:  # LIT3212 only if all other invalid inputs raise
        expected, raised = wanted["raised"].texts(), answer["raised"].texts()
        if "ValueError" not in expected or "ValueError" in raised:
            continue
        called = _format_call(case)
        if raised:
            got = error_finding(answer["error"], cost).got
            return Finding("LIT3211", cost, called, "ValueError", got)
        code = "LIT3212" if math.isnan(case["lr"]) else "LIT3210"
        return Finding(code, cost, called, "ValueError", "no exception")
    return Earned(cost)


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
