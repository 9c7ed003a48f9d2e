"""What a strategy and a wrapping policy cost, and buy, on 1 to 64 ranks: tables and a plot.

python -m reference.scaling            # prints the tables
python -m reference.scaling --write    # into reference/RESULTS.md, and the plot beside it
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from litcourse.core.exit_codes import ExitCode
from litcourse.models import BasicBlock, ResNet
from litcourse.sharding import ShardingError
from reference.policies import ByClass, BySize, LargeBlocks, WrapPolicy
from reference.scaling.costs import Cost, fsdp2, published, state_bytes
from reference.scaling.peaks import RANKS, SUBJECTS, Peak, peaks

SIZES = (1, 2, 4, 8, 16, 32, 64)
POLICIES: dict[str, WrapPolicy] = {
    "the root alone": ByClass([]),
    "a million parameters": BySize(1_000_000),
    "large blocks": LargeBlocks([BasicBlock], 500_000),
    "blocks": ByClass([BasicBlock]),
    "every layer": ByClass([nn.Conv2d, nn.BatchNorm2d, nn.Linear]),
}
PUBLISHED = ("ddp", "zero1", "zero2", "zero3")
MIB = 2**20
RELEASE = ".".join(torch.__version__.split(".")[:2])
FOLDER = Path(__file__).parents[1]
BEGIN, END = (
    "<!-- scaling: made by python -m reference.scaling --write -->",
    "<!-- scaling: end -->",
)
LARGE = 7_500_000_000
"""Parameters of the example that the authors of ZeRO give."""
INTRODUCTION = """\
ResNet-18 for CIFAR10, {:,} parameters, float32. FSDP2 was measured on a fake process group, where
every unit is freed after its forward, the root too (`reshard_after_forward=True`); DDP and ZeRO are
the published arithmetic ([costs.py](scaling/costs.py))."""
BOUGHT = """\
**What the wrapping policy buys.** It leaves alone what a rank holds and, here, what it sends. It
decides how many collectives a step takes, each with its latency, and how many parameters the
largest unit has, which are whole at once; the root's own and those of the unit that is fetched
ahead come on top. Both numbers are the same for every world size above one. If it is not told
otherwise, `fully_shard` keeps the root whole until backward: that is one gather less, and the root
alone, which has all parameters, then takes 2 collectives and sends no more than `zero2`:"""
STATES = """\
**Gigabytes of weights, gradients and Adam's state on a rank**, in mixed precision, a model of 7.5
billion parameters, by world size. The authors of ZeRO give 120, 31.4, 16.6 and 1.9 for 64 ranks:"""
WORST = """\
**Peak memory of a step, MiB**, on rank 0 of {ranks}, in float32, with Adam: ResNet-18 with a batch
of 128 images of 32 x 32, and a transformer of 20 blocks and {large:,} parameters with one text
of 16 tokens; in brackets the activations among it. FSDP2 by the tracker of torch {torch} on
fake tensors, Adam's state as [peaks.py](scaling/peaks.py) counts it; DDP is arithmetic. Where
activations are most of it, units save little, and activation checkpointing saves a lot. ZeRO is not
there: DeepSpeed does not run on ranks that are not here."""
Costs = Mapping[str, Mapping[int, Cost]]
Peaks = Mapping[str, Mapping[str, Peak]]


def costs(sizes: Sequence[int] = SIZES) -> Costs:
    """The cost of each strategy and policy, by name and world size, for the ResNet of CIFAR10."""
    batch = torch.zeros(2, 3, 8, 8)  # small: what is held and sent does not depend on it
    parameters = count()
    found: dict[str, dict[int, Cost]] = {
        name: {size: published(name, parameters, size) for size in sizes} for name in PUBLISHED
    }
    for name, policy in POLICIES.items():
        found[f"fsdp2, {name}"] = {s: fsdp2(ResNet, batch, policy, s) for s in sizes}
    name = "fsdp2, blocks, kept for backward"
    kept = POLICIES["blocks"]
    found[name] = {s: fsdp2(ResNet, batch, kept, s, reshard=False) for s in sizes}
    return found


def count(subject: str = "ResNet-18") -> int:
    """Parameters of one of the networks."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in SUBJECTS[subject].make().parameters())


def tables(found: Costs, worst: Peaks) -> str:
    """What was found, as Markdown."""
    sizes = list(next(iter(found.values())))
    most = max(sizes)
    calls = {
        name: [str(of[most].collectives), f"{of[most].gathered:,}"]
        for name, of in found.items()
        if of[most].collectives is not None
    }
    states = {
        name: [f"{state_bytes(name, LARGE, size) / 1e9:.1f}" for size in sizes]
        for name in PUBLISHED
    }
    parts = [
        INTRODUCTION.format(count()),
        "![What a rank holds and sends](scaling.svg)",
        "**Parameters that a rank holds between steps**, by world size:",
        _table(sizes, found, lambda cost: f"{cost.held:,}"),
        "**Megabytes that a rank sends in a step**, by world size:",
        _table(sizes, found, lambda cost: f"{cost.sent / 1e6:.1f}"),
        BOUGHT,
        _rows(["", "collectives", "whole at once"], calls),
        WORST.format(ranks=RANKS, large=count("transformer"), torch=RELEASE),
        _peaks(worst),
        STATES,
        _rows(["", *map(str, sizes)], states),
    ]
    return "\n\n".join(parts)


def _peaks(worst: Peaks) -> str:
    def cell(peak: Peak) -> str:
        return f"{peak.most / MIB:,.0f} ({peak.activations / MIB:,.0f})"

    rows = {name: [cell(peak) for peak in of.values()] for name, of in worst.items()}
    return _rows(["", *SUBJECTS], rows)


def _table(sizes: Sequence[int], found: Costs, cell: Callable[[Cost], str]) -> str:
    rows = {name: [cell(of[size]) for size in sizes] for name, of in found.items()}
    return _rows(["", *map(str, sizes)], rows)


def _rows(head: Iterable[str], rows: Mapping[str, Sequence[str]]) -> str:
    head = list(head)
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    lines += [[name, *cells] for name, cells in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plot(found: Costs, path: Path) -> None:
    """Draw what a rank holds at the worst moment, and what it sends."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # The same picture, byte for byte, each time.
    with mpl.rc_context({"svg.hashsalt": "scaling", "svg.fonttype": "none"}):
        figure = Figure(figsize=(10, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name, of in found.items():
            if name in {"zero1", "zero2", "zero3"}:
                continue  # weights as DDP, and as FSDP2 without units
            sizes = list(of)
            style = "--" if name == "ddp" else "-"
            peak = [_peak(name, cost) / 1e6 for cost in of.values()]
            left.plot(sizes, peak, style, marker="o", markersize=3, label=name)
            sent = [cost.sent / 1e6 for cost in of.values()]
            right.plot(sizes, sent, style, marker="o", markersize=3, label=name)
        left.set(title="Parameters on a rank at the worst moment, millions")
        right.set(title="Megabytes sent by a rank in a step")
        for axes in (left, right):
            axes.set_xscale("log", base=2)
            axes.set(xlabel="ranks", ylim=(0, None))
            axes.grid(alpha=0.3)
        left.legend(fontsize=7)
        figure.savefig(path, metadata={"Date": None})


def _peak(name: str, cost: Cost) -> int:
    return cost.held if name == "ddp" else cost.held + cost.gathered


def main() -> int:
    """Print the tables, or write them; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m reference.scaling", description=__doc__)
    parser.add_argument("--write", action="store_true", help="into reference/RESULTS.md")
    write = parser.parse_args().write
    try:
        found, worst = costs(), peaks()
    except ShardingError as error:  # another torch
        print(f"scaling: {error}", file=sys.stderr)  # noqa: T201  an error message
        return ExitCode.MISTAKE
    text = tables(found, worst)
    if not write:
        print(text)  # noqa: T201  the program's answer
        return ExitCode.DONE
    path = FOLDER / "RESULTS.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    plot(found, FOLDER / "scaling.svg")
    return ExitCode.DONE
