"""strategy_for: one flag for all strategies.

Each flag gives a Trainer twice, as on two nodes of four GPUs under Slurm, in a forked process where
DeepSpeed is pretended, or pretended away. The evidence is what the Trainer resolved to, and for
FSDP2 the mesh that it makes on rank 0 of ranks that do not exist. What the student's own makers
give for the right arguments is evidence too, and taken as right.
"""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import Any

from torch.distributed.fsdp.wrap import ModuleWrapPolicy

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import RAISED, UNSOLVED, error_finding, waiting_finding
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, NotLookedAt, Question
from litcourse.labs.lab4_fsdp._refusals import ask, is_value_error
from litcourse.labs.lab4_fsdp._resolved import GPUS, WORLD, kinds_of, mesh_of, trainer_of
from litcourse.labs.lab4_fsdp._strategies import FLAGS, is_kind, read_strategy
from litcourse.models import Block, Head
from litcourse.probing.attempts import attempt
from litcourse.ranks import rank_findings, read_rank_values, run_ranks
from litcourse.sharding import measured, pretend_deepspeed

SHARDINGS = {"fsdp": "FULL_SHARD", "fsdp_grad_op": "SHARD_GRAD_OP", "fsdp_no_shard": "NO_SHARD"}
STAGES = {"zero1": 1, "zero2": 2, "zero3": 3}
NO_FLAGS = ("", "zero", "zero4", "deepspeed", "fsdp3", "auto")
FAMILIES = {
    "ddp": ("ddp",),
    "fsdp": tuple(SHARDINGS),
    "fsdp2": ("fsdp2",),
    "zero": tuple(STAGES),
}
"""The flags of each criterion."""
ALL = (*FAMILIES, "refuses", "fresh")
_MAKERS = {"fsdp": "fsdp_strategy", "zero": "zero"}
"""Questions whose answers may be called, by criterion."""
KINDS = {
    "ddp": ("DDPStrategy", "LIT4701"),
    "fsdp": ("FSDPStrategy", "LIT4702"),
    "fsdp2": ("ModelParallelStrategy", "LIT4706"),
    "zero": ("DeepSpeedStrategy", "LIT4709"),
}
"""The class of each criterion's strategies, with the code of another one."""
_NO_STRATEGY = r"invalid strategy name|Expected `strategy`"
_WANTS_DEEPSPEED = r"[Dd]eep[Ss]peed"


def draw(rng: Random) -> Inputs:
    """All flags and names that are none, in any order, and a number of ranks for the mesh."""
    others = [*NO_FLAGS, f"zero{rng.randrange(5, 100)}", f"fsdp_{rng.randrange(3, 100)}"]
    return Inputs({
        "flags": rng.sample(FLAGS, len(FLAGS)), "others": rng.sample(others, len(others)),
        "ranks": GPUS * rng.randrange(17, 129),
    })  # fmt: skip


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Resolve each flag, in a process of its own."""
    make, policy = student["strategy_for"], ModuleWrapPolicy({Block})

    def work(_: int) -> dict[str, Any]:
        flags = {flag: _resolve(make, flag, policy) for flag in shown["flags"]}
        with pretend_deepspeed(there=True):
            others = {name: _ask(make, name, policy) for name in shown["others"]}
            own = _own(student, policy)
        return {"flags": flags, "others": others, "own": own}

    def mesh(ranks: int) -> dict[str, Any]:
        arguments = () if ranks == 1 else (policy, ranks)
        with pretend_deepspeed(there=True):
            return attempt(lambda: mesh_of(make("fsdp2", *arguments), ranks), _call_of_mesh(ranks))

    # Processes of their own: a strategy that a Trainer has taken is refused by the next one.
    return {
        "run": measured(run_ranks(work, 1)),
        "many": measured(run_ranks(lambda _: mesh(shown["ranks"]), 1)),
        "alone": measured(run_ranks(lambda _: mesh(1), 1)),
    }


def _call_of_mesh(ranks: int) -> str:
    arguments = "" if ranks == 1 else f", policy, {ranks}"
    return f"strategy_for('fsdp2'{arguments}) on {ranks} rank{'s' * (ranks > 1)}"


def _resolve(make: Any, flag: str, policy: Any) -> dict[str, Any]:
    """What a flag gives, twice: without DeepSpeed where it needs none, else or then with it."""
    called, other = f"strategy_for({flag!r}, policy, {WORLD})", ModuleWrapPolicy({Block, Head})

    def both() -> dict[str, Any]:
        first = make(flag, policy, WORLD)
        seen = trainer_of(first, policy)
        second, third = make(flag, policy, WORLD), make(flag, other, WORLD)
        return {
            **seen,
            "same": first is second and not isinstance(first, str),
            "again": attempt(lambda: kinds_of(second, policy), called),
            "other": attempt(lambda: kinds_of(third, other), called),
        }

    needs = flag in STAGES
    with pretend_deepspeed(there=needs):
        seen = ask(both, called)
    if needs or not re.search(_WANTS_DEEPSPEED, str(seen.get("error", ""))):
        return seen
    with pretend_deepspeed(there=True):
        return {**ask(both, called), "wants_deepspeed": seen["error"]}


def _ask(make: Any, name: str, policy: Any) -> dict[str, Any]:
    def run() -> dict[str, Any]:
        return {"returned": type(make(name, policy, WORLD)).__name__}

    return ask(run, f"strategy_for({name!r})")


def _own(student: Student, policy: Any) -> dict[str, Any]:
    """What the student's own makers give for the right arguments."""
    found = {}
    fsdp, zero = "make_fsdp_strategy", "make_zero_strategy"
    if student.missing((fsdp,)) is None:
        for flag, sharding in SHARDINGS.items():
            found[flag] = attempt(lambda s=sharding: _told(student[fsdp](policy, s), policy), fsdp)  # type: ignore[misc]
    if student.missing((zero,)) is None:
        for flag, stage in STAGES.items():
            found[flag] = attempt(lambda s=stage: _told(student[zero](s), policy), zero)  # type: ignore[misc]
    return found


def _told(strategy: Any, policy: Any) -> dict[str, Any]:
    given = getattr(strategy, "kwargs", {}).get("auto_wrap_policy")
    return {**read_strategy(strategy), "policy": given is policy}


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the flags of each criterion, then what is refused, then whether each call is new."""
    parts = [evidence[name] for name in ("run", "many", "alone")]
    failed = [finding for part in parts for finding in rank_findings(part, ALL, 1)]
    if failed:
        return [*failed[:1]]
    seen, *meshes = (read_rank_values(part)[0] for part in parts)
    marks: list[Mark] = [_judge_family(inputs, family, seen, meshes) for family in FAMILIES]
    right = [mark.criteria[0] for mark in marks if isinstance(mark, Earned)]
    unsolved = [m for m in marks if isinstance(m, Finding) and m.code == UNSOLVED]
    if len(unsolved) == len(marks):
        return [replace(unsolved[0], criteria=ALL)]
    if not right:
        return [*marks, NotLookedAt(("refuses", "fresh"), "no flag is right yet")]
    return [*marks, _judge_refusals(inputs, seen["others"]), _judge_fresh(seen["flags"], right)]


def _judge_family(inputs: Inputs, family: str, seen: Evidence, meshes: list[Evidence]) -> Mark:
    for flag in FAMILIES[family]:
        got, own = seen["flags"][flag], seen["own"]
        if "error" in got:
            return _error_finding(family, flag, got, own)
        called = f"strategy_for({flag!r}, policy, {WORLD})"
        taken = flag in own and _is_own(got, own[flag])
        finding = None if taken else _judge_flag(family, flag, got, called)
        if finding is not None:
            return replace(finding, called=called)
    found = _judge_meshes(meshes, inputs.shown["ranks"]) if family == "fsdp2" else []
    return found[0] if found else Earned((family,))


def _judge_flag(family: str, flag: str, got: Evidence, called: str) -> Finding | None:
    kinds = got["kinds"].texts()
    finding = _judge_kind(family, kinds)
    if finding is not None:
        return finding
    if family == "fsdp":
        return _judge_fsdp(got, SHARDINGS[flag])
    if family == "zero":
        is_int = got["stage_type"].text() == "int"
        stage = got["stage"].integer() if is_int else repr(got["stage"].text())
        if stage != STAGES[flag]:
            return Finding("LIT4710", ("zero",), called, f"stage {STAGES[flag]}", f"{stage}")
        offloaded = [n for n in ("optimizer", "parameters") if got[n].text() != "none"]
        return _offloads("zero", offloaded)
    method = got["method"].text()
    if family == "ddp" and method != "popen":
        return Finding("LIT3107", ("ddp",), called, "programs, started or found", method)
    return None


def _offloads(family: str, offloaded: list[str]) -> Finding | None:
    if not offloaded:
        return None
    return Finding("LIT4719", (family,), "", "no offload", f"{' and '.join(offloaded)} offloaded")


def _judge_kind(family: str, kinds: list[str]) -> Finding | None:
    """The finding on a strategy of another family; one that replicates is called by its name."""
    wanted, code = KINDS[family]
    deepspeed = "DeepSpeedStrategy" in kinds  # it derives from DDPStrategy
    if wanted in kinds and (family == "zero" or not deepspeed):
        return None
    replicates = "DDPStrategy" in kinds and not deepspeed and family != "ddp"
    name = (kinds or ["nothing"])[0]
    return Finding("LIT4703" if replicates else code, (family,), "", wanted, name)


def _error_finding(family: str, flag: str, got: Evidence, own: Evidence) -> Finding:
    cost, error = (family,), got["error"]
    found = error_finding(error, cost)
    if flag in own and "error" in own[flag]:
        made = own[flag]["error"]["line"].text()
        if made and made == error["line"].text():
            return waiting_finding(error, cost, _MAKERS[family])
    if found.code != RAISED:
        return found
    code = "LIT4716" if is_value_error(error) else RAISED
    code = "LIT4700" if re.search(_NO_STRATEGY, found.got) else code
    code = "LIT4417" if "lightning.fabric.strategies" in found.got else code
    return Finding(code, cost, found.called, "a strategy", found.got, found.where)


def _is_own(got: Evidence, own: Evidence) -> bool:
    """Whether a flag gives just what the student's own maker gives for the right arguments.

    What is wrong with that, even that it replicates, has cost its points in the maker's question.
    """
    if "error" in own:
        return False
    keys = [key for key in own.keys() if key != "value"]  # noqa: SIM118 (no dict)
    if not is_kind(own, "Strategy"):
        return False
    return all(key in got and _plain(got[key]) == _plain(own[key]) for key in keys)


def _plain(node: Evidence) -> object:
    for read in (node.flag, node.integer, node.text, node.texts):
        try:
            return read()
        except ValueError:
            continue
    return None


def _judge_fsdp(got: Evidence, sharding: str) -> Finding | None:
    told = got["sharding"].text()
    if told != sharding:
        return Finding("LIT4704", ("fsdp",), "", sharding, told)
    if not got["policy"].flag():
        return Finding("LIT4705", ("fsdp",), "", "the given policy", "another, or none")
    return _offloads("fsdp", ["parameters"] if got["offload"].flag() else [])


def _judge_meshes(meshes: list[Evidence], ranks: int) -> list[Finding]:
    """The findings on the mesh of many ranks, and on that of one where no number was given."""
    found = map(_judge_mesh, meshes, (ranks, 1))
    return [finding for finding in found if finding is not None]


def _judge_mesh(mesh: Evidence, ranks: int) -> Finding | None:
    cost, called = ("fsdp2",), _call_of_mesh(ranks)
    if "error" in mesh:
        found = error_finding(mesh["error"], cost)
        sizes_differ = "should equal the world size" in found.got
        return replace(found, code="LIT4708") if sizes_differ else found
    if mesh["mesh"].is_none:
        return Finding("LIT4706", cost, called, "a ModelParallelStrategy", "another")
    sizes = {name: mesh["mesh"][name].integer() for name in mesh["mesh"].keys()}  # noqa: SIM118 (no dict)
    shards = mesh["shards"].integer()
    if sizes.get("data_parallel") == ranks and shards == ranks:
        return None
    got = ", ".join(f"{size} {name}" for name, size in sizes.items())
    expected = f"{ranks} data-parallel ranks, each with other data"
    code = "LIT4707" if sizes.get("tensor_parallel", 1) > 1 else "LIT4708"
    return Finding(code, cost, called, expected, f"{got}, {shards} shards of the data")


def _judge_refusals(inputs: Inputs, others: Evidence) -> Mark:
    cost = ("refuses",)
    for name in inputs.shown["others"]:
        seen, called = others[name], f"strategy_for({name!r})"
        if "error" not in seen:
            got = f"a {seen['returned'].text()}"
            return Finding("LIT4711", cost, called, "ValueError", got)
        found = error_finding(seen["error"], cost)
        if not is_value_error(seen["error"]):
            return Finding("LIT4714", cost, called, "ValueError", found.got)
        words = set(re.findall(r"\w+", seen["error"]["message"].text()))
        lacking = [flag for flag in FLAGS if flag not in words]
        if lacking:
            got = f"no {', '.join(lacking)} in: {found.got}"
            return Finding("LIT4715", cost, called, "a message with all eight flags", got)
    return Earned(cost)


def _judge_fresh(flags: Evidence, right: list[str]) -> Mark:
    """Judge the flags whose strategies are right: new each time, and without DeepSpeed."""
    cost = ("fresh",)
    for flag in (flag for family in right for flag in FAMILIES[family]):
        seen, called = flags[flag], f"strategy_for({flag!r}, policy, {WORLD})"
        if "wants_deepspeed" in seen:
            found = error_finding(seen["wants_deepspeed"], cost)
            expected = "a strategy where DeepSpeed is not installed"
            return Finding("LIT4713", cost, called, expected, found.got, found.where)
        if seen["same"].flag():
            expected, got = "a new strategy each time", "the one of before"
            return Finding("LIT4712", cost, f"{called}, twice", expected, got)
        later = _judge_later(flag, seen, called)
        if later is not None:
            return later
    return Earned(cost)


def _judge_later(flag: str, seen: Evidence, called: str) -> Finding | None:
    """Judge what a second call gives, and one with another policy."""
    cost = ("fresh",)
    for call in ("again", "other"):
        if "error" in seen[call]:
            return error_finding(seen[call]["error"], cost)
    first, second = (part["kinds"].texts() for part in (seen, seen["again"]))
    if first != second:
        got = (second or ["nothing"])[0]
        return Finding("LIT4717", cost, f"{called}, twice", first[0], got)
    if flag in SHARDINGS and seen["policy"].flag() and not seen["other"]["policy"].flag():
        return Finding("LIT4718", cost, f"{called}, twice", "each call's policy", "the first one's")
    return None


QUESTION = Question(
    title="One flag for all of them",
    defines=("strategy_for",),
    criteria=(
        Criterion("ddp", "DDP, of the kind that starts programs", 0.1),
        Criterion("fsdp", "FSDP with its three shardings and the policy", 0.3),
        Criterion("fsdp2", "FSDP2 with all ranks data-parallel", 0.2),
        Criterion("zero", "ZeRO's three stages", 0.2),
        Criterion("refuses", "ValueError with all flags for any other name", 0.1),
        Criterion("fresh", "a new strategy each time, DeepSpeed only where needed", 0.1),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
