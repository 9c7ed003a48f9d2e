"""Supervises the ranks of a job: starts, watches and ends them, in a process of its own.

The supervisor holds the port of the ranks' rendezvous, adopts orphans of the ranks, and kills all
of them in the end, also if the calling process has ended. It has one thread and runs no code of a
student.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from litcourse.core.atomic_write import write_atomically
from litcourse.ranks import private_network, stack_dumps
from litcourse.ranks.messages import MOST_STRETCH, Job, RankSpec
from litcourse.ranks.own_time import OwnTime
from litcourse.ranks.processes import (
    CAN_SEE,
    TICKS,
    activity,
    adopt_orphans,
    describe_exit,
    kill_all,
    process_tree,
)
from litcourse.ranks.rank_process import DUMP, run_rank

TICK = 0.01
SAMPLE = 0.25
"""Seconds between two samples of the ranks' activity."""
IDLE_SAMPLES = 6
"""A deadlock is so many samples in a row in which every rank sleeps in a collective."""
RENDEZVOUS_SAMPLES = 48
"""The same where all ranks meet: a rank that came first asks again after pauses that grow, so that
on a busy machine both sleep for seconds although nothing is wrong."""
GRACE = 2.0
"""Seconds that ranks have to end after another rank failed."""
_OUTPUT_KEPT = 8 * 2**20
_MOST_RANKS = 32
_NAP = 1.5 / TICKS
"""Seconds of work between two samples that count as sleep: one clock tick may be noise."""


@dataclass
class _Rank:
    number: int
    pid: int
    outcome: Path
    ended: dict[str, Any] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return bool(self.ended) or self.outcome.exists()


def supervise(job: Job, parent: int) -> None:
    """Supervise the ranks of `job` for the process `parent`; never returns."""
    supervisor = _Supervisor(job, parent)
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, supervisor.stop)
        os.setsid()
        private_network.leave_if_possible()
        adopt_orphans()
        supervisor.run()
    except BaseException:  # noqa: BLE001 (a fork must not return into the parent's code)
        with contextlib.suppress(OSError), (job.folder / "supervisor-output").open("a") as file:
            traceback.print_exc(file=file)
    finally:
        os._exit(0)


class _Supervisor:
    def __init__(self, job: Job, parent: int) -> None:
        self.job = job
        self.parent = parent
        self.ranks: list[_Rank] = []
        self.rendezvous: dict[str, str] = {}
        self.stopped = False
        self.clock = OwnTime()
        self.idle = 0
        self.used: dict[int, int] = {}
        self.failed_at = 0.0

    def stop(self, *_: object) -> None:
        """End the job: the calling process does not wait any longer."""
        self.stopped = True

    def run(self) -> None:
        try:
            with _hold_port() as port:
                self.rendezvous = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
                for spec in self.job.ranks:
                    self.start_rank(spec)
                self.watch()
                self.report()
        finally:
            kill_all([rank.pid for rank in self.ranks])
            if os.getppid() != self.parent:  # the calling process is gone and can't remove it
                shutil.rmtree(self.job.folder.parent, ignore_errors=True)  # with its lock

    def start_rank(self, spec: RankSpec) -> None:
        spec = replace(spec, environment={**self.rendezvous, **spec.environment})
        pid = os.fork()
        if not pid:
            job = self.job
            run_rank(spec, lambda: job.work(spec), job.folder, job.seed)
        self.ranks.append(_Rank(spec.number, pid, self.job.folder / f"outcome-{spec.number}"))

    def watch(self) -> None:
        """Wait until all ranks have finished, or are sure never to finish."""
        began = looked = time.monotonic()
        while not self.stopped and os.getppid() == self.parent:
            self.reap()
            self.start_requested()
            if all(rank.finished for rank in self.ranks):
                return
            now = time.monotonic()
            if now - looked >= SAMPLE:
                self.sample_activity()
                looked, limit = now, self.job.limit
                late = self.clock.seconds > limit or now - began > limit * MOST_STRETCH
                if self.should_give_up(now, late=late):
                    return
            time.sleep(TICK)
        if self.stopped:
            self.record_stacks([(rank, self.stack(rank)) for rank in self.unfinished()])

    def reap(self) -> None:
        """Wait for ended children: record those that are ranks, ignore orphans."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                rank = next((rank for rank in self.ranks if rank.pid == pid), None)
                if rank is None:
                    continue
                self.failed_at = self.failed_at or time.monotonic()
                if not rank.outcome.exists():
                    line = stack_dumps.own_line(self.last_stack(rank))
                    died = {"died": describe_exit(status), "line": line}
                    rank.ended = {**died, "at": time.monotonic()}

    def start_requested(self) -> None:
        """Start the ranks that other ranks requested."""
        for path in sorted(self.job.folder.glob("launch-*[0-9]")):
            with contextlib.suppress(OSError, ValueError, TypeError):
                spec = RankSpec(**json.loads(path.read_text(encoding="utf-8")))
                known = any(rank.number == spec.number for rank in self.ranks)
                if not known and len(self.ranks) < _MOST_RANKS:
                    self.start_rank(spec)
            path.unlink()

    def sample_activity(self) -> None:
        """Advance the clock, and count the samples in which all ranks sleep."""
        pids = [pid for rank in self.unfinished() for pid in process_tree(rank.pid)]
        seen = {pid: activity(pid) for pid in pids}
        worked = sum(max(0, ticks - self.used.get(pid, 0)) for pid, (ticks, _) in seen.items())
        self.used = {pid: ticks for pid, (ticks, _) in seen.items()}
        awake = any(runs for _, runs in seen.values())
        asleep = CAN_SEE and not awake and worked / TICKS <= _NAP
        self.idle = self.idle + 1 if asleep else 0
        self.clock.count(pids)
        for rank in self.ranks:
            for kind in ("output", "printed"):
                _truncate_output(self.job.folder / f"{kind}-{rank.number}")

    def unfinished(self) -> list[_Rank]:
        return [rank for rank in self.ranks if not rank.finished]

    def should_give_up(self, now: float, *, late: bool) -> bool:
        """Whether the ranks will never finish; if so, record what each of them waits for."""
        left_alone = self.failed_at and now - self.failed_at > GRACE and self.idle > 1
        asleep = self.idle > 0 and self.idle % IDLE_SAMPLES == 0
        if not (late or left_alone or asleep):
            return False
        found = [(rank, self.stack(rank)) for rank in self.unfinished()]
        if not (late or left_alone or self.is_deadlock([frames for _, frames in found])):
            return False
        self.record_stacks(found)
        return True

    def is_deadlock(self, stacks: list[list[stack_dumps.Frame]]) -> bool:
        """Whether ranks that sleep, with these stacks, wait for each other."""
        waits = [stack_dumps.find_collective(frames) for frames in stacks]
        meet = 1 < len(waits) == len(self.ranks) and set(waits) == {stack_dumps.RENDEZVOUS}
        return all(waits) and (not meet or self.idle >= RENDEZVOUS_SAMPLES)

    def record_stacks(self, found: list[tuple[_Rank, list[stack_dumps.Frame]]]) -> None:
        """Record of each rank what it waits for."""
        for rank, frames in found:
            rank.ended = {
                "stuck": {
                    "waits_for": stack_dumps.find_collective(frames),
                    "line": stack_dumps.own_line(frames),
                    "stack": stack_dumps.format_stack(frames),
                    "busy": not self.idle,
                    "seconds": round(self.clock.seconds, 1),
                },
            }

    def stack(self, rank: _Rank) -> list[stack_dumps.Frame]:
        path = self.job.folder / f"stack-{rank.number}"
        before = _size(path)
        with contextlib.suppress(ProcessLookupError):
            os.kill(rank.pid, DUMP)
        for _ in range(50):
            time.sleep(TICK)
            if _size(path) > before:
                time.sleep(TICK)  # until the rest of the dump is written
                return stack_dumps.read_main_thread(
                    path.read_text(encoding="utf-8", errors="replace")
                )
        return []

    def last_stack(self, rank: _Rank) -> list[stack_dumps.Frame]:
        """The stack that a rank dumped as it ended; [] if it had no time for that."""
        path = self.job.folder / f"stack-{rank.number}"
        with contextlib.suppress(OSError):
            return stack_dumps.read_main_thread(path.read_text(encoding="utf-8", errors="replace"))
        return []

    def report(self) -> None:
        ranks = sorted(self.ranks, key=lambda rank: rank.number)
        report = [{"rank": rank.number, "pid": rank.pid, **rank.ended} for rank in ranks]
        write_atomically(self.job.folder / "report.json", json.dumps(report).encode())


@contextlib.contextmanager
def _hold_port() -> Iterator[int]:
    """Reserve a port at which rank 0 can listen, while the context lasts.

    Two sockets with SO_REUSEADDR, which torch's store sets too, may share a port as long as at
    most one of them listens.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("", 0))
        yield holder.getsockname()[1]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _truncate_output(path: Path) -> None:
    """Empty a large output file, so that endless prints don't fill the disk; ranks append to it."""
    if _size(path) > _OUTPUT_KEPT:
        with contextlib.suppress(OSError):
            os.truncate(path, 0)
