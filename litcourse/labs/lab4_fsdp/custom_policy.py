"""custom_policy: every `Block` is a unit, and a `Head` that is large enough; nothing else.

FSDP1 itself is asked, as in `class_policy`, for several least numbers of parameters. The judge
counts the parameters of the same networks.
"""

from __future__ import annotations

from random import Random
from typing import Any

from torch import nn

from litcourse.core.evidence import Evidence
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Inputs, Mark, NotLookedAt, Question
from litcourse.labs.lab4_fsdp._networks import Spec, draw_specs, held_on_meta, parts_of, size
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
from litcourse.models import Block, Head

ALL = ("blocks", "heads", "only")
CALL = "custom_policy({})"


def draw(rng: Random) -> Inputs:
    """Networks, each with numbers around the sizes of its heads and of a block."""
    specs = draw_specs(rng)
    cases = [
        {"network": name, "arguments": [number]}
        for name, spec in specs.items()
        for number in _numbers(spec)
    ]
    return Inputs({"specs": specs, "cases": cases})


def _numbers(spec: Spec) -> list[int]:
    """The smallest head's size, the largest's and one less and more, and more than any block's."""
    module = held_on_meta(spec)
    heads = sorted(size(part) for part in module.modules() if isinstance(part, Head))
    if not heads:
        return [10]
    both = [size(part) for part in module.modules() if isinstance(part, (Block, Head))]
    return sorted({heads[0], heads[-1] - 1, heads[-1], heads[-1] + 1, max(both) + 1})


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Have FSDP cut each network, for each number."""
    return {"run": probe_policies(student["custom_policy"], shown["specs"], shown["cases"])}


def right_units(spec: Spec, arguments: list[int]) -> list[str]:
    """Names of blocks, and of heads with at least so many parameters."""
    (least,) = arguments
    modules = parts_of(spec).items()
    return [
        name
        for name, part in modules
        if isinstance(part, Block) or (isinstance(part, Head) and size(part) >= least)
    ]


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge blocks and heads apart; what else is a unit, where the blocks are."""
    seen, failed = read_cases(inputs.shown, evidence["run"], CALL, right_units, ALL)
    found = failed or replicating(seen, ALL) or no_units(seen, ALL)
    return [*found] if found else [_judge_blocks(seen), _judge_heads(seen), _judge_only(seen)]


def _of_kind(case: Seen, names: list[str], kind: type[nn.Module]) -> list[str]:
    modules = parts_of(case.spec)
    return [name for name in names if isinstance(modules.get(name), kind)]


def _judge_blocks(seen: list[Seen]) -> Mark:
    wrong = [case for case in seen if _of_kind(case, case.missing, Block)]
    if not wrong:
        return Earned(("blocks",))
    by_number = any(
        not _of_kind(case, case.missing, Block) for case in seen if case.network != "resnet"
    )
    return misplaced(wrong[0], "LIT4301" if by_number else "LIT4302", ("blocks",))


def _judge_heads(seen: list[Seen]) -> Mark:
    missing = [case for case in seen if _of_kind(case, case.missing, Head)]
    extra = [case for case in seen if _of_kind(case, case.extra, Head)]
    if not missing and not extra:
        return Earned(("heads",))
    return misplaced((missing or extra)[0], _explain_heads(seen, missing, extra), ("heads",))


def _explain_heads(seen: list[Seen], missing: list[Seen], extra: list[Seen]) -> str:
    """The code of the mistake that explains which heads are units."""
    if not any(_of_kind(case, list(case.units), Head) for case in seen):
        return "LIT4303"
    if not missing:
        return "LIT4120" if all_are_units(seen) else "LIT4304"
    if all(_is_cut_up(case) for case in missing) and _by_number(seen):
        return "LIT4309"
    # A head of just the least number is missing, and nothing else is wrong.
    return "LIT4305" if not extra and all(_is_boundary(case) for case in missing) else "LIT4306"


def _is_boundary(case: Seen) -> bool:
    (least,) = case.arguments
    parts = parts_of(case.spec)
    return all(size(parts[name]) == least for name in _of_kind(case, case.missing, Head))


def _is_cut_up(case: Seen) -> bool:
    """Whether each head that is missing has units inside."""
    heads = _of_kind(case, case.missing, Head)
    return all(any(unit.startswith(f"{head}.") for unit in case.units) for head in heads)


def _judge_only(seen: list[Seen]) -> Mark:
    looked = [case for case in seen if not _of_kind(case, case.missing, Block)]
    if not any(_of_kind(case, list(case.right), Block) for case in looked):
        return NotLookedAt(("only",), "no network has all of its blocks as units")
    wrong = [case for case in looked if set(case.extra) - set(_of_kind(case, case.extra, Head))]
    if not wrong:
        return Earned(("only",))
    return misplaced(wrong[0], _explain_extra(seen, wrong), ("only",))


def _by_number(seen: list[Seen]) -> bool:
    """Whether all that should be no unit has the number of parameters, and layers are among it."""
    found = [(case, part) for case, _, part in extras(seen) if not isinstance(part, Head)]
    large = all(size(part) >= case.arguments[0] for case, part in found)
    return large and any(not list(part.children()) for _, part in found)


def _explain_extra(seen: list[Seen], wrong: list[Seen]) -> str:
    if all_are_units(seen):
        return "LIT4120"
    if _by_number(seen):
        return "LIT4309"
    found = [part for _, _, part in extras(wrong) if not isinstance(part, Head)]
    if any(isinstance(part, (nn.ModuleList, nn.ModuleDict)) for part in found):
        return "LIT4107"
    if any(isinstance(part, nn.Embedding) for part in found):
        return "LIT4115"
    return "LIT4307" if any(isinstance(part, nn.LayerNorm) for part in found) else "LIT4308"


def picture(inputs: Inputs, evidence: Evidence) -> str:
    """The tree of a network with its units, and what they cost."""
    seen, _ = read_cases(inputs.shown, evidence["run"], CALL, right_units, ALL)
    return draw_policy(seen)


QUESTION = Question(
    title="A rule of your own",
    defines=("custom_policy",),
    criteria=(
        Criterion("blocks", "each Block is a unit, whatever the number", 0.4),
        Criterion("heads", "a Head is a unit from the number on", 0.4),
        Criterion("only", "no norm, no embedding, nothing else", 0.2),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    picture=picture,
)
