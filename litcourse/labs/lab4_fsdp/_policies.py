"""Asks FSDP itself which modules a policy makes units of, and names what it says to wrong ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lightning.pytorch.strategies import FSDPStrategy
from torch import nn

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.known_errors import RAISED, error_finding
from litcourse.core.question import Finding
from litcourse.labs.lab4_fsdp._networks import (
    Holder,
    Spec,
    build,
    format_network,
    held_on_meta,
    parts_of,
    size,
)
from litcourse.labs.lab4_fsdp._unit_costs import draw_costs, draw_cut
from litcourse.probing.attempts import attempt
from litcourse.ranks import rank_findings, read_rank_values, run_ranks
from litcourse.sharding import fake_group, fsdp1_units, measured, wrap_as_fsdp1

RANKS = 8
"""Ranks of the group that does not exist."""
SHARDED = "FULL_SHARD"
_REFUSALS = (
    ("LIT4108", r"'(list|tuple|frozenset|dict|ListConfig)' object is not callable"),
    ("LIT4110", r"'type' object is not iterable"),
    ("LIT4113", r"keyword argument 'nonwrapped_numel'"),
    ("LIT4112", r"keyword argument '(recurse|module)'|takes \d+ positional argument"),
    ("LIT4121", r"multiple values for (keyword )?argument 'module'"),
    ("LIT4122", r"unexpected keyword argument"),
    ("LIT4111", r"(?<!__init__\(\) )missing \d+ required positional argument"),
    ("LIT4114", r"should return False/True or a kwarg dict"),
    ("LIT4109", r"isinstance\(\) arg 2 must be|issubclass\(\) arg|not callable"),
)
"""Messages of torch 2.6 to 2.15 on policies, the first that fits counts."""


# --- probe ------------------------------------------------------------------------------


def probe_policies(
    make: Callable[..., Any], specs: dict[str, Spec], cases: list[dict[str, Any]]
) -> dict[str, Any]:
    """The units of each case, on rank 0 of a group that does not exist, in a forked process.

    Args:
        make: the student's function.
        specs: networks, by name.
        cases: the name of a network as "network", and the function's arguments as "arguments".
    """

    def work(_: int) -> dict[str, Any]:
        with fake_group(RANKS):
            return {"cases": [_ask(make, specs[case["network"]], case) for case in cases]}

    return measured(run_ranks(work, 1))


def _ask(make: Callable[..., Any], spec: Spec, case: dict[str, Any]) -> dict[str, Any]:
    def units() -> dict[str, Any]:
        policy = make(*case["arguments"])
        strategy = FSDPStrategy(auto_wrap_policy=policy)
        wrapped = wrap_as_fsdp1(Holder(build(spec)), strategy)
        return {"units": fsdp1_units(wrapped), "returned": type(policy).__name__,
                "descends": _descends(strategy.kwargs.get("auto_wrap_policy"))}  # fmt: skip

    return attempt(units, "FSDPStrategy(auto_wrap_policy=...)")


def _descends(policy: Any) -> bool | None:
    """Whether a policy of three arguments wants to see children; None if it is no such one."""
    try:
        return bool(policy(module=nn.Sequential(), recurse=True, nonwrapped_numel=10**12))
    except Exception:  # noqa: BLE001 (it may be anything)
        return None


# --- judge ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What FSDP made of a network.

    Args:
        network: name of the network.
        spec: the network.
        arguments: the arguments of the student's function.
        called: the call, as findings say it.
        units: the sharding of each unit, by name, without the root.
        right: names of the modules that should be units.
        returned: name of the policy's type.
        descends: whether the policy, if it has three arguments, asks for children.
    """

    network: str
    spec: Spec
    arguments: list[int]
    called: str
    units: dict[str, str]
    right: frozenset[str]
    returned: str
    descends: bool | None

    @property
    def missing(self) -> list[str]:
        """Names of modules that should be units and are none."""
        return sorted(self.right - set(self.units))

    @property
    def extra(self) -> list[str]:
        """Names of units that should be none."""
        return sorted(set(self.units) - self.right)

    @property
    def module(self) -> Holder:
        """The network, without memory."""
        return held_on_meta(self.spec)

    def part(self, name: str) -> nn.Module | None:
        """The module `name` of the network, or None."""
        return parts_of(self.spec).get(name)


def read_cases(
    shown: dict[str, Any],
    run: Evidence,
    call: str,
    right: Callable[[Spec, list[int]], list[str]],
    criteria: tuple[str, ...],
) -> tuple[list[Seen], list[Finding]]:
    """What FSDP made of each case; or the finding on a policy that FSDP refuses.

    Args:
        shown: the drawn networks and cases.
        run: the evidence from `probe_policies`.
        call: the call of the student's function, with {} for its arguments.
        right: names of the right units.
        criteria: all criteria of the question.
    """
    failed = rank_findings(run, criteria, 1)
    if failed:
        return [], failed
    entries = list(read_rank_values(run)[0]["cases"])
    if len(entries) != len(shown["cases"]):
        return [], [Finding("LIT903", criteria, call, f"{len(shown['cases'])} networks", "others")]
    seen = []
    for case, entry in zip(shown["cases"], entries, strict=True):
        spec = shown["specs"][case["network"]]
        called = f"{call.format(*case['arguments'])} for {format_network(case['network'], spec)}"
        if "error" in entry:
            return [], [_refusal(entry["error"], call.format(*case["arguments"]), criteria)]
        made = entry["units"]
        if "" not in made:
            raise MalformedError(made.path, "root")
        units = {name: made[name].text() for name in made.keys() if name}  # noqa: SIM118 (no dict)
        arguments = list(case["arguments"])
        wanted = frozenset(right(spec, arguments))
        descends = None if entry["descends"].is_none else entry["descends"].flag()
        seen.append(Seen(case["network"], spec, arguments, called, units, wanted,
                         entry["returned"].text(), descends))  # fmt: skip
    return seen, []


def _refusal(error: Evidence, called: str, criteria: tuple[str, ...]) -> Finding:
    found = error_finding(error, criteria)
    if found.code != RAISED:
        return found
    code = next((code for code, text in _REFUSALS if re.search(text, found.got)), RAISED)
    expected = "a policy that FSDP can ask"
    return replace(found, code=code, called=f"FSDP with {called}", expected=expected)


def replicating(seen: list[Seen], criteria: tuple[str, ...]) -> list[Finding]:
    """The finding on units that replicate or keep their weights, as a CustomPolicy can ask for."""
    for case in seen:
        other = {name: kind for name, kind in case.units.items() if kind != SHARDED}
        if other:
            name, kind = next(iter(other.items()))
            got = f"{name}: {kind}"
            return [Finding("LIT4117", criteria, case.called, "units that only say where", got)]
    return []


def no_units(seen: list[Seen], criteria: tuple[str, ...]) -> list[Finding]:
    """The finding on a policy that makes no unit anywhere."""
    if any(case.units for case in seen) or not any(case.right for case in seen):
        return []
    case = next(case for case in seen if case.right)
    got, code = "no unit but the root, which is gathered as a whole", "LIT4102"
    if case.returned == "NoneType":
        code, got = "LIT4101", f"None: {got}"
    elif case.descends is False:
        code = "LIT4103"
    return [Finding(code, criteria, case.called, f"units: {_format(sorted(case.right))}", got)]


def all_are_units(seen: list[Seen]) -> bool:
    """Whether every module with parameters is a unit, in every network."""
    return all(
        set(case.units) >= {n for n, part in parts_of(case.spec).items() if n and size(part)}
        for case in seen
    )


def misplaced(case: Seen, code: str, criteria: tuple[str, ...]) -> Finding:
    """The finding that a case has other units than it should."""
    got = [f"no units: {_format(case.missing)}"] if case.missing else []
    got += [f"units, not asked for: {_format(case.extra)}"] if case.extra else []
    expected = f"units: {_format(sorted(case.right))}"
    return Finding(code, criteria, case.called, expected, "; ".join(got))


_SHOWN = 4


def _format(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN]) or "none"
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def extras(seen: list[Seen]) -> Iterator[tuple[Seen, str, nn.Module]]:
    """Each unit that should be none, with its case and module."""
    for case in seen:
        modules = parts_of(case.spec)
        yield from ((case, name, modules[name]) for name in case.extra if name in modules)


def _most_units(case: Seen) -> list[int]:
    return [len(case.right)]


def draw_policy(seen: list[Seen], worth: Callable[[Seen], list[int]] = _most_units) -> str:
    """The picture of the first case that is wrong, or of the one that is worth most."""
    if not seen:
        return ""
    wrong = [case for case in seen if case.missing or case.extra]
    case = wrong[0] if wrong else max(seen, key=worth)
    known = [name for name, _ in case.module.named_modules() if name in case.units]
    costs = draw_costs(case.module, known, RANKS)
    return draw_cut(case.called, case.module, known, case.right, costs)
