"""What a cut into units costs one rank, by count: for the pictures on cards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from litcourse.feedback.bars import Bars, draw_bars
from litcourse.feedback.chart import Panel
from litcourse.feedback.outline import Line, draw_outline

if TYPE_CHECKING:
    from torch import nn

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


def collectives(sizes: dict[str, int]) -> int:
    """All-gathers and reduce-scatters of a step under FULL_SHARD; the root is gathered once."""
    units = sum(1 for number in sizes.values() if number)
    return 3 * units - bool(sizes.get(""))


def layers(module: nn.Module) -> list[str]:
    """Names of the modules that hold parameters themselves."""
    return [
        name
        for name, part in module.named_modules()
        if name and any(True for _ in part.parameters(recurse=False))
    ]


def draw_costs(module: nn.Module, units: Iterable[str], ranks: int) -> Panel:
    """Bars of what a rank holds, gathers and calls: these units, none, and every layer."""
    cuts = [own_sizes(module, cut) for cut in (units, [], layers(module))]
    whole = sum(cuts[1].values())
    return draw_bars(
        ROWS,
        [
            Bars(f"parameters held by one of {ranks} ranks", [-(-whole // ranks)] * len(cuts)),
            Bars("parameters whole at once", [gathered(cut) for cut in cuts]),
            Bars("collectives in a step", [collectives(cut) for cut in cuts]),
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
        if inside and name not in chosen:
            continue  # the inside of a right unit is of no interest
        mark = {(True, True): "unit", (True, False): "extra", (False, True): "missing"}
        state = mark.get((name in chosen, name in wanted), "")
        label = f"{name.rpartition('.')[2] or 'the LightningModule'}: {type(part).__name__}"
        lines.append(Line(name.count(".") + bool(name), f"{label}, {count:,}", state))
    return draw_outline(lines)
