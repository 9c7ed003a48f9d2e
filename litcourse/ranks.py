"""Running a piece of a student's code on several ranks, for real, on the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable

from litcourse import crew
from litcourse.evidence import Evidence, MalformedError
from litcourse.jobs import Job, Start
from litcourse.known_errors import RAISED, error_finding
from litcourse.question import Finding, Tree
from litcourse.stacks import is_echo

_SHOWN_FRAMES = 6
_GLOO_SAYS = "what():  [enforce fail at"
"""How gloo begins to tell why it ends a process, in a thread of its own."""


def run_ranks(
    work: Callable[[int], dict[str, Tree]],
    world_size: int = 2,
    *,
    nodes: int = 1,
    limit: float = 20.0,
) -> dict[str, Tree]:
    """Call `work(rank)` in one process for each rank of a gloo job on this machine.

    Variables are those of torchrun, so that `L.Trainer(accelerator="cpu", strategy="ddp",
    devices=world_size // nodes, num_nodes=nodes)` takes part and launches nothing. Each rank has
    one thread and a random state of its own, which follows from the caller's.

    Args:
        work: returns evidence; may use whatever the caller sees, classes of a notebook too.
        world_size: number of ranks.
        nodes: pretended nodes, each with as many ranks.
        limit: seconds, counted while ranks have the processor or sleep.

    Returns:
        `{"ranks": [...], "seconds": ...}`; for each rank `{"value": ...}`, `{"error": ...}`,
        `{"stuck": {"waits_for", "line", "stack", ...}}` or `{"died": ...}`, with its "output".
    """
    per_node = world_size // nodes
    if per_node * nodes != world_size or world_size < 1:
        raise ValueError(f"{world_size} ranks can't be shared evenly by {nodes} nodes.")
    started = time.monotonic()
    ranks = tuple(Start(r, _environment(r, world_size, per_node)) for r in range(world_size))
    with crew.folder() as folder:
        job = Job(lambda start: work(start.number), ranks, limit, folder, crew.seed_of_now())
        entries = crew.run(job)
    return {"ranks": entries, "seconds": time.monotonic() - started}


def _environment(rank: int, world_size: int, per_node: int) -> dict[str, str]:
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(world_size),
        "LOCAL_RANK": str(rank % per_node),
        "LOCAL_WORLD_SIZE": str(per_node),
        "GROUP_RANK": str(rank // per_node),
        "GROUP_WORLD_SIZE": str(world_size // per_node),
        "NODE_RANK": str(rank // per_node),
        "TORCHELASTIC_RUN_ID": "litcourse",
        "TORCHELASTIC_MAX_RESTARTS": "0",
    }


# --- judging -------------------------------------------------------------------------------------


def rank_values(seen: Evidence) -> list[Evidence]:
    """What each rank returned; ask after `rank_findings` had none."""
    return [entry["value"] for entry in seen["ranks"]]


def rank_findings(
    seen: Evidence, criteria: tuple[str, ...], world_size: int | None = None
) -> list[Finding]:
    """The first cause that not every rank came to its end; [] if all of them did.

    Args:
        seen: what `run_ranks` returned, or whatever a hostile kernel put in its place.
        criteria: that the finding costs.
        world_size: how many ranks there must be; otherwise at least one.

    Raises:
        MalformedError: there are not as many ranks, or an entry is none.
    """
    entries = list(enumerate(seen["ranks"]))
    if not entries or (world_size is not None and len(entries) != world_size):
        raise MalformedError(seen["ranks"].place, f"{world_size or 'some'} ranks")
    failed = [(rank, entry) for rank, entry in entries if "value" not in entry]
    if not failed:
        return []
    rank, entry = min(failed, key=_first)
    called = f"rank {rank} of {len(entries)}"
    if "error" in entry:
        found = error_finding(entry["error"], criteria)
        code = "LIT933" if entry["error"]["type"].text() == "SystemExit" else found.code
        code = "LIT934" if not is_cause(entry) and code == RAISED else code
        return [Finding(code, criteria, called, found.expected, found.got, found.where)]
    if "died" in entry:
        code = "LIT931" if is_cause(entry) else "LIT934"
        got, where = "; ".join(filter(None, [entry["died"].text(), _gloo(entry)])), _lines(entries)
        return [Finding(code, criteria, called, "an end by itself", got, where)]
    return [_stuck(entry["stuck"], entries, criteria)]


def is_cause(entry: Evidence) -> bool:
    """Whether a rank failed by itself, not because another one was gone or elsewhere."""
    if "error" in entry:
        return not is_echo(entry["error"]["message"].text())
    return "died" in entry and not is_echo(_gloo(entry))


def _first(numbered: tuple[int, Evidence]) -> tuple[bool, bool, float, int]:
    """Causes come first, then what gloo has to say, then what was earlier."""
    rank, entry = numbered
    return not is_cause(entry), not _gloo(entry), _when(entry), rank


def _gloo(entry: Evidence) -> str:
    """What gloo said as it ended the process itself, or ""."""
    lines = entry["output"].text().splitlines() if "output" in entry else []
    said = [line.partition(_GLOO_SAYS)[2] for line in lines if _GLOO_SAYS in line]
    return f"gloo: {said[0].partition('] ')[2]}" if said else ""


def _lines(entries: list[tuple[int, Evidence]]) -> str:
    """Where in the student's code exceptions of the ranks came up."""
    told = [(rank, entry["error"]["line"].text()) for rank, entry in entries if "error" in entry]
    return "; ".join(f"rank {rank}: {line}" for rank, line in told if line)


def _when(entry: Evidence) -> float:
    return entry["at"].number() if "at" in entry else float("inf")


def _stuck(
    first: Evidence, entries: list[tuple[int, Evidence]], criteria: tuple[str, ...]
) -> Finding:
    alone = len(entries) == 1  # in a backward, say, which is a collective among several
    told = "; ".join(f"rank {rank} {_told(entry, alone=alone)}" for rank, entry in entries)
    stuck = [entry["stuck"] for _, entry in entries if "stuck" in entry]
    waits = not alone and any(each["waits_for"].text() for each in stuck)
    code = "LIT932" if waits else "LIT935"
    expected = "every rank comes to its end"
    shown = " < ".join(first["stack"].text().splitlines()[:_SHOWN_FRAMES])
    called = "1 rank" if alone else f"{len(entries)} ranks"
    return Finding(code, criteria, called, expected, told, shown)


def _told(entry: Evidence, *, alone: bool) -> str:
    if "stuck" not in entry:
        return "is done" if "value" in entry else "has failed"
    stuck = entry["stuck"]
    waits, line = "" if alone else stuck["waits_for"].text(), stuck["line"].text()
    does = f"waits in {waits}" if waits else "goes on and on" if stuck["busy"].flag() else "sleeps"
    return f"{does} ({line})" if line else does
