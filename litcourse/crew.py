"""Starting a crew of rank processes and reading what became of it.

Between the process that asks and the ranks stands a `supervisor`. It is forked from the process
that asks, so that the ranks find all that is there: Lightning imported, classes of a notebook.
Where a fork can't serve, a fresh program is the supervisor, and gets the work by cloudpickle.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from litcourse import fresh_crew, supervisor
from litcourse.jobs import SLACK, Job, Start
from litcourse.packet import PacketError, decode
from litcourse.processes import end
from litcourse.question import Tree

FRESH = "LITCOURSE_FRESH_RANKS"
"""Variable that, set to 1, has ranks started from a fresh program."""
_PAUSE = 0.005
_MARGIN = 10.0
_PATIENCE = 2.0
_SHOWN_OUTPUT = 2000


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder for the files of a crew, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="litcourse-ranks-") as path:
        yield Path(path)


def run(job: Job) -> list[dict[str, Tree]]:
    """Run a crew to its end, whatever that is.

    Returns:
        for each rank `{"value": ...}`, `{"error": ...}`, `{"stuck": ...}` or `{"died": ...}`,
        each with its "pid" and the tail of its "output".
    """
    most = job.limit * SLACK + _MARGIN
    if fork_serves():
        pid = _forked(job)
    else:
        pid = fresh_crew.start(job)
        most += fresh_crew.MOST_FOR_IMPORTS
    until, ended = time.monotonic() + most, False
    try:
        while time.monotonic() < until and not ended:
            time.sleep(_PAUSE)
            ended = bool(os.waitpid(pid, os.WNOHANG)[0])
    finally:
        if not ended:
            end(pid, _PATIENCE)
    return _entries(job.folder)


def _forked(job: Job) -> int:
    parent = os.getpid()
    with warnings.catch_warnings():
        # From Python 3.12 a fork beside other threads warns. The child uses none of their locks.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        supervisor.be_supervisor(job, parent)
    return pid


def fork_serves() -> bool:
    """Whether a process that is forked from this one can train."""
    import torch

    if os.environ.get(FRESH) == "1" or sys.platform != "linux":
        return False
    if torch.cuda.is_initialized():
        return False
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return False  # the child would be a rank of that job, with the parent's connections
    return not torch.cuda.is_available() or _a_child_trains()


def _a_child_trains() -> bool:
    """Try it: autograd's threads for a GPU, once there are any, forbid backward in a fork."""
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


def seed_of_now() -> int:
    """A seed that the random state determines, and that does not move it."""
    import torch

    return zlib.crc32(torch.get_rng_state().numpy().tobytes())


def ask_for(folder: Path, start: Start) -> None:
    """In a rank: have the supervisor start another one, as this one was."""
    part = folder / f"part-{start.number}"
    part.write_text(json.dumps(asdict(start)), encoding="utf-8")
    part.rename(folder / f"launch-{start.number}")


# --- what became of it ---------------------------------------------------------------------------


def _entries(folder: Path) -> list[dict[str, Tree]]:
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        what = _tail(folder / "supervisor-output") or "it was killed"
        report = [{"rank": 0, "died": f"the process that watches the ranks ended: {what}"}]
    entries = []
    for told in report:
        number = told.pop("rank")
        entry = _outcome(folder / f"outcome-{number}") or told
        output = _tail(folder / f"output-{number}")
        entries.append({**entry, "pid": told.get("pid", 0), "output": output})
    return entries


def _outcome(path: Path) -> dict[str, Tree]:
    try:
        outcome: dict[str, Tree] = decode(path.read_bytes())
    except OSError:
        return {}
    except PacketError as error:
        return {"died": f"its outcome can't be read: {error}"}
    return outcome


def _tail(path: Path) -> str:
    try:
        return path.read_bytes()[-4 * _SHOWN_OUTPUT :].decode("utf-8", "replace")[-_SHOWN_OUTPUT:]
    except OSError:
        return ""
