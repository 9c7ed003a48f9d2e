"""Judges what `run_ranks` returned: which rank failed by itself, and which waits for others."""

from __future__ import annotations

import re

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.known_errors import RAISED, error_finding
from litcourse.core.question import Finding
from litcourse.ranks.stack_dumps import is_echo

_LAUNCHERS_VARIABLE = re.compile(
    r"['\"](SLURM_\w+|(LOCAL_|GROUP_|NODE_)?RANK|(LOCAL_|GROUP_)?WORLD_SIZE|MASTER_\w+)['\"]"
)
_SHOWN_FRAMES = 6
_GLOO_PREFIX = "what():  [enforce fail at"
"""Start of gloo's message when it ends a process, which it does in a thread of its own."""


def read_rank_values(seen: Evidence) -> list[Evidence]:
    """The value that each rank returned; valid only if `rank_findings` returns []."""
    return [entry["value"] for entry in seen["ranks"]]


def rank_findings(
    seen: Evidence, criteria: tuple[str, ...], world_size: int | None = None
) -> list[Finding]:
    """The finding on the rank that failed first; [] if all ranks returned a value.

    Args:
        seen: the evidence from `run_ranks`, untrusted.
        criteria: criteria that the finding costs.
        world_size: required number of ranks; None requires at least one.

    Raises:
        MalformedError: the number of ranks differs, or an entry is no outcome of a rank.
    """
    entries = list(enumerate(seen["ranks"]))
    if not entries or (world_size is not None and len(entries) != world_size):
        raise MalformedError(seen["ranks"].path, f"{world_size or 'some'} ranks")
    failed = [(rank, entry) for rank, entry in entries if "value" not in entry]
    if not failed:
        return []
    rank, entry = min(failed, key=_failure_order)
    called = f"rank {rank} of {len(entries)}"
    if "error" in entry:
        found = error_finding(entry["error"], criteria)
        code = "LIT933" if entry["error"]["type"].text() == "SystemExit" else found.code
        code = "LIT934" if not is_cause(entry) and code == RAISED else code
        code = "LIT936" if _reads_variable(found) else code
        return [Finding(code, criteria, called, found.expected, found.got, found.where)]
    if "died" in entry:
        code = "LIT931" if is_cause(entry) else "LIT934"
        got = "; ".join(filter(None, [entry["died"].text(), _gloo_message(entry)]))
        own = entry["line"].text() if "line" in entry else ""
        where = own or _student_lines(entries)
        return [Finding(code, criteria, called, "an end by itself", got, where)]
    return [_stuck_finding(entry["stuck"], entries, criteria)]


def _reads_variable(found: Finding) -> bool:
    """Whether an exception says that a variable of a launcher is not there."""
    absent = found.got.startswith("KeyError") and _LAUNCHERS_VARIABLE.search(found.got)
    none = found.got.startswith("TypeError") and "NoneType" in found.got
    return bool(absent or (none and _LAUNCHERS_VARIABLE.search(found.where)))


def is_cause(entry: Evidence) -> bool:
    """Whether a rank failed by itself, and not because another rank ended or diverged."""
    if "error" in entry:
        return not is_echo(entry["error"]["message"].text())
    return "died" in entry and not is_echo(_gloo_message(entry))


def _failure_order(numbered: tuple[int, Evidence]) -> tuple[bool, bool, float, int]:
    """Sort key: causes first, then ranks with a message of gloo, then the earlier time."""
    rank, entry = numbered
    return not is_cause(entry), not _gloo_message(entry), _time_of(entry), rank


def _gloo_message(entry: Evidence) -> str:
    """The message of gloo, if gloo ended the process, or ""."""
    lines = entry["output"].text().splitlines() if "output" in entry else []
    messages = [line.partition(_GLOO_PREFIX)[2] for line in lines if _GLOO_PREFIX in line]
    return f"gloo: {messages[0].partition('] ')[2]}" if messages else ""


def _student_lines(entries: list[tuple[int, Evidence]]) -> str:
    """The lines of the student's code at which ranks raised."""
    descriptions = [
        (rank, entry["error"]["line"].text()) for rank, entry in entries if "error" in entry
    ]
    return "; ".join(f"rank {rank}: {line}" for rank, line in descriptions if line)


def _time_of(entry: Evidence) -> float:
    return entry["at"].number() if "at" in entry else float("inf")


def _stuck_finding(
    first: Evidence, entries: list[tuple[int, Evidence]], criteria: tuple[str, ...]
) -> Finding:
    single = len(entries) == 1  # one rank can't wait for others, whatever its stack looks like
    descriptions = "; ".join(
        f"rank {rank} {_describe_rank(entry, single=single)}" for rank, entry in entries
    )
    stuck = [entry["stuck"] for _, entry in entries if "stuck" in entry]
    waits = not single and any(each["waits_for"].text() for each in stuck)
    # A rank that loops or sleeps in the student's own line keeps the others waiting.
    culprit = next((s for s in stuck if not s["waits_for"].text() and s["line"].text()), None)
    code = "LIT932" if waits and culprit is None else "LIT935"
    first = culprit or first
    expected = "every rank comes to its end"
    shown = " < ".join(first["stack"].text().splitlines()[:_SHOWN_FRAMES])
    called = "1 rank" if single else f"{len(entries)} ranks"
    return Finding(code, criteria, called, expected, descriptions, shown)


def _describe_rank(entry: Evidence, *, single: bool) -> str:
    if "stuck" not in entry:
        return "is done" if "value" in entry else "has failed"
    stuck = entry["stuck"]
    waits, line = "" if single else stuck["waits_for"].text(), stuck["line"].text()
    state = f"waits in {waits}" if waits else "goes on and on" if stuck["busy"].flag() else "sleeps"
    return f"{state} ({line})" if line else state
