"""class_policy: a policy that makes each `Block` a unit, and nothing else.

FSDP1 itself is asked, on rank 0 of a process group that does not exist, which modules of drawn
networks it makes units of. The judge lists the blocks of the same networks.
"""

from __future__ import annotations

from random import Random
from typing import Any

from torch import nn

from litcourse.core.evidence import Evidence
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Inputs, Mark, NotLookedAt, Question
from litcourse.labs.lab4_fsdp._networks import Spec, draw_specs, parts_of
from litcourse.labs.lab4_fsdp._policies import (
    Seen,
    all_are_units,
    draw_policy,
    extras,
    misplaced,
    no_units,
    probe_policies,
    read_cases,
    replicating,
)
from litcourse.models import Block, Head, TransformerClassifier

ALL = ("blocks", "only")
CALL = "class_policy()"


def draw(rng: Random) -> Inputs:
    """A network of each kind."""
    specs = draw_specs(rng)
    return Inputs({"specs": specs, "cases": [{"network": n, "arguments": []} for n in specs]})


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Have FSDP cut each network."""
    return {"run": probe_policies(student["class_policy"], shown["specs"], shown["cases"])}


def blocks_of(spec: Spec, _: list[int]) -> list[str]:
    """Names of the blocks of a network."""
    return [n for n, module in parts_of(spec).items() if isinstance(module, Block)]


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge first whether the blocks are units, then, where they are, what else is."""
    seen, failed = read_cases(inputs.shown, evidence["run"], CALL, blocks_of, ALL)
    found = failed or replicating(seen, ALL) or no_units(seen, ALL)
    return [*found] if found else [_judge_blocks(seen), _judge_only(seen)]


def _judge_blocks(seen: list[Seen]) -> Mark:
    wrong = [case for case in seen if case.missing]
    if not wrong:
        return Earned(("blocks",))
    some = any(case.right & set(case.units) for case in seen)
    return misplaced(wrong[0], _explain(seen, "LIT4105" if some else "LIT4104"), ("blocks",))


def _judge_only(seen: list[Seen]) -> Mark:
    looked = [case for case in seen if not case.missing]
    if not any(case.right for case in looked):
        return NotLookedAt(("only",), "no network has all of its blocks as units")
    wrong = [case for case in looked if case.extra]
    if not wrong:
        return Earned(("only",))
    return misplaced(wrong[0], _explain(seen, "LIT4119"), ("only",))


def _explain(seen: list[Seen], otherwise: str) -> str:
    """The code of the mistake that the units that should be none show, most telling first."""
    if all_are_units(seen):
        return "LIT4120"
    found = list(extras(seen))
    if any(isinstance(part, TransformerClassifier) for _, _, part in found):
        return "LIT4106"
    if any(isinstance(part, (nn.ModuleList, nn.ModuleDict)) for _, _, part in found):
        return "LIT4107"
    inside = any(name.startswith(f"{block}.") for case, name, _ in found for block in case.right)
    if inside:
        return "LIT4116"
    for code, kind in (("LIT4115", nn.Embedding), ("LIT4118", Head)):
        if any(isinstance(part, kind) for _, _, part in found):
            return code
    return otherwise


def picture(inputs: Inputs, evidence: Evidence) -> str:
    """The tree of a network with its units, and what they cost."""
    seen, _ = read_cases(inputs.shown, evidence["run"], CALL, blocks_of, ALL)
    return draw_policy(seen)


QUESTION = Question(
    title="A unit for each block",
    defines=("class_policy",),
    criteria=(
        Criterion("blocks", "each Block is a unit, wherever it stands", 0.5),
        Criterion("only", "nothing else is a unit", 0.5),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    picture=picture,
)
