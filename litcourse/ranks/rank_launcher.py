"""Starts the ranks of a job and reads their outcomes.

A `supervisor` process stands between the caller and the ranks. It is a fork of the caller, so
the ranks have Lightning imported and see the classes of a notebook. Where a fork can't train, a
new program is the supervisor and gets the work by cloudpickle.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from litcourse.core.atomic_write import write_atomically
from litcourse.core.environment import swept_folder
from litcourse.core.serialization import SerializationError, decode
from litcourse.core.tree import Tree
from litcourse.ranks import private_network, spawned_supervisor, supervisor
from litcourse.ranks.messages import MOST_STRETCH, Job, RankSpec
from litcourse.ranks.processes import terminate

FRESH = "LITCOURSE_FRESH_RANKS"
"""If this variable is 1, ranks start from a new program and not from a fork of the caller."""
_PAUSE = 0.005
_MARGIN = 10.0
_PATIENCE = 2.0
_MOST_FOR_REPORT = 10.0
"""Seconds in which a stopped supervisor may ask its ranks where they stand; on a quiet machine it
takes 0.1."""
_SHOWN_OUTPUT = 2000


@contextlib.contextmanager
def job_folder() -> Iterator[Path]:
    """Make a folder for the files of a job, and remove it afterwards."""
    with swept_folder("ranks") as folder:
        yield folder


def run_job(job: Job) -> list[dict[str, Tree]]:
    """Run a job until it ends or its limit has passed; print what the code of its ranks printed.

    Returns:
        for each rank `{"value": ...}`, `{"error": ...}`, `{"stuck": ...}` or `{"died": ...}`,
        each with the rank's "pid" and the tail of its "output".

    Raises:
        KeyboardInterrupt: somebody stops the job; it says where a rank stood.
    """
    most = job.limit * MOST_STRETCH + _MARGIN
    if can_fork():
        pid = _fork_supervisor(job)
    else:
        pid = spawned_supervisor.start_supervisor(job)
        most += spawned_supervisor.MOST_FOR_IMPORTS
    until, ended = time.monotonic() + most, False
    try:
        while time.monotonic() < until and not ended:
            time.sleep(_PAUSE)
            ended = bool(os.waitpid(pid, os.WNOHANG)[0])
    except KeyboardInterrupt:
        terminate(pid, _MOST_FOR_REPORT)
        ended = True
        raise KeyboardInterrupt(_line_of_a_rank(_read_entries(job.folder))) from None
    finally:
        if not ended:
            terminate(pid, _PATIENCE)
    entries = _read_entries(job.folder)
    for number in range(len(entries)):
        printed = _read_tail(job.folder / f"printed-{number}")
        if printed:
            print(f"rank {number}:\n{printed}")  # noqa: T201 (the caller's stdout decides)
    return entries


def _line_of_a_rank(entries: list[dict[str, Tree]]) -> str:
    """The student's line at which the first rank stood that was in one, or ""."""
    stood = [(n, entry["stuck"]["line"]) for n, entry in enumerate(entries) if "stuck" in entry]
    return next((f"rank {number}: {line}" for number, line in stood if line), "")


def _fork_supervisor(job: Job) -> int:
    parent = os.getpid()
    private_network.is_possible()  # what one job has found out holds for the next
    with warnings.catch_warnings():
        # Python 3.12 and later warn of a fork beside threads; the child uses none of their locks.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        supervisor.supervise(job, parent)
    return pid


def can_fork() -> bool:
    """Whether a fork of this process can train."""
    import torch

    if os.environ.get(FRESH) == "1" or sys.platform != "linux":
        return False
    if torch.cuda.is_initialized():
        return False
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return False  # the child would be a rank of that job, with the parent's connections
    return not torch.cuda.is_available() or _try_fork()


def _try_fork() -> bool:
    """Whether backward works in a fork, which autograd refuses once it has threads for a GPU."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            import torch

            torch.set_num_threads(1)
            torch.ones(1, requires_grad=True).sum().backward()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def current_seed() -> int:
    """A seed computed from torch's random state, which does not change."""
    import torch

    return zlib.crc32(torch.get_rng_state().numpy().tobytes())


def request_rank(folder: Path, spec: RankSpec) -> None:
    """In a rank: ask the supervisor to start another rank."""
    write_atomically(folder / f"launch-{spec.number}", json.dumps(asdict(spec)).encode())


# --- outcomes ------------------------------------------------------------------------------------


def _read_entries(folder: Path) -> list[dict[str, Tree]]:
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        what = _read_tail(folder / "supervisor-output") or "it was killed"
        report = [{"rank": 0, "died": f"the process that watches the ranks ended: {what}"}]
    entries = []
    for entry_of_rank in report:
        number = entry_of_rank.pop("rank")
        entry = _read_outcome(folder / f"outcome-{number}") or entry_of_rank
        output = _read_tail(folder / f"output-{number}")
        entries.append({**entry, "pid": entry_of_rank.get("pid", 0), "output": output})
    return entries


def _read_outcome(path: Path) -> dict[str, Tree]:
    try:
        outcome: dict[str, Tree] = decode(path.read_bytes())
    except OSError:
        return {}
    except SerializationError as error:
        return {"died": f"its outcome can't be read: {error}"}
    return outcome


def _read_tail(path: Path) -> str:
    try:
        return path.read_bytes()[-4 * _SHOWN_OUTPUT :].decode("utf-8", "replace")[-_SHOWN_OUTPUT:]
    except OSError:
        return ""
