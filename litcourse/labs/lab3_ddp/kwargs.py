"""kwargs: `ddp_kwargs` returns a Trainer's arguments for a number of nodes and GPUs.

The probe builds a Trainer from the student's dictionary on simulated clusters, as the first and
as the last process of the job. The evidence is what the Trainer resolved to.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from random import Random
from typing import Any

import lightning as L
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment

from litcourse.clusters import resolved, simulated_cluster
from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import RAISED, error_finding
from litcourse.core.marks import find_findings, merge
from litcourse.core.names import count_noun
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
from litcourse.probing.attempts import attempt
from litcourse.probing.class_bases import bases

ALL = ("ranks", "ddp", "precision", "fresh")
DEFAULT_PRECISION = "bf16-mixed"
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "bf16-true")
VIEWS = ("first", "last")
ELSEWHERE = "elsewhere"
"""A view in which the function is called in a Slurm job of another shape."""
_NOT_DDP = ("DeepSpeedStrategy",)
"""Subclasses of DDPStrategy that do not train by DDP."""
_QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def draw(rng: Random) -> Inputs:
    """Jobs of one GPU, one node, one GPU per node, and many of both; some nodes have spare GPUs."""
    shapes = [(1, 1), (1, rng.randrange(2, 8)), (rng.randrange(2, 8), 1), (8, 8)]
    shapes += [(rng.randrange(2, 8), rng.randrange(2, 7)) for _ in range(2)]
    slurm = rng.sample([True, False, True, False, True, False], 6)
    spare = rng.sample([0, 0, 1, 2, 3, 4], 6)
    precisions = [None, *rng.sample(PRECISIONS, 4), rng.choice(PRECISIONS)]
    cases = [
        {
            "nodes": nodes,
            "gpus": gpus,
            "slurm": slurm[i],
            "on_node": min(8, gpus + spare[i]),
            "precision": precisions[i],
        }
        for i, (nodes, gpus) in enumerate(shapes)
    ]
    # At least one node has spare GPUs, so that an answer that takes all GPUs fails.
    cases[1]["on_node"] = 8
    return Inputs({"cases": cases})


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Resolve a Trainer for each job, twice; and call the function twice for one job."""
    function = student["ddp_kwargs"]
    views = (*VIEWS, ELSEWHERE)
    cases = [{view: _resolve(function, case, view) for view in views} for case in shown["cases"]]
    return {"cases": cases, "fresh": attempt(lambda: _call_twice(function), "ddp_kwargs(2, 4)")}


def _resolve(function: Any, case: dict[str, Any], view: str) -> dict[str, Any]:
    last = view == "last"
    module = {
        "node_rank": case["nodes"] - 1 if last else 0,
        "local_rank": case["gpus"] - 1 if last else 0,
        "slurm": case["slurm"],
        "on_node": case["on_node"],
    }
    own_job = simulated_cluster(case["nodes"], case["gpus"], **module)
    if view != ELSEWHERE:
        with own_job:
            return attempt(lambda: _build(_call(function, case)), _format_call(case))
    with _other_job(case):
        called = attempt(lambda: {"arguments": _call(function, case)}, _format_call(case))
    with own_job:
        return _build(called["arguments"]) if "arguments" in called else called


def _other_job(case: dict[str, Any]) -> contextlib.AbstractContextManager[Any]:
    """A Slurm job of another shape, such as the one in which a notebook runs."""
    return simulated_cluster(case["nodes"] % 8 + 1, case["gpus"] % 8 + 1, slurm=True)


def _call(function: Any, case: dict[str, Any]) -> Any:
    more = {} if case["precision"] is None else {"precision": case["precision"]}
    return function(case["nodes"], case["gpus"], **more)


def _build(arguments: Any) -> dict[str, Any]:
    if not isinstance(arguments, dict):
        return {"type": type(arguments).__name__}
    return {
        "type": "dict",
        "environments": _environments(arguments.get("plugins")),
        "trainer": attempt(lambda: _resolve_trainer(arguments), "L.Trainer(**kwargs)"),
    }


def _environments(plugins: Any) -> list[str]:
    """Names of the cluster environments among the plugins of a Trainer's arguments."""
    listed = plugins if isinstance(plugins, (list, tuple)) else [plugins]
    return [type(each).__name__ for each in listed if isinstance(each, ClusterEnvironment)]


def _resolve_trainer(arguments: dict[str, Any]) -> dict[str, Any]:
    trainer = L.Trainer(**(_QUIET | arguments))
    kind = type(trainer.strategy)
    return {
        **resolved(trainer),
        "kinds": [kind.__name__, *bases(kind)],
        "start_method": str(getattr(trainer.strategy, "_start_method", "popen")),
    }


def _call_twice(function: Any) -> dict[str, Any]:
    """Empty the dictionary of one call, and compare it with that of the next call."""
    first = function(2, 4)
    before = dict(first)
    first.clear()
    second = function(2, 4)
    plain = (str, int, float, bool, tuple, type(None))
    shared = [k for k, v in second.items() if before.get(k) is v and not isinstance(v, plain)]
    return {"before": len(before), "second": len(second), "first": len(first), "shared": shared}


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge each job, and return the first finding for each set of criteria."""
    cases, seen = inputs.shown["cases"], list(evidence["cases"])
    if len(seen) != len(cases):
        return [Finding("LIT903", ALL, "ddp_kwargs(...)", f"{len(cases)} jobs", str(len(seen)))]
    fresh = _judge_fresh(evidence["fresh"])
    marks = merge(_judge_case(case, views) for case, views in zip(cases, seen, strict=True))
    found: dict[tuple[str, ...], Finding] = {}
    for finding in find_findings(marks):
        if finding.criteria == ALL and isinstance(fresh, Finding) and fresh.code == "LIT3109":
            return [replace(fresh, criteria=ALL)]  # a Trainer refuses a strategy of another one
        found.setdefault(finding.criteria, finding)
    return [*found.values(), *(mark for mark in marks if not isinstance(mark, Finding)), fresh]


def _judge_case(case: dict[str, Any], views: Evidence) -> list[Mark]:
    """The marks of all views, with the findings on one: the first, the last, or elsewhere."""
    each = [_judge_view(case, view, views[view]) for view in VIEWS]
    for marks in each:
        if find_findings(marks):
            return marks
    elsewhere = _judge_view(case, ELSEWHERE, views[ELSEWHERE])
    read = find_findings(elsewhere)
    if not read:
        return merge([*each, elsewhere])
    # What the function reads is the shape, also where a Trainer then refuses all of it.
    cost = ("ranks",) if read[0].criteria == ALL else read[0].criteria
    return [replace(read[0], code="LIT3113", criteria=cost), *merge(each)]


def _format_call(case: dict[str, Any]) -> str:
    precision = f", {case['precision']!r}" if case["precision"] is not None else ""
    return f"ddp_kwargs({case['nodes']}, {case['gpus']}{precision})"


def _format_view(case: dict[str, Any], view: str) -> str:
    slurm = "under Slurm" if case["slurm"] else "without Slurm"
    if view == ELSEWHERE:
        return "called in a Slurm job of another shape"
    return f"{view} process, nodes with {count_noun(case['on_node'], 'GPU')}, {slurm}"


def _format_shape(nodes: int, gpus: int) -> str:
    return f"{count_noun(nodes, 'node')}, {count_noun(gpus, 'GPU')}{' each' * (nodes != 1)}"


def _judge_view(case: dict[str, Any], view: str, seen: Evidence) -> list[Mark]:
    called, where = _format_call(case), _format_view(case, view)
    if "error" in seen:
        return [error_finding(seen["error"], ALL)]
    kind = seen["type"].text()
    if kind != "dict":
        return [Finding("LIT3100", ALL, called, "a dict", f"a {kind}")]
    trainer, places = seen["trainer"], seen["environments"].texts()
    if "error" in trainer:
        refused = _refusal_finding(case, trainer["error"], where)
        return [_name_environment(refused, places)]
    if _is_single_by_name(trainer):
        expected, got = "DDPStrategy on GPUs", "SingleDeviceStrategy on the CPU"
        single = Finding("LIT3106", ("ranks", "ddp"), called, expected, got, where)
        return [single, _judge_precision(case, trainer, where)]
    ranks = _judge_ranks(case, view, trainer)
    return [
        _name_environment(ranks, places) if isinstance(ranks, Finding) else ranks,
        _judge_strategy(case, trainer, where),
        _judge_precision(case, trainer, where),
    ]


def _name_environment(finding: Finding, places: list[str]) -> Finding:
    """The finding with the code of an environment that is written down, if there is one."""
    if not places or finding.code not in {"LIT3101", "LIT3104"}:
        return finding
    got = f"{places[0]}; {finding.got}"
    return replace(finding, code="LIT3114", criteria=("ranks",), got=got)


def _is_single_by_name(seen: Evidence) -> bool:
    """Whether the strategy is "single_device", with which a Trainer uses one rank on the CPU."""
    of_gpus = seen["accelerator"].text() == "CUDAAccelerator"
    single = seen["strategy"].text() == "SingleDeviceStrategy"
    return of_gpus and single and seen["root_device"].text() == "cpu"


def _refusal_finding(case: dict[str, Any], error: Evidence, where: str) -> Finding:
    """The finding on a Trainer that raises; more GPUs than a node has gets its own code."""
    finding = error_finding(error, ALL)
    code = finding.code
    if "You requested gpu" in finding.got:
        code = "LIT3103"
    elif code == RAISED:
        code = "LIT3101"
    return Finding(code, ALL, f"L.Trainer(**{_format_call(case)})", "a Trainer", finding.got, where)


def _judge_ranks(case: dict[str, Any], view: str, seen: Evidence) -> Mark:
    """Judge the number of ranks, and number and device of this rank."""
    nodes, gpus, last = case["nodes"], case["gpus"], view == "last"
    cost, called, where = ("ranks",), _format_call(case), _format_view(case, view)
    accelerator = seen["accelerator"].text()
    if accelerator != "CUDAAccelerator":
        return Finding("LIT3110", cost, called, "GPUs", accelerator, where)
    devices, on = seen["devices"].integer(), seen["num_nodes"].integer()
    if (devices, on) != (gpus, nodes):
        code, wanted = _explain_shape(case, devices, on), _format_shape(nodes, gpus)
        return Finding(code, cost, called, wanted, _format_shape(on, devices), where)
    rank, world = nodes * gpus - 1 if last else 0, nodes * gpus
    device = f"cuda:{gpus - 1 if last else 0}"
    wanted = f"rank {rank} of {world} on {device}"
    got = (
        f"rank {seen['global_rank'].integer()} of {seen['world_size'].integer()} on "
        f"{seen['root_device'].text()}"
    )
    if got == wanted:
        return Earned(cost)
    return Finding("LIT3104", cost, called, wanted, got, where)


def _explain_shape(case: dict[str, Any], devices: int, nodes: int) -> str:
    if (devices, nodes) == (case["nodes"], case["gpus"]):
        return "LIT3112"
    if nodes != case["nodes"]:
        return "LIT3105"
    if devices == case["on_node"]:
        return "LIT3102"
    if devices == case["nodes"] * case["gpus"]:
        return "LIT3103"
    return "LIT3111" if devices == 1 else "LIT3104"


def _judge_strategy(case: dict[str, Any], seen: Evidence, where: str) -> Mark:
    called, cost = _format_call(case), ("ddp",)
    kinds, method = seen["kinds"].texts(), seen["start_method"].text()
    if case["nodes"] * case["gpus"] == 1 and kinds[:1] == ["SingleDeviceStrategy"]:
        return Earned(cost)  # no strategy: nothing to share
    is_ddp = any(kind.endswith("DDPStrategy") for kind in kinds)
    if not is_ddp or any(kind in _NOT_DDP for kind in kinds):
        return Finding("LIT3106", cost, called, "DDPStrategy", (kinds or ["none"])[0], where)
    if method != "popen":
        got = f"processes started by {method}"
        return Finding("LIT3107", cost, called, "programs, started or found", got, where)
    return Earned(cost)


def _judge_precision(case: dict[str, Any], seen: Evidence, where: str) -> Mark:
    cost = ("precision",)
    wanted, got = case["precision"] or DEFAULT_PRECISION, seen["precision"].text()
    on_cpu = seen["accelerator"].text() == "CPUAccelerator"  # Lightning uses bf16 for 16 there
    if got == wanted or (on_cpu and (got, wanted) == ("bf16-mixed", "16-mixed")):
        return Earned(cost)
    return Finding("LIT3108", cost, _format_call(case), wanted, got, where)


def _judge_fresh(seen: Evidence) -> Mark:
    called, cost = "ddp_kwargs(2, 4), after the last one was emptied", ("fresh",)
    if "error" in seen:
        return error_finding(seen["error"], cost)
    before, second = seen["before"].integer(), seen["second"].integer()
    shared = seen["shared"].texts()
    if second == before and seen["first"].integer() == 0 and not shared:
        if before == 0:
            return NotLookedAt(cost, "the dictionary is empty, so nothing in it can change")
        return Earned(cost)
    got = f"the same object under {', '.join(shared)}" if shared else "the one of before"
    return Finding("LIT3109", cost, called, f"a new dict of {before} entries", got)


QUESTION = Question(
    title="Ask for nodes and GPUs",
    defines=("ddp_kwargs",),
    criteria=(
        Criterion("ranks", "one rank per GPU that was asked for, each with its own", 0.4),
        Criterion("ddp", "DDP as soon as there is more than one GPU", 0.3),
        Criterion("precision", "the precision of the argument", 0.15),
        Criterion("fresh", "a new dictionary each time", 0.15),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
