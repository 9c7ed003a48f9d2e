"""diagnose: `repair(script, log)` mends the script of a job that went wrong.

The draw makes scripts of each kind, one for each way to write its fault, with their logs. The probe
calls the function and submits what it returns. The evidence is what became of each.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from operator import itemgetter
from random import Random
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import error_finding
from litcourse.core.namespace import Student
from litcourse.core.question import (
    Criterion,
    Earned,
    Finding,
    Inputs,
    Mark,
    NotLookedAt,
    Question,
)
from litcourse.labs.lab5_slurm._broken_scripts import (
    KINDS,
    VARIANTS,
    Plan,
    draw_plan,
    make_script,
    run_for_log,
)
from litcourse.labs.lab5_slurm._meeting import Size, judge_meeting
from litcourse.labs.lab5_slurm._placed import place_all
from litcourse.labs.lab5_slurm._pocket_runs import Job, run_in_new_folder
from litcourse.labs.lab5_slurm._sbatch_refusals import judge_start
from litcourse.labs.lab5_slurm._submitted import Submitted, read
from litcourse.probing.attempts import attempt
from litcourse.probing.processor_limit import TooLongError, processor_limit

FILE = "job.sbatch"
_CODES = {
    "no_srun": "LIT5601", "ntasks_total": "LIT5602", "one_task": "LIT5603",
    "late_directives": "LIT5604", "gpus_per_task": "LIT5605", "bad_time": "LIT5606",
    "log_folder": "LIT5607", "localhost": "LIT5608", "healthy": "LIT5609",
}  # fmt: skip
"""The finding on a kind that is as broken as before."""
OTHER_JOB = "LIT5610"
_LONGEST = 20_000
LIMIT = 1.0
"""Seconds of processor time for each script; the solution takes a thousandth of one."""
TOO_LONG = "LIT5613"
_PATIENCE = 3
"""Calls that may run into the limit, before no further one is made."""


@dataclass(frozen=True)
class Case:
    """One script, and what it is meant to be."""

    kind: str
    script: str
    log: str
    job: int
    node: str
    plan: dict[str, Any]


def draw_cases(rng: Random) -> list[Case]:
    """A script for each way of each kind, in a drawn order, each with its log."""
    ways = [(kind, way) for kind in KINDS for way in range(VARIANTS.get(kind, 1))]
    found = []
    for kind, way in rng.sample(ways, len(ways)):
        plan = draw_plan(rng, kind)
        pick: Callable[[Any], Any] = rng.choice
        if kind in VARIANTS:
            plan, pick = replace(plan, long=way % 2 == 0), itemgetter(way)
        found.append(_case(rng, kind, plan, make_script(plan, kind, pick)))
    return found


def _case(rng: Random, kind: str, plan: Plan, script: str) -> Case:
    job, node = rng.randrange(1000, 10**6), f"n{rng.randrange(1, 13)}"
    return Case(kind, script, run_for_log(script, job, node), job, node, asdict(plan))


def draw(rng: Random) -> Inputs:
    """Scripts and logs for the function; what is wrong with each is for the judge."""
    cases = draw_cases(rng)
    shown = [{"script": case.script, "log": case.log} for case in cases]
    where = [{"job": rng.randrange(1000, 10**6), "node": case.node} for case in cases]
    wanted = [{"kind": c.kind, "plan": {**c.plan, "order": list(c.plan["order"])}} for c in cases]
    return Inputs({"cases": shown, "where": where}, {"wanted": wanted})


def examples() -> dict[str, tuple[str, str]]:
    """A script of each kind with its log, for the lesson: always the same."""
    return {case.kind: (case.script, case.log) for case in draw_cases(Random("demonstration"))}


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Have each script repaired, and submit what comes."""
    function = student["repair"]
    cases: list[dict[str, Any]] = []
    for case, where in zip(shown["cases"], shown["where"], strict=True):
        if sum(map(_too_long, cases)) == _PATIENCE:
            cases.append(next(filter(_too_long, cases)))  # each further one would take as long
            continue
        action = partial(_repair, function, case, where)
        cases.append(attempt(action, "repair(script, log)"))
    return {"cases": cases}


def _too_long(seen: dict[str, Any]) -> bool:
    return "error" in seen and seen["error"]["type"] == TooLongError.__name__


def _repair(function: Any, case: dict[str, str], where: dict[str, Any]) -> dict[str, Any]:
    with processor_limit(LIMIT):
        text = function(case["script"], case["log"])
    if not isinstance(text, str):
        return {"type": type(text).__name__}
    job = Job(where["job"], (where["node"],))
    ran = run_in_new_folder(text[:_LONGEST], FILE, [job])[0]
    return {"type": "str", "job": ran}


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge each repaired script by what became of it."""
    wanted, seen = inputs.withheld["wanted"], list(evidence["cases"])
    jobs = [where["job"] for where in inputs.shown["where"]]
    if len(seen) != len(wanted):
        return [Finding("LIT903", KINDS, "", f"{len(wanted)} scripts", str(len(seen)))]
    marks: dict[str, Mark] = {}
    for want, one, job in zip(wanted, seen, jobs, strict=True):
        kind, mark = want["kind"], _judge_case(want, one, job)
        if kind not in marks or isinstance(marks[kind], Earned):  # each of a kind has to be right
            marks[kind] = mark
    unsolved = [m for m in marks.values() if isinstance(m, Finding) and m.code == "LIT900"]
    if unsolved:
        return [Finding("LIT900", KINDS, unsolved[0].called, "a solved cell", unsolved[0].got)]
    repaired = [kind for kind in KINDS if isinstance(marks[kind], Earned)]
    if repaired == ["healthy"]:
        reason = "no script is repaired yet, and this one needs nothing"
        marks["healthy"] = NotLookedAt(("healthy",), reason)
    return [marks[kind] for kind in KINDS]


def _judge_case(want: dict[str, Any], seen: Evidence, job_id: int) -> Mark:
    kind, plan = want["kind"], want["plan"]
    cost, called = (kind,), f"repair(script, log): {kind}"
    if "error" in seen:
        found = error_finding(seen["error"], cost)
        code = "LIT5611" if found.code == "LIT902" else found.code
        if seen["error"]["type"].text() == TooLongError.__name__:
            expected, got = f"an answer within {LIMIT:g} s", "none: it computed on and on"
            return Finding(TOO_LONG, cost, called, expected, got, found.where)
        return Finding(code, cost, called, found.expected, found.got, found.where)
    if seen["type"].text() != "str":
        return Finding("LIT5612", cost, called, "the text of a script", seen["type"].text())
    job = read(seen["job"])
    if job.open_reason:
        return NotLookedAt(cost, job.open_reason, by_machine=True)
    stopped = judge_start(job, cost)
    size = Size(plan["nodes"], plan["gpus"])
    broken = next((m for m in stopped if isinstance(m, Finding)), None)
    broken = broken or judge_meeting(job, size, cost)
    if broken is not None:
        details = (broken.expected, broken.got, broken.where)
        return Finding(_CODES[kind], cost, called, *details)
    return _judge_rest(job, plan, job_id, cost, called)


def _judge_rest(
    job: Submitted, plan: dict[str, Any], job_id: int, cost: tuple[str, ...], called: str
) -> Mark:
    """Judge that the job is otherwise what it was meant to be."""
    for expected, got in _comparisons(job, plan, job_id):
        if got:
            return Finding(OTHER_JOB, cost, called, expected, got)
    return Earned(cost)


def _comparisons(job: Submitted, plan: dict[str, Any], job_id: int) -> list[tuple[str, str]]:
    """What is wanted, and what came if that is something else, else ""."""
    held = [share.gpus for share in job.shares]
    placed = place_all(job)
    cores = min((one.seen.cores for one in placed), default=0)
    memory = min((share.memory for share in job.shares), default=0)
    log = _log_name(plan, job_id)
    words = shlex.split(plan["arguments"])
    others = [" ".join(p.seen.arguments) for p in placed if list(p.seen.arguments) != words]
    gpus, logs = plan["gpus"], [name.rpartition("/")[2] for name in job.logs]
    return [
        (f"{gpus} GPUs on each node", _unless(held == [gpus] * plan["nodes"], f"{held} held")),
        (f"{plan['cores']} cores for each task", _unless(cores >= plan["cores"], f"{cores}")),
        (f"{plan['memory']} MB", _unless(memory >= plan["memory"], f"{memory} MB")),
        (f"{plan['minutes']} minutes", _unless(job.minutes == plan["minutes"], f"{job.minutes}")),
        (f"the name {plan['name']}", _unless(job.job_name == plan["name"], job.job_name or "?")),
        (f"the log {log}", _unless(log in logs, ", ".join(logs) or "none")),
        (f"train.py {plan['arguments']}", _unless(not others, f"train.py {''.join(others[:1])}")),
    ]


def _unless(right: bool, got: str) -> str:
    return "" if right else got


def _log_name(plan: dict[str, Any], job_id: int) -> str:
    return str(plan["output"]).replace("%x", plan["name"]).replace("%j", str(job_id))


QUESTION = Question(
    title="Repair what went wrong",
    defines=("repair",),
    criteria=(
        Criterion("no_srun", "python without srun", 0.11),
        Criterion("ntasks_total", "the number of all tasks, and none per node", 0.11),
        Criterion("one_task", "one task beside several GPUs", 0.11),
        Criterion("late_directives", "directives below a command", 0.11),
        Criterion("gpus_per_task", "a GPU bound to each task", 0.11),
        Criterion("bad_time", "a time limit that Slurm does not read", 0.11),
        Criterion("log_folder", "a log in a folder that is not there", 0.11),
        Criterion("localhost", "an address that is another on each node", 0.11),
        Criterion("healthy", "a script without a fault runs as before", 0.12),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
