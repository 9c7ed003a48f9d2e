"""What `python train.py` does in the pocket: it says what Lightning says, and trains on the clock.

Ranks that Lightning accepts wait for each other at one address; when all have come they train
for a share of the job's time limit. SIGUSR1 has them save together and requeue the job, as the
course's `train.py` does.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from litcourse.pocket.job import Job
from litcourse.pocket.machine import node_of
from litcourse.pocket.programs.lightning_rules import Placement, lightning_under_slurm, port
from litcourse.pocket.running.launches import Rank

SAVING = 100.0
"""Virtual seconds that it takes to save a checkpoint."""
RENDEZVOUS = 1800.0
"""Virtual seconds after which a rank gives up to look for the address."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_USR1 = 10
_WITH_VALUE = ("-W", "-X")
"""Flags of the interpreter that take a value."""


@dataclass(eq=False)
class _World:
    """Ranks that meet at one address."""

    size: int
    where: str
    """The node at whose address they meet."""
    folder: Path
    members: dict[int, Rank] = field(default_factory=dict)
    timed: bool = False
    begin: float = 0.0
    trained: float = 0.0
    """Seconds that earlier runs have trained."""
    saving: bool = False
    paused: float = 0.0
    turn: int = 0
    """Raised whenever the end of the training is moved."""

    @property
    def hosted(self) -> bool:
        """Whether rank 0 is where the others look for it."""
        return 0 in self.members and self.members[0].node == self.where

    @property
    def complete(self) -> bool:
        """Whether all are there."""
        return len(self.members) == self.size and self.hosted

    @property
    def over(self) -> bool:
        """Whether one of them has ended: who comes now meets others."""
        return any(not rank.alive for rank in self.members.values())


class Training:
    """The training stand-in.

    Args:
        lengths: how long the training takes, in time limits of the job.
    """

    def __init__(self, lengths: float = 0.5) -> None:
        self.lengths = lengths
        self._worlds: dict[tuple[int, str, int], _World] = {}
        self._of: dict[Rank, _World] = {}

    def start(self, rank: Rank, job: Job) -> None:
        """A process has started: read its arguments, and say what Lightning says."""
        words = list(rank.words[1:])
        script = script_of(words)
        if rank.program in {"torchrun", "accelerate"} or script is None:
            job.write(
                rank, f"the pocket runs train.py alone: recorded, not run: {' '.join(rank.words)}\n"
            )
            job.end(rank, 0)
            return
        path = Path(rank.cwd, script)
        if not path.exists():
            text = (
                f"{rank.program}: can't open file '{path}': [Errno 2] No such file or directory\n"
            )
            job.write(rank, text, 2)
            job.end(rank, 2)
        elif path.name != "train.py":
            job.write(rank, f"the pocket runs train.py alone: recorded, not run: {script}\n")
            job.end(rank, 0)
        else:
            self._train(rank, job, words[words.index(script) + 1 :])

    def _train(self, rank: Rank, job: Job, words: list[str]) -> None:
        found = read_arguments(tuple(words))
        if isinstance(found, str):
            job.write(rank, found, 2)
            job.end(rank, 0 if found.startswith("usage") and "error" not in found else 2)
            return
        environment = dict(rank.environment)
        gpus = job.gpus(environment, rank.node)
        place = lightning_under_slurm(environment, found.devices, found.num_nodes, gpus)
        if place.error:
            job.write(rank, _traceback(place), 2)
            job.end(rank, 1)
            return
        if place.rank == 0:
            job.write(rank, f"GPU available: {gpus > 0} (cuda), used: {gpus > 0}\n", 2)
        if not gpus:
            return  # it trains on the processor, and is not done when the limit comes
        self._join(rank, job, place, Path(rank.cwd, found.run_dir), found)

    # --- the ranks come together -----------------------------------------------------------------

    def _join(
        self, rank: Rank, job: Job, place: Placement, folder: Path, found: _Arguments
    ) -> None:
        alone = not place.slurm
        if place.world > 1:
            for other in range(place.world if alone and found.num_nodes == 1 else 1):
                number = place.rank + other
                member = f"MEMBER: {number + 1}/{place.world}"
                job.write(rank, f"Initializing distributed: GLOBAL_RANK: {number}, {member}\n", 2)
        if alone and found.num_nodes > 1:
            return  # it waits for processes that nobody starts
        where = rank.node if place.address in _LOOPBACK else node_of(place.address)
        key = (job.restart, where, id(rank) if alone else place.world)
        world = self._worlds.get(key)
        if world is None or world.over:
            world = self._worlds[key] = _World(1 if alone else place.world, where, folder)
        if place.rank in world.members:
            return  # a second rank of that number: it is not let in, and waits
        world.members[place.rank] = rank
        self._of[rank] = world
        if world.complete:
            self._begin(world, job)
        elif not world.timed:
            world.timed = True
            lost = f"({place.address}, {port(rank.environment)})"
            job.after(RENDEZVOUS, lambda: self._lost(job, world, lost))

    @staticmethod
    def _lost(job: Job, world: _World, where: str) -> None:
        """Nobody answers at the address: rank 0 is elsewhere."""
        if world.hosted:
            return
        what = "The client socket has timed out after 1800000ms while trying to connect to"
        for rank in world.members.values():
            if rank.alive:
                text = f"torch.distributed.DistNetworkError: {what} {where}.\n"
                job.write(rank, text, 2)
                job.end(rank, 1)

    def _begin(self, world: _World, job: Job) -> None:
        job.note("ready", world=world.size, nodes=sorted({r.node for r in world.members.values()}))
        world.begin = job.now
        newest = _newest(world.folder)
        first = world.members[0]
        if newest is not None:
            world.trained = newest[1]
            job.note("resumed", checkpoint=str(newest[0]), trained=newest[1])
            job.write(first, f"Restored all states from the checkpoint at {newest[0]}\n", 2)
        self._set_end(world, job)

    def _set_end(self, world: _World, job: Job) -> None:
        world.turn += 1
        turn, whole = world.turn, self.lengths * job.allocation.minutes * 60
        done = world.trained + (job.now - world.begin - world.paused)
        job.after(whole - done, lambda: self._finish(world, job, turn))

    def _finish(self, world: _World, job: Job, turn: int) -> None:
        if turn != world.turn or not all(rank.alive for rank in world.members.values()):
            return
        job.note("finished", world=world.size)
        found = read_arguments(tuple(_own(world.members[0])))
        epochs = found.max_epochs if isinstance(found, _Arguments) else 0
        job.write(world.members[0], f"`Trainer.fit` stopped: `max_epochs={epochs}` reached.\n", 2)
        for rank in world.members.values():
            job.end(rank, 0)

    # --- the warning -----------------------------------------------------------------------------

    def signal(self, rank: Rank, number: int, job: Job) -> bool:
        """SIGUSR1 has all ranks of a training save; any other signal does its default action."""
        world = self._of.get(rank)
        slurm = rank.environment.get("SLURM_JOB_NAME") not in {"bash", "interactive"}
        slurm = slurm and "SLURM_NTASKS" in rank.environment
        if number != _USR1 or world is None or not world.complete or not slurm:
            return False
        if not world.saving:
            world.saving, since = True, job.now
            world.turn += 1
            job.note("warned", world=world.size)
            job.write(world.members[0], "Handling auto-requeue signal: 10\n", 2)
            job.after(SAVING, lambda: self._saved(world, job, since))
        return True

    def _saved(self, world: _World, job: Job, since: float) -> None:
        if not all(rank.alive for rank in world.members.values()):
            return
        trained = world.trained + (since - world.begin - world.paused)
        path = _save(world.folder, trained)
        job.note("saved", checkpoint=str(path), trained=trained)
        job.write(world.members[0], f"saved {path}\n", 2)
        text = job.requeue(world.members[0].environment.get("SLURM_JOB_ID", ""))
        if text:
            job.write(
                world.members[0], f"{text}\nRequeuing SLURM job failed with error code 1\n", 2
            )
            world.saving = False
            world.paused += job.now - since
            self._set_end(world, job)


# --- its arguments -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Arguments:
    """The arguments of `train.py`; `devices` is None for "auto"."""

    devices: int | None
    num_nodes: int
    num_workers: int
    run_dir: str
    max_epochs: int


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train.py")
    parser.add_argument("--devices", type=_devices, default=1)
    parser.add_argument("--num_nodes", type=int, default=1)
    parser.add_argument("--num_workers", type=int, default=0)
    parser.add_argument("--run_dir", default="runs")
    parser.add_argument("--max_epochs", type=int, default=10)
    return parser


def _devices(text: str) -> int | None:
    return None if text == "auto" else int(text)


_devices.__name__ = "int"


_read: dict[tuple[str, ...], _Arguments | str] = {}


def read_arguments(words: tuple[str, ...]) -> _Arguments | str:
    """The arguments of `train.py`, or what argparse says to wrong ones."""
    if words not in _read:
        _read.clear()
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                found: _Arguments | str = _Arguments(**vars(_parser().parse_args(words)))
        except SystemExit:
            found = said.getvalue()
        _read[words] = found
    return _read[words]


def _own(rank: Rank) -> list[str]:
    words = list(rank.words[1:])
    script = script_of(words)
    return words[words.index(script) + 1 :] if script else []


def script_of(words: list[str]) -> str | None:
    """The script that an interpreter is to run; None for `-c`, `-m` and none at all."""
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-"):
            return word
        if word in _WITH_VALUE and left:
            left.pop(0)
        elif word == "-" or re.match(r"-[A-Za-z]*[cm]", word):
            return None
    return None


# --- checkpoints ---------------------------------------------------------------------------------


def _newest(folder: Path) -> tuple[Path, float] | None:
    """The newest checkpoint of a run folder, and the seconds that had been trained."""
    found = []
    for path in folder.glob("hpc_ckpt_*.ckpt"):
        number = re.fullmatch(r"hpc_ckpt_(\d+)\.ckpt", path.name)
        if number:
            found.append((int(number[1]), path))
    if not found:
        return None
    path = max(found)[1]
    try:
        return path, float(json.loads(path.read_text(encoding="utf-8"))["trained"])
    except (OSError, ValueError, KeyError, TypeError):
        return path, 0.0


def _save(folder: Path, trained: float) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(path.stem.rpartition("_")[2]) for path in folder.glob("hpc_ckpt_*.ckpt")
               if path.stem.rpartition("_")[2].isdigit()]  # fmt: skip
    path = folder / f"hpc_ckpt_{max(numbers, default=0) + 1}.ckpt"
    path.write_text(json.dumps({"trained": trained}), encoding="utf-8")
    return path


def _traceback(place: Placement) -> str:
    module = "lightning.fabric.utilities.exceptions." if place.error.startswith("Misc") else ""
    head = 'Traceback (most recent call last):\n  File "train.py", in <module>\n'
    return f"{head}{module}{place.error}: {place.text}\n"


__all__: list[str] = ["RENDEZVOUS", "SAVING", "Training", "read_arguments", "script_of"]
