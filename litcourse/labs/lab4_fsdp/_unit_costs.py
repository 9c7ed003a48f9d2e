"""What a cut into units costs one rank, by count: for the pictures on cards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litcourse.feedback.bars import Bars, draw_bars
from litcourse.feedback.chart import Panel, draw_title, stack
from litcourse.feedback.outline import WIDTH, Line, draw_outline

if TYPE_CHECKING:
    from torch import nn

FULL = "FULL_SHARD"
ROWS = ("your units", "no policy", "every layer")


def own_sizes(module: nn.Module, units: Iterable[str]) -> dict[str, int]:
    """Parameters of each unit that no unit inside it holds, by name; the root's name is ""."""
    names = {"", *units}
    sizes = dict.fromkeys(names, 0)
    for name, parameter in module.named_parameters():
        sizes[max((n for n in names if _is_in(name, n)), key=len)] += parameter.numel()
    return {name: number for name, number in sizes.items() if number or not name}


def _is_in(name: str, unit: str) -> bool:
    return not unit or name == unit or name.startswith(f"{unit}.")


def gathered(sizes: dict[str, int]) -> int:
    """Most parameters that are whole at once: a unit's and those of all units around it."""
    return max(sum(n for other, n in sizes.items() if _is_in(name, other)) for name in sizes)


def layers(module: nn.Module) -> list[str]:
    """Names of the modules that hold parameters themselves."""
    return [
        name
        for name, part in module.named_modules()
        if name and any(True for _ in part.parameters(recurse=False))
    ]


@dataclass(frozen=True)
class Cost:
    """What a step costs one rank.

    Args:
        held: parameters between two steps.
        whole: parameters that are whole at once, with no unit fetched ahead.
        calls: collectives.
    """

    held: int
    whole: int
    calls: int


def cost_of(module: nn.Module, units: Iterable[str], ranks: int, sharding: str = FULL) -> Cost:
    """The cost of a cut into units, under the sharding of this name of FSDP1."""
    sizes = own_sizes(module, units)
    total, number = sum(sizes.values()), sum(1 for own in sizes.values() if own)
    if sharding == "NO_SHARD":
        return Cost(total, total, number)
    held = -(-total // ranks)
    if sharding == FULL:
        return Cost(held, gathered(sizes), 3 * number - bool(sizes.get("")))
    return Cost(held, total, 2 * number)


def draw_costs(
    module: nn.Module, units: Iterable[str], ranks: int, seen: Cost | None = None
) -> Panel:
    """Bars of what a rank holds, gathers and calls: these units, none, and every layer.

    Args:
        module: a network.
        units: names of its units.
        ranks: ranks that share the network out.
        seen: what was measured of these units; without it they are counted, as the others are.
    """
    own = seen or cost_of(module, units, ranks)
    costs = [own, *(cost_of(module, cut, ranks) for cut in ([], layers(module)))]
    return draw_bars(
        ROWS,
        [
            Bars(f"parameters held by one of {ranks} ranks", [cost.held for cost in costs]),
            Bars("parameters whole at once, none fetched ahead", [cost.whole for cost in costs]),
            Bars("collectives in a step", [cost.calls for cost in costs]),
        ],
    )


def draw_units(module: nn.Module, units: Iterable[str], right: Iterable[str]) -> Panel:
    """The tree of a network, its units coloured, those that are missing or too many marked."""
    chosen, wanted = set(units), set(right)
    lines = []
    for name, part in module.named_modules():
        count = sum(p.numel() for p in part.parameters())
        if not count:
            continue
        inside = any(name.startswith(f"{unit}.") for unit in (chosen & wanted))
        if inside and not any(_is_in(other, name) for other in chosen | wanted):
            continue  # nothing to tell of the inside of a right unit
        mark = {(True, True): "unit", (True, False): "extra", (False, True): "missing"}
        state = mark.get((name in chosen, name in wanted), "")
        label = f"{name.rpartition('.')[2] or 'the LightningModule'}: {type(part).__name__}"
        lines.append(Line(name.count(".") + bool(name), f"{label}, {count:,}", state))
    return draw_outline(lines)


def draw_cut(
    title: str,
    module: nn.Module,
    units: Iterable[str],
    right: Iterable[str],
    costs: Panel,
) -> str:
    """The picture of a cut into units: what it is of, the tree, and what it costs."""
    return stack(draw_title(title), draw_units(module, units, right), costs, width=WIDTH)
