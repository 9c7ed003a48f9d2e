"""A run that is cut in the middle of epochs sees and learns what one that was never cut does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from litcourse.requeue import Requeue, write_then_rename
from reference.resuming.whole_checkpoints import fault_of, hyperparameters, newest_whole
from tests.reference.fits import PROGRAMS, Ranks, arguments, losses
from tests.reference.samples_seen import batches, counts

SLURM = {
    "SLURM_NTASKS_PER_NODE": "1", "SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "train",
    "SLURM_NODEID": "0", "SLURM_JOB_NODELIST": "127.0.0.1",
}  # fmt: skip
CUTS = (3, 9)
"""Batches after which the run is warned: in the middle of the first epoch, and of the second."""


def leg(number: int, args: list[str], tools: Path) -> None:
    """One start of a job, on a rank; it is over when it is done or queued again."""
    rank, ranks = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    os.environ.update(SLURM, SLURM_PROCID=rank, SLURM_LOCALID=rank, SLURM_NTASKS=ranks,
                      SLURM_NTASKS_PER_NODE=ranks, SLURM_RESTART_COUNT=str(number),
                      PATH=f"{tools}{os.pathsep}{os.environ['PATH']}")  # fmt: skip
    try:
        PROGRAMS[args[0]](args[1:])
    except SystemExit as end:
        if end.code:
            raise


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with a `scontrol` that queues a job again; what becomes of it, the test says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "scontrol").write_text("#!/bin/sh\n")
    (folder / "scontrol").chmod(0o755)
    return folder


def command(program: str, config: str, folder: Path, ranks: int, *more: str) -> list[str]:
    seen = ["--trainer.callbacks+=tests.reference.samples_seen.Seen",
            f"--trainer.callbacks.folder={folder}/seen"]  # fmt: skip
    return [program, *arguments(program, config, folder, ranks, *more), *seen]


def last(folder: Path) -> dict[str, Any]:
    """The weights at the end."""
    weights: dict[str, Any] = torch.load(folder / "checkpoints/last.ckpt")["state_dict"]
    return weights


@pytest.mark.slow
@pytest.mark.parametrize(("program", "ranks_", "workers"), [("cifar10", 2, 2), ("mnist", 1, 0)])
def test_a_run_cut_twice_equals_one_that_was_not(
    ranks: Ranks, tmp_path: Path, tools: Path, program: str, ranks_: int, workers: int
) -> None:
    """Same samples in the same batches, drawn the same, in the same number; same weights."""
    more = (f"--data.num_workers={workers}", "--trainer.limit_train_batches=1.0",
            "--data.batch_size=128" if program == "mnist" else "--data.batch_size=64")  # fmt: skip
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    ranks(partial(leg, 0, command(program, "ddp", whole, ranks_, *more), tools), ranks_)
    args = command(program, "ddp", cut, ranks_, *more)
    for number, at in enumerate((*CUTS, None)):
        warned = ["--trainer.callbacks+=tests.reference.samples_seen.WarnedAt",
                  f"--trainer.callbacks.batch={at}"] if at else []  # fmt: skip
        ranks(partial(leg, number, [*args, *warned], tools), ranks_)
    assert sorted(path.name for path in cut.glob("hpc_ckpt_*")) == ["hpc_ckpt_2.ckpt"]
    found = batches(cut / "seen")
    assert found == batches(whole / "seen")
    for told in counts(found).values():
        assert set(told.values()) == {1}, "a sample came twice"
    for one, other in zip(last(whole).values(), last(cut).values(), strict=True):
        assert torch.equal(one, other)
    assert len(losses(cut, 1)) < len(losses(whole))


@pytest.mark.slow
def test_a_checkpoint_within_an_epoch_goes_on_with_the_batch_that_follows(
    ranks: Ranks, tmp_path: Path, tools: Path
) -> None:
    """Written by ModelCheckpoint, after a batch, where `Requeue` saves before one."""
    whole, again = tmp_path / "whole", tmp_path / "again"
    often = ("--last.every_n_train_steps=5", "--last.save_top_k=-1", "--last.filename={step}")
    ranks(partial(leg, 0, command("mnist", "ddp", whole, 1, *often), tools), 1)
    named = f"--ckpt_path={whole}/checkpoints/step=5.ckpt"
    ranks(partial(leg, 0, command("mnist", "ddp", again, 1, *often, named), tools), 1)
    assert losses(again) == losses(whole)[5:]
    assert batches(again / "seen").items() < batches(whole / "seen").items()


@pytest.mark.slow
def test_a_warning_that_comes_during_the_imports_is_heard(
    root: Path, tmp_path: Path, tools: Path
) -> None:
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    own = {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NTASKS": "1", "PATH": path}
    args = ["fit", f"--run_dir={tmp_path}/run", "--config", "reference/mnist/configs/smoke.yaml",
            "--trainer.accelerator=cpu", "--trainer.devices=1"]  # fmt: skip
    program = subprocess.Popen(
        [sys.executable, "-m", "reference.mnist", *args], cwd=root, env=os.environ | SLURM | own,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    while not catches(program.pid, signal.SIGUSR1):
        time.sleep(0.001)
    libraries = Path(f"/proc/{program.pid}/maps").read_text()
    program.send_signal(signal.SIGUSR1)
    said, _ = program.communicate(timeout=300)
    assert "libtorch" not in libraries, "it came before torch was there"
    assert program.returncode == 0, said
    assert (tmp_path / "run/hpc_ckpt_1.ckpt").is_file(), said


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(re.findall(r"SigCgt:\s+(\w+)", status)[0], 16) >> (number - 1) & 1)


def test_the_newest_whole_checkpoint_counts_whatever_made_it(tmp_path: Path) -> None:
    assert newest_whole(tmp_path) is None
    (tmp_path / "checkpoints").mkdir()
    names = ("checkpoints/best.ckpt", "hpc_ckpt_3.ckpt", "checkpoints/last.ckpt", "cut.ckpt")
    for age, name in enumerate(reversed(names)):
        torch.save({"optimizer_states": [], "state_dict": {}}, tmp_path / name)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(cut.read_bytes()[:-100])
    os.utime(cut, (2000, 2000))
    (tmp_path / "shards.ckpt").mkdir()
    (tmp_path / "shards.ckpt/__0_0.distcp").write_bytes(b"")
    (tmp_path / "empty.ckpt").touch()
    assert "its end is missing" in fault_of(tmp_path / "empty.ckpt")
    assert fault_of(cut) == "it is half of a checkpoint: its end is missing"
    assert ".metadata is missing" in fault_of(tmp_path / "shards.ckpt")
    assert newest_whole(tmp_path) == tmp_path / "checkpoints/last.ckpt"
    (tmp_path / "checkpoints/last.ckpt").unlink()
    assert newest_whole(tmp_path) == tmp_path / "hpc_ckpt_3.ckpt"


def test_what_callbacks_of_ones_own_have_saved_makes_no_checkpoint_half(tmp_path: Path) -> None:
    """Torch reads such objects only where it is told to; that is no reason to begin anew."""
    held = {"optimizer_states": [], "callbacks": {"own": Fraction(1, 3)}, "hyper_parameters": {}}
    torch.save(held, tmp_path / "last.ckpt")
    assert newest_whole(tmp_path) == tmp_path / "last.ckpt"
    assert hyperparameters(tmp_path / "last.ckpt") == {}


class Saver:
    """As much of a Trainer as saving asks of it, on one rank."""

    def __init__(self) -> None:
        self.is_global_zero, self.local_rank, self.strategy = True, 0, self

    def broadcast(self, of: str) -> str:
        return of

    def barrier(self, _: str) -> None:
        pass


def test_a_checkpoint_is_there_before_the_next_one_is_whole(tmp_path: Path) -> None:
    """Cut off while it is written, be it a folder or a file, nothing has happened to the old."""
    path = tmp_path / "last.ckpt"
    trainer: Any = Saver()

    def whole(to: Path) -> None:
        to.mkdir()
        (to / "shard").write_text("new")

    def cut(to: Path) -> None:
        whole(to)
        raise SystemExit

    write_then_rename(trainer, path, whole)
    with pytest.raises(SystemExit):
        write_then_rename(trainer, path, cut)
    assert (path / "shard").read_text() == "new"
    write_then_rename(trainer, path, whole)
    write_then_rename(trainer, path, lambda to: write_then_rename(trainer, to, Path.touch))
    assert path.is_file()
    write_then_rename(trainer, path, whole)  # of a run by another strategy in the same folder
    assert (path / "shard").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def test_ranks_compare_notes_every_few_seconds_not_before_each_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requeue, batch, compared = Requeue(seconds=5.0), 0, []
    pace = 0.01

    def reduce(notes: torch.Tensor, reduce_op: str) -> torch.Tensor:
        assert reduce_op == "max"
        compared.append(batch)
        return notes

    loop, strategy = SimpleNamespace(), SimpleNamespace(root_device="cpu", reduce=reduce)
    trainer: Any = SimpleNamespace(fit_loop=loop, strategy=strategy)
    monkeypatch.setattr(time, "monotonic", lambda: batch * pace)
    for batch in range(6000):  # a minute; the functions above read it
        loop.total_batch_idx = batch
        if requeue._is_time(trainer):
            assert not requeue._was_any_warned(trainer)
    gaps = [pace * (later - one) for one, later in pairwise(compared)]
    assert max(gaps) <= 5.0
    assert len(compared) < 30
