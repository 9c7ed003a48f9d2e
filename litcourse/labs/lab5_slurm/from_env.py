"""from_env: `trainer_kwargs_from_env` reads a process's environment and returns Trainer arguments.

The probe calls the function with environments that Slurm sets, builds a Trainer from each result
as in that process, and returns what it resolved to.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

import lightning as L

from litcourse.clusters import resolved, simulated_process
from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import error_finding
from litcourse.core.marks import merge, not_measured, without_repeats
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
from litcourse.labs.lab5_slurm._task_environments import environments
from litcourse.probing.attempts import attempt
from litcourse.probing.class_bases import bases

ALL = ("under_srun", "single", "interactive", "outside")
MOST = 8
"""GPUs of a node."""
_ALONE = "several ranks are not right yet: arguments that ignore the environment would do here"
_QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def draw(rng: Random) -> Inputs:
    """Fourteen processes: under srun, in jobs that Lightning does not see, and outside of Slurm."""
    few, nodes = rng.randrange(2, MOST + 1), rng.randrange(10, 33)
    cases = [
        _under_srun(rng, 1, 1, per_node=False),
        _under_srun(rng, 1, few),
        _under_srun(rng, nodes, few, which="first"),
        _under_srun(rng, nodes, few, which="last"),
        _under_srun(rng, rng.randrange(2, 9), rng.randrange(2, MOST), spare=True),
        *[_under_srun(rng, rng.randrange(2, 9), rng.randrange(1, MOST + 1)) for _ in range(4)],
        _outside({}, 1),
        _outside({}, rng.randrange(2, MOST + 1)),
        _interactive(rng, "interactive"),
        _interactive(rng, "bash"),
        _without_tasks(rng),
    ]
    return Inputs({"cases": cases})


def _under_srun(
    rng: Random, nodes: int, gpus: int, *, which: str = "", per_node: bool = True,
    spare: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """A task of a job with a rank for each GPU; with `spare`, its nodes have GPUs left over."""
    held = rng.randrange(gpus + 1, MOST + 1) if spare else gpus
    tasks = f"--ntasks-per-node={gpus}" if per_node else f"--ntasks={nodes * gpus}"
    options = [f"--nodes={nodes}", tasks, f"--gpus-per-node={held}", "--job-name=train"]
    found = environments(options, rng.randrange(1000, 10**6), _first(rng)).tasks
    rank = {"first": 0, "last": len(found) - 1}.get(which, rng.randrange(len(found)))
    kind = "under_srun" if nodes * gpus > 1 else "single"
    return _case(kind, found[rank], held, nodes, gpus)


def _first(rng: Random) -> str:
    return f"n{rng.randrange(1, 9)}"


def _interactive(rng: Random, name: str) -> dict[str, Any]:
    """A shell or notebook in a job with several tasks: Lightning does not look at Slurm."""
    gpus, tasks = rng.sample(range(2, MOST + 1), 2)
    options = [
        f"--nodes={rng.randrange(2, 5)}", f"--ntasks-per-node={tasks}", f"--gpus-per-node={gpus}",
        f"--job-name={name}",
    ]  # fmt: skip
    found = environments(options, rng.randrange(1000, 10**6), _first(rng))
    return _case("interactive", found.tasks[0], gpus, 1, gpus)


def _without_tasks(rng: Random) -> dict[str, Any]:
    """The batch shell of a job that names no tasks: nothing says how many there are."""
    gpus = rng.randrange(2, MOST + 1)
    options = ["--nodes=1", f"--gpus-per-node={gpus}", "--job-name=train"]
    found = environments(options, rng.randrange(1000, 10**6), _first(rng))
    return _case("outside", found.batch, gpus, 1, gpus)


def _outside(variables: dict[str, str], gpus: int) -> dict[str, Any]:
    return _case("outside", variables, gpus, 1, gpus)


def _case(
    kind: str, variables: dict[str, str], on_machine: int, nodes: int, gpus: int
) -> dict[str, Any]:
    """One process: its criterion and variables, the GPUs it sees, and the ranks there should be."""
    return {"kind": kind, "env": variables, "machine": on_machine, "nodes": nodes, "gpus": gpus}


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Resolve a Trainer for each process."""
    function = student["trainer_kwargs_from_env"]
    called = "trainer_kwargs_from_env(env)"
    cases = [attempt(partial(_resolve, function, case), called) for case in shown["cases"]]
    return {"cases": cases}


def _resolve(function: Any, case: dict[str, Any]) -> dict[str, Any]:
    arguments = function(dict(case["env"]))  # the process's own environment names no job
    if not isinstance(arguments, dict):
        return {"type": type(arguments).__name__}
    with simulated_process(case["env"], case["machine"]):
        return {
            "type": "dict",
            "trainer": attempt(lambda: _trainer(arguments), "L.Trainer(**kwargs)"),
        }


def _trainer(arguments: dict[str, Any]) -> dict[str, Any]:
    trainer = L.Trainer(**(_QUIET | arguments))
    environment = trainer._accelerator_connector.cluster_environment  # noqa: SLF001 (no public view)
    environment.validate_settings(num_devices=trainer.num_devices, num_nodes=trainer.num_nodes)
    kind, seen = type(trainer.strategy), resolved(trainer)
    return {
        "world_size": seen["world_size"],
        "num_nodes": seen["num_nodes"],
        "devices": seen["devices"],
        "accelerator": seen["accelerator"],
        "kinds": [kind.__name__, *bases(kind)],
    }


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge each process; a criterion is earned by all of its kind."""
    cases, seen = inputs.shown["cases"], list(evidence["cases"])
    if len(cases) != len(seen):
        return [Finding("LIT903", ALL, "", f"{len(cases)} processes", str(len(seen)))]
    if "not_measured" in seen[0]:
        return [not_measured(seen[0], ALL)]
    parts: dict[str, list[list[Mark]]] = {name: [] for name in ALL}
    for case, one in zip(cases, seen, strict=True):
        parts[case["kind"]].append([_judge_case(case, one)])
    marks = {name: merge(parts[name]) for name in ALL}
    several = any(isinstance(part[0], Earned) and case["nodes"] > 1
                  for case, part in zip(cases, _in_order(cases, parts), strict=True))  # fmt: skip
    if not several:
        others = [name for name in ALL[1:] if _earned(marks[name])]
        marks |= {name: [NotLookedAt((name,), _ALONE)] for name in others}
    return without_repeats([mark for name in ALL for mark in marks[name]])


def _in_order(cases: list[dict[str, Any]], parts: dict[str, list[list[Mark]]]) -> list[list[Mark]]:
    left = {name: iter(found) for name, found in parts.items()}
    return [next(left[case["kind"]]) for case in cases]


def _earned(marks: list[Mark]) -> bool:
    return any(isinstance(mark, Earned) for mark in marks)


def _judge_case(case: dict[str, Any], seen: Evidence) -> Mark:
    cost, where = (case["kind"],), _format(case)
    called = "trainer_kwargs_from_env(env)"
    if "error" in seen:
        found = error_finding(seen["error"], cost)
        if found.code == "LIT900":
            return Finding("LIT900", ALL, found.called, found.expected, found.got)
        code = "LIT5501" if found.got.startswith("KeyError") else found.code
        return Finding(code, cost, found.called, found.expected, found.got, where)
    kind = seen["type"].text()
    if kind != "dict":
        return Finding("LIT5500", ALL, called, "a dict", f"a {kind}", where)
    trainer = seen["trainer"]
    if "error" in trainer:
        error = error_finding(trainer["error"], cost)
        return Finding(_explain(case, error.got), cost, called, "a Trainer", error.got, where)
    return _judge_trainer(case, trainer, where)


def _explain(case: dict[str, Any], got: str) -> str:
    if "num_nodes=" in got:
        return "LIT5503"
    if "ntasks" in got or "You requested gpu" in got:
        return "LIT5504" if case["kind"] in ALL[:2] else "LIT5506"
    return "LIT5502"


def _judge_trainer(case: dict[str, Any], seen: Evidence, where: str) -> Mark:
    """Judge nodes, devices and strategy of a Trainer that was made."""
    cost, called = (case["kind"],), "trainer_kwargs_from_env(env)"
    nodes, gpus = case["nodes"], case["gpus"]
    got_nodes, got_gpus = seen["num_nodes"].integer(), seen["devices"].integer()
    world = seen["world_size"].integer()
    if (got_nodes, got_gpus, world) != (nodes, gpus, nodes * gpus):
        wanted = f"{nodes} nodes with {gpus} devices each, world size {nodes * gpus}"
        got = f"{got_nodes} nodes with {got_gpus} devices each, world size {world}"
        code = "LIT5504" if case["kind"] in ALL[:2] else "LIT5506"
        return Finding(code, cost, called, wanted, got, where)
    if seen["accelerator"].text() != "CUDAAccelerator":
        return Finding("LIT5507", cost, called, "GPUs", seen["accelerator"].text(), where)
    kinds = seen["kinds"].texts()
    if nodes * gpus > 1 and not any(kind == "DDPStrategy" for kind in kinds):
        return Finding("LIT5508", cost, called, "DDPStrategy", (kinds or ["none"])[0], where)
    return Earned(cost)


def _format(case: dict[str, Any]) -> str:
    names = ("SLURM_JOB_NAME", "SLURM_NNODES", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE")
    shown = [f"{name}={case['env'][name]}" for name in names if name in case["env"]]
    return f"{' '.join(shown) or 'no variable of Slurm'}; {case['machine']} GPUs are seen"


QUESTION = Question(
    title="Arguments from the environment",
    defines=("trainer_kwargs_from_env",),
    criteria=(
        Criterion("under_srun", "one rank per task, on all nodes of the step", 0.5),
        Criterion("single", "one rank in a job of one task", 0.15),
        Criterion("interactive", "all GPUs of the machine in shells and notebooks", 0.2),
        Criterion("outside", "all GPUs of the machine outside of srun", 0.15),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
