"""Rank processes: forked, watched, described when they are stuck, never left behind.

Between the process that asks and the ranks stands a *supervisor*, forked too. It holds
the port at which ranks meet, adopts what they leave behind, and kills all of it in the end, also
when the asking process is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from litcourse import stacks
from litcourse.packet import PacketError, decode
from litcourse.question import Tree
from litcourse.rank_process import DUMP, Start, adopt_orphans, be_rank

TICK = 0.01
SAMPLE = 0.25
"""Seconds between two looks at whether the ranks do anything."""
IDLE_SAMPLES = 6
"""So many looks in a row at which every rank slept in a collective are a deadlock."""
GRACE = 2.0
"""Seconds that ranks have to end after another one failed."""
SLACK = 4.0
"""The limit counts seconds in which ranks could run; by the clock so many times of it."""
_TICKS = os.sysconf("SC_CLK_TCK")
_OUTPUT_KEPT = 8 * 2**20
_SHOWN_OUTPUT = 2000


@dataclass
class Job:
    """What a crew of ranks is to do.

    Args:
        work: called in each rank.
        ranks: those that are started at once; a rank may ask for more, see `ask_for`.
        limit: seconds that the ranks may take together.
        folder: for the files of this crew.
        seed: of the first rank.
    """

    work: Callable[[Start], Tree]
    ranks: list[Start]
    limit: float
    folder: Path
    seed: int = 0


@dataclass
class _Rank:
    number: int
    pid: int
    outcome: Path
    ended: dict[str, Any] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return bool(self.ended) or self.outcome.exists()


@contextlib.contextmanager
def crew_folder() -> Iterator[Path]:
    """A folder for the files of a crew, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="litcourse-ranks-") as folder:
        yield Path(folder)


def run(job: Job) -> list[dict[str, Tree]]:
    """Run a crew to its end, whatever that is.

    Returns:
        for each rank `{"value": ...}`, `{"error": ...}`, `{"stuck": ...}` or `{"died": ...}`,
        each with its "pid" and the tail of its "output".
    """
    job.seed = _seed_of_now()
    pid = os.fork()
    if not pid:
        _be_supervisor(job)
    try:
        _wait(pid, job.limit * SLACK + 10)
    finally:
        _end(pid)
    return _entries(job.folder)


def ask_for(folder: Path, start: Start) -> None:
    """In a rank: have the supervisor start another one, forked as this one was."""
    part = folder / f"part-{start.number}"
    part.write_text(json.dumps(asdict(start)), encoding="utf-8")
    part.rename(folder / f"launch-{start.number}")


def _seed_of_now() -> int:
    """A seed that the random state determines, and that does not move it."""
    import torch

    return zlib.crc32(torch.get_rng_state().numpy().tobytes())


def _wait(pid: int, most: float) -> None:
    end = time.monotonic() + most
    while time.monotonic() < end:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
        time.sleep(TICK / 2)


def _end(pid: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(400):
            try:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    return
            except ChildProcessError:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            time.sleep(TICK / 2)


def _entries(folder: Path) -> list[dict[str, Tree]]:
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        report = [{"rank": 0, "died": "the process that watches the ranks ended"}]
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


# --- the supervisor ------------------------------------------------------------------------------


def _be_supervisor(job: Job) -> None:
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(1) if crew is None else crew.stop())
        crew = None
        os.setsid()
        adopt_orphans()
        crew = Crew(job, os.getppid())
        crew.run()
    except BaseException:  # noqa: BLE001 (nothing may get back into the parent's code)
        (job.folder / "supervisor-error").write_text(traceback.format_exc(), encoding="utf-8")
    finally:
        os._exit(0)


class Crew:
    """The ranks of a job, in the supervisor."""

    def __init__(self, job: Job, parent: int) -> None:
        self.job = job
        self.parent = parent
        self.ranks: list[_Rank] = []
        self.stopped = False
        self.clock = 0.0
        self.idle = 0
        self.used = 0
        self.failed_at = 0.0

    def stop(self) -> None:
        """End soon: the process that asked does not want to wait any longer."""
        self.stopped = True

    def run(self) -> None:
        """Start the ranks, watch them, report, and kill what is left."""
        try:
            with _held_port() as port:
                self.meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
                for start in self.job.ranks:
                    self.start(start)
                self._watch()
                self._report()
        finally:
            kill_all()

    def start(self, start: Start) -> None:
        """Fork a rank."""
        start = replace(start, environment={**self.meet, **start.environment})
        pid = os.fork()
        if not pid:
            job = self.job
            be_rank(start, lambda: job.work(start), job.folder, job.seed)
        self.ranks.append(_Rank(start.number, pid, self.job.folder / f"outcome-{start.number}"))

    def _launch(self) -> None:
        """Start the ranks that others asked for."""
        for path in sorted(self.job.folder.glob("launch-*")):
            with contextlib.suppress(OSError, ValueError, TypeError):
                asked = Start(**json.loads(path.read_text(encoding="utf-8")))
                if all(rank.number != asked.number for rank in self.ranks):
                    self.start(asked)
            path.unlink()

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self.stopped and os.getppid() == self.parent:
            self._reap()
            self._launch()
            if all(rank.finished for rank in self.ranks):
                return
            now = time.monotonic()
            if now - looked >= SAMPLE:
                self._look(now - looked)
                looked = now
                if self._give_up(now):
                    return
            time.sleep(TICK)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            rank = next((rank for rank in self.ranks if rank.pid == pid), None)
            if rank is not None and not rank.outcome.exists():
                rank.ended = {"died": _how(status), "at": time.monotonic()}
            if rank is not None and not self.failed_at:
                self.failed_at = time.monotonic()

    def _look(self, passed: float) -> None:
        """Advance the clock by the time that the ranks really had."""
        pids = [pid for rank in self._living() for pid in tree(rank.pid)]
        used, awake = 0, False
        for pid in pids:
            ticks, runs = _activity(pid)
            used, awake = used + ticks, awake or runs
        worked = max(0, used - self.used) / _TICKS
        self.used = used
        slept = not awake and worked <= 1.5 / _TICKS
        self.idle = self.idle + 1 if slept else 0
        self.clock += passed if slept else min(passed, worked)
        for rank in self.ranks:
            _shorten(self.job.folder / f"output-{rank.number}")

    def _living(self) -> list[_Rank]:
        return [rank for rank in self.ranks if not rank.finished]

    def _give_up(self, now: float) -> bool:
        late = self.clock > self.job.limit
        alone = self.failed_at and now - self.failed_at > GRACE and self.idle > 1
        look = self.idle >= IDLE_SAMPLES and self.idle % IDLE_SAMPLES == 0
        if not (late or alone or look):
            return False
        found = {rank.number: self._stack(rank) for rank in self._living()}
        if not (late or alone) and not all(stacks.collective(f) for f in found.values()):
            return False
        for rank in self._living():
            frames = found.get(rank.number, [])
            rank.ended = {
                "stuck": {
                    "waits_for": stacks.collective(frames),
                    "line": stacks.own_line(frames),
                    "stack": stacks.shown(frames),
                    "busy": not self.idle,
                    "seconds": round(self.clock, 1),
                },
            }
        return True

    def _stack(self, rank: _Rank) -> list[stacks.Frame]:
        path = self.job.folder / f"stack-{rank.number}"
        before = _size(path)
        with contextlib.suppress(ProcessLookupError):
            os.kill(rank.pid, DUMP)
        for _ in range(50):
            time.sleep(TICK)
            if _size(path) > before:
                time.sleep(TICK)
                return stacks.main_thread(path.read_text(encoding="utf-8", errors="replace"))
        return []

    def _report(self) -> None:
        ranks = sorted(self.ranks, key=lambda rank: rank.number)
        told = [{"rank": rank.number, "pid": rank.pid, **rank.ended} for rank in ranks]
        part = self.job.folder / "report.part"
        part.write_text(json.dumps(told), encoding="utf-8")
        part.rename(self.job.folder / "report.json")


@contextlib.contextmanager
def _held_port() -> Iterator[int]:
    """A port that nobody else gets while it is held, and that rank 0 can listen at.

    Two sockets with SO_REUSEADDR, which torch's store sets too, may have one port as long as one
    of them listens at most.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("", 0))
        yield holder.getsockname()[1]


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _shorten(path: Path) -> None:
    if _size(path) > _OUTPUT_KEPT:
        with contextlib.suppress(OSError):
            os.truncate(path, 0)


def tree(pid: int) -> list[int]:
    """`pid` and its descendants."""
    found = [pid]
    for parent in found:
        for task in _listed(f"/proc/{parent}/task"):
            found += map(int, _read(f"/proc/{parent}/task/{task}/children").split())
    return found


def _activity(pid: int) -> tuple[int, bool]:
    """Ticks of processor time that a process has used, and whether a thread of it would run."""
    ticks, runs = 0, False
    for task in _listed(f"/proc/{pid}/task"):
        fields = _read(f"/proc/{pid}/task/{task}/stat").rpartition(")")[2].split()
        if fields:
            ticks += int(fields[11]) + int(fields[12])
            runs = runs or fields[0] in "RDT"
    return ticks, runs


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)  # noqa: PTH208 (names alone)
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def kill_all() -> None:
    """Kill every descendant of this process, orphans that it adopted included."""
    own = os.getpid()
    while children := tree(own)[1:]:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, 0)[0]:
                pass
