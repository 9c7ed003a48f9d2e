"""Shows what a job got and what its ranks see: a table, boxes of text, or a picture."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from litcourse.core.names import count_noun
from litcourse.pocket.allocation import Allocation, Share
from litcourse.pocket.outcome import Outcome, Process

_MOST_ROWS = 64
_BOX, _GAP, _GPU, _ROW = 196, 16, 20, 20
_PER_LINE = 4
"""Boxes beside each other."""


@dataclass(frozen=True)
class _Seen:
    """What one process sees, as text."""

    rank: str
    node: str
    local: str
    gpus: str
    cores: int
    command: str


def _seen(process: Process) -> _Seen:
    variables = process.environment
    rank = variables.get("SLURM_PROCID", "0") if process.step != "batch" else "-"
    return _Seen(
        rank, process.host, variables.get("SLURM_LOCALID", "0") if rank != "-" else "-",
        variables.get("CUDA_VISIBLE_DEVICES", "-"), process.cores,
        " ".join([process.program, *process.argv]),
    )  # fmt: skip


def last_run(outcome: Outcome) -> list[Process]:
    """The processes of the job's last run."""
    return [one for one in outcome.processes if one.restart == outcome.restarts]


def table(outcome: Outcome) -> str:
    """What every process saw, a line each."""
    processes = last_run(outcome)
    head = ("step", "rank", "node", "local", "GPUs", "cores", "command")
    rows = [head]
    for process in processes[:_MOST_ROWS]:
        seen = _seen(process)
        rows.append((process.step, seen.rank, seen.node, seen.local, seen.gpus, str(seen.cores),
                     seen.command))  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    if len(processes) > _MOST_ROWS:
        lines.append(f"... and {len(processes) - _MOST_ROWS} more")
    if not processes:
        lines = ["No process was started through srun or python."]
    return "\n".join(lines)


def picture(outcome: Outcome) -> str:
    """The nodes of a job as boxes of text, with GPUs, ranks and cores."""
    allocation = outcome.allocation
    if allocation is None:
        return "sbatch refused the job: there is nothing to show."
    boxes = [_box(share, outcome) for share in allocation.shares]
    lines = [_summary(allocation)]
    for start in range(0, len(boxes), _PER_LINE):
        row = boxes[start : start + _PER_LINE]
        height = max(map(len, row))
        filled = [_filled(box, height) for box in row]
        lines += ["  ".join(parts).rstrip() for parts in zip(*filled, strict=True)]
    return "\n".join(lines)


def _summary(allocation: Allocation) -> str:
    nodes = len(allocation.nodes)
    hours, minutes = divmod(allocation.minutes, 60)
    return (
        f"{count_noun(nodes, 'node')}, {count_noun(allocation.cores, 'core')}, "
        f"{count_noun(allocation.gpus_held, 'GPU')}, "
        f"{sum(s.memory for s in allocation.shares)} MB, "
        f"{hours}:{minutes:02d} h in partition {allocation.partition}"
    )


def _on_node(share: Share, outcome: Outcome) -> list[_Seen]:
    return [_seen(process) for process in last_run(outcome) if process.host == share.node]


def _size(share: Share) -> str:
    return f"{count_noun(share.cores, 'core')}, {share.memory} MB"


def _box(share: Share, outcome: Outcome) -> list[str]:
    lines = [
        _size(share),
        "GPUs " + _blocks(share.gpus_held),
    ]
    for seen in _on_node(share, outcome)[:16]:
        who = f"rank {seen.rank}" if seen.rank != "-" else "batch"
        lines.append(f"{who}: GPU {seen.gpus}, {count_noun(seen.cores, 'core')}")
    width = max(len(share.node) + 3, *map(len, lines))
    top = f"┌─ {share.node} " + "─" * (width - len(share.node) - 1) + "┐"
    body = [f"│ {line.ljust(width)} │" for line in lines]
    return [top, *body, "└" + "─" * (width + 2) + "┘"]


def _filled(box: Sequence[str], height: int) -> list[str]:
    width = len(box[0])
    blank = "│" + " " * (width - 2) + "│"
    return [*box[:-1], *[blank] * (height - len(box)), box[-1]]


def _blocks(number: int) -> str:
    return " ".join(f"[{index}]" for index in range(number)) or "none"


# --- for notebooks -------------------------------------------------------------------------------


def svg(outcome: Outcome) -> str:
    """The nodes of a job as a picture: boxes, GPUs (those held are filled), and a line a rank."""
    allocation = outcome.allocation
    if allocation is None:
        return ""
    rows = max([len(_on_node(share, outcome)[:16]) for share in allocation.shares], default=0)
    height = 70 + _ROW * rows
    count = len(allocation.shares)
    wide = min(count, _PER_LINE) * (_BOX + _GAP) + _GAP
    tall = 40 + -(-count // _PER_LINE) * (height + _GAP)
    parts = [_text(_GAP, 24, _summary(allocation), "b")]
    for index, share in enumerate(allocation.shares):
        left = _GAP + index % _PER_LINE * (_BOX + _GAP)
        top = 36 + index // _PER_LINE * (height + _GAP)
        parts += _node(share, outcome, left, top, height)
    style = (
        "text{font:12px sans-serif;fill:currentColor}.b{font-weight:600}"
        "rect{fill:none;stroke:currentColor}.g{fill:#4c9a2a;stroke:none}.e{stroke:#999}"
    )
    title = html.escape(_summary(allocation))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" width="{wide}" '
        f'role="img" aria-label="{title}"><style>{style}</style>{"".join(parts)}</svg>'
    )


def _node(share: Share, outcome: Outcome, left: int, top: int, height: int) -> list[str]:
    parts = [
        f'<rect x="{left}" y="{top}" width="{_BOX}" height="{height}" rx="6"/>',
        _text(left + 8, top + 18, share.node, "b"),
        _text(left + 48, top + 18, _size(share)),
    ]
    for index in range(8):
        kind = "g" if index < share.gpus_held else "e"
        x = left + 8 + index * (_GPU + 3)
        parts.append(f'<rect class="{kind}" x="{x}" y="{top + 28}" width="{_GPU}" height="14"/>')
    for index, seen in enumerate(_on_node(share, outcome)[:16]):
        who = f"rank {seen.rank}" if seen.rank != "-" else "batch"
        text = f"{who}: GPU {seen.gpus}, {count_noun(seen.cores, 'core')}"
        parts.append(_text(left + 8, top + 62 + index * _ROW, text))
    return parts


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    which = f' class="{kind}"' if kind else ""
    return f'<text{which} x="{x}" y="{y}">{html.escape(text)}</text>'
