"""size_policy: from the inside out, a module becomes a unit as soon as it is large enough.

FSDP1 itself is asked, as in `class_policy`, for several least numbers of parameters. The judge
walks the same networks from the inside out and compares; walks with one mistake name the mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from torch import nn

from litcourse.core.evidence import Evidence
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, NotLookedAt, Question
from litcourse.labs.lab4_fsdp._networks import Spec, draw_specs, held_on_meta, parts_of, size
from litcourse.labs.lab4_fsdp._policies import (
    Seen,
    draw_policy,
    misplaced,
    no_units,
    probe_policies,
    read_cases,
    replicating,
)
from litcourse.models import BasicBlock, Block

ALL = ("number", "whole")
CALL = "size_policy({})"
_LISTS = (nn.ModuleList, nn.ModuleDict)


# --- inputs -----------------------------------------------------------------------------


def draw(rng: Random) -> Inputs:
    """Networks, each with numbers at and around the sizes of its parts."""
    specs = draw_specs(rng)
    cases = [
        {"network": name, "arguments": [number]}
        for name, spec in specs.items()
        for number in _numbers(name, spec, rng)
    ]
    return Inputs({"specs": specs, "cases": cases})


def _numbers(name: str, spec: Spec, rng: Random) -> list[int]:
    """A block's size and one more, an inner layer's, one between block and whole, more than all.

    And for a network that has them: a block's number of tensors, one more than a stack of blocks
    has, the sizes of an attention layer and of its inner one.
    """
    module = held_on_meta(spec)
    block = next(size(part) for part in module.modules() if isinstance(part, (Block, BasicBlock)))
    whole = size(module)
    layers = [p for p in module.modules() if isinstance(p, (nn.Linear, nn.Conv2d))]
    inner = rng.choice(sorted({size(part) for part in layers}))
    if name == "tied":
        embedding = size(parts_of(spec)["model.embedding"])
        return [block, embedding, embedding + 1]
    if name == "resnet":
        return [block, inner]
    numbers = [block, block + 1, inner, rng.randrange(block + 1, max(block + 2, whole)), whole + 1]
    if name == "plain":
        numbers.append(_tensors(parts_of(spec)["model.blocks.0"]))
    if name == "towers":
        numbers.append(1 + size(parts_of(spec)["model.towers.text"]))
    if name == "mixed":
        attention = next(p for p in module.modules() if isinstance(p, nn.MultiheadAttention))
        numbers += [size(attention.out_proj), size(attention)]
    return numbers


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Have FSDP cut each network, for each number."""
    return {"run": probe_policies(student["size_policy"], shown["specs"], shown["cases"])}


# --- judge ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Walk:
    """A walk from the inside out; each argument can put a mistake into it.

    Args:
        lists: classes of lists that may become units.
        attention: whether what is in an attention layer may.
        nested: whether parameters of units within count again.
        count: the number that stands for a parameter.
        above: how much more than the number is asked for.
    """

    lists: tuple[type[nn.Module], ...] = ()
    attention: bool = False
    nested: bool = False
    count: Callable[[nn.Module], int] = size
    above: int = 0

    def units(self, spec: Spec, least: int) -> frozenset[str]:
        """Names of the units."""
        found: set[str] = set()
        for name, child in held_on_meta(spec).named_children():
            self._visit(name, child, least + self.above, found)
        return frozenset(found)

    def _visit(self, name: str, module: nn.Module, least: int, found: set[str]) -> int:
        """Add the units in `module`, and return how many parameters they hold."""
        total = self.count(module)
        if total < least or (isinstance(module, nn.MultiheadAttention) and not self.attention):
            return 0
        inside = sum(
            self._visit(f"{name}.{key}", child, least, found)
            for key, child in module.named_children()
        )
        free = total if self.nested else total - inside
        set_apart = tuple(kind for kind in _LISTS if kind not in self.lists)
        if free < least or isinstance(module, set_apart):
            return inside
        found.add(name)
        return total


def _tensors(module: nn.Module) -> int:
    return sum(1 for _ in module.parameters())


def _bytes(module: nn.Module) -> int:
    return 4 * size(module)


RIGHT = Walk()
_OPENED: tuple[dict[str, Any], ...] = tuple(
    {"lists": lists, "attention": attention}
    for lists in ((), _LISTS, _LISTS[:1], _LISTS[1:])
    for attention in (False, True)
)
"""What should stay whole and may be open while the number is right."""
_MISTAKES: tuple[tuple[str, Walk], ...] = (
    ("LIT4203", Walk(above=1)),
    ("LIT4204", Walk(nested=True)),
    ("LIT4205", Walk(count=_bytes)),
    ("LIT4206", Walk(count=_tensors)),
    ("LIT4206", Walk(count=_tensors, nested=True)),
)


def right_units(spec: Spec, arguments: list[int]) -> list[str]:
    """Names of the right units."""
    return sorted(RIGHT.units(spec, *arguments))


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Find the walk that gives the units of all cases."""
    seen, failed = read_cases(inputs.shown, evidence["run"], CALL, right_units, ALL)
    found = failed or replicating(seen, ALL) or no_units(seen, ALL)
    if found:
        return [*found]
    by_number = any(_fits(seen, replace(RIGHT, **opened)) for opened in _OPENED)
    return [Earned(("number",)) if by_number else _judge_number(seen), _judge_whole(seen)]


def _fits(seen: list[Seen], walk: Walk) -> bool:
    return all(set(case.units) == walk.units(case.spec, *case.arguments) for case in seen)


# --- the number


def _judge_number(seen: list[Seen]) -> Finding:
    missing = next((case for case in seen if case.missing), None)
    case = missing or next(case for case in seen if case.extra)
    return misplaced(case, _explain_number(seen), ("number",))


def _explain_number(seen: list[Seen]) -> str:
    """The code of the mistake that explains the units of all cases."""
    for code, walk in _MISTAKES:
        if any(_fits(seen, replace(walk, **opened)) for opened in _OPENED):
            return code
    cuts: dict[str, set[frozenset[str]]] = {}
    for case in seen:
        cuts.setdefault(case.network, set()).add(frozenset(case.units))
    if all(len(of_network) == 1 for of_network in cuts.values()):
        return "LIT4207"
    if all(_counts_itself(case, name) for case in seen for name in case.units):
        return "LIT4208"
    around = all(_is_around(case, name) for case in seen for name in case.extra)
    return "LIT4204" if around and not any(case.missing for case in seen) else "LIT4209"


def _counts_itself(case: Seen, name: str) -> bool:
    """Whether a unit is large enough by the parameters that it has itself."""
    part = case.part(name)
    own = 0 if part is None else sum(p.numel() for p in part.parameters(recurse=False))
    return own >= case.arguments[0]


def _is_around(case: Seen, name: str) -> bool:
    return any(other.startswith(f"{name}.") for other in case.units)


# --- what stays whole


def _judge_whole(seen: list[Seen]) -> Mark:
    """Looked at where a walk that opens lists, and one that opens attention, gives other units."""
    for kind, code in ((_LISTS, "LIT4201"), (nn.MultiheadAttention, "LIT4202")):
        wrong = [case for case in seen if any(_is_in(case, name, kind) for name in case.units)]
        if wrong:
            return misplaced(wrong[0], code, ("whole",))
    there = [case for case in seen if case.right and not case.missing]
    opened = (replace(RIGHT, lists=_LISTS), replace(RIGHT, attention=True))
    if all(any(w.units(c.spec, *c.arguments) != c.right for c in there) for w in opened):
        return Earned(("whole",))
    return NotLookedAt(("whole",), "the units around lists and attention layers are not there")


def _is_in(case: Seen, name: str, kind: type[nn.Module] | tuple[type[nn.Module], ...]) -> bool:
    """Whether a unit is of a kind that stays whole, or lies right inside an attention layer."""
    around = case.part(name.rpartition(".")[0])
    inside = kind is nn.MultiheadAttention and isinstance(around, nn.MultiheadAttention)
    return inside or isinstance(case.part(name), kind)


def picture(inputs: Inputs, evidence: Evidence) -> str:
    """The tree of a network with its units, and what they cost."""
    seen, _ = read_cases(inputs.shown, evidence["run"], CALL, right_units, ALL)
    # A large number that still gives several units: small ones make units of norms.
    return draw_policy(seen, lambda case: [len(case.right) > 1, *case.arguments])


QUESTION = Question(
    title="Units of a least size",
    defines=("size_policy",),
    criteria=(
        Criterion("number", "the number decides, to the last parameter", 0.6),
        Criterion("whole", "lists and attention layers are never cut into", 0.4),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
    picture=picture,
)
