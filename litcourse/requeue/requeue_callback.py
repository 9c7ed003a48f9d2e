"""A job that Slurm warns before its time is up: it saves, queues itself again, and goes on.

Lightning does this by itself, but in the signal's handler: each rank saves wherever the signal
happens to find it. Saving under DDP, FSDP or ZeRO is a collective, and ranks that are one batch
apart then wait for each other in different ones, for ever (seen with lightning 2.6.6, two ranks
over gloo). Here the handler only takes a note (`slurm_warning`). Every few seconds the
ranks compare their notes, and all of them save before the same batch.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from litcourse.requeue import slurm_warning

PARTIAL = "partial.ckpt"
"""Name of a checkpoint that is being written."""


class Requeue(L.Callback):
    """Saves and requeues the job when it was warned; does nothing outside Slurm.

    The checkpoint is `hpc_ckpt_N.ckpt` in the run's folder, where Lightning looks for one when the
    job comes back; older ones are removed once it is whole. When the job is queued again, the
    program ends; if `scontrol` refuses, it trains on.

    Args:
        seconds: about how often the ranks compare their notes. It costs an all-reduce and a wait
            for the GPU, so it is not done before each batch.
    """

    def __init__(self, seconds: float = 5.0) -> None:
        self.seconds = seconds
        self._next, self._stride = 0, 1
        self._compared: tuple[int, float] | None = None

    def setup(  # what Lightning calls it with
        self,
        trainer: L.Trainer,  # noqa: ARG002
        pl_module: L.LightningModule,  # noqa: ARG002
        stage: str,
    ) -> None:
        """Take the signal before Lightning does, which leaves alone what has a handler."""
        if stage == "fit" and SLURMEnvironment.detect():
            slurm_warning.listen()

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save and requeue if any rank was warned; the batch before is over and logged.

        Raises:
            SystemExit: the job is queued again.
        """
        del pl_module, batch
        # In the middle of accumulation there are gradients that no checkpoint holds.
        if not SLURMEnvironment.detect() or batch_idx % trainer.accumulate_grad_batches:
            return
        if self._is_time(trainer) and self._was_any_warned(trainer):
            self._save_and_requeue(trainer)

    def _is_time(self, trainer: L.Trainer) -> bool:
        """Whether to compare notes now; the same on all ranks, which count the same batches."""
        return trainer.fit_loop.total_batch_idx >= self._next

    def _was_any_warned(self, trainer: L.Trainer) -> bool:
        """Compare notes, and agree on when to do it again."""
        batch, now = trainer.fit_loop.total_batch_idx, time.monotonic()
        pace = self.seconds  # of a batch; until it is known, the next comparison is soon
        if self._compared is not None and batch > self._compared[0]:
            pace = (now - self._compared[1]) / (batch - self._compared[0])
        self._compared = (batch, now)
        strategy = trainer.strategy
        notes = torch.tensor([float(slurm_warning.came()), pace], device=strategy.root_device)
        warned, slowest = strategy.reduce(notes, reduce_op="max").tolist()
        # At most twice as many batches as before: one quick batch says little about the next ones.
        self._stride = max(1, min(2 * self._stride, int(self.seconds / max(slowest, 1e-6))))
        self._next = batch + self._stride
        return bool(warned)

    def _save_and_requeue(self, trainer: L.Trainer) -> None:
        folder = Path(trainer.default_root_dir)
        path = trainer.strategy.broadcast(_next_path(folder))
        rank_zero_info(f"Warned by Slurm: saving step {trainer.global_step} to {path}")
        for logger in trainer.loggers:
            logger.finalize("finished")
        write_then_rename(trainer, path, trainer.save_checkpoint)
        if trainer.is_global_zero:
            for older in folder.glob("hpc_ckpt_*.ckpt"):
                if older.name != path.name:
                    remove(older)
        refused = trainer.strategy.broadcast(_requeue() if trainer.is_global_zero else "")
        slurm_warning.forget()  # only now: the same signal may reach another rank a moment later
        if refused:
            rank_zero_warn(f"The job could not be requeued, so it goes on: {refused}")
        else:
            raise SystemExit(0)


def write_then_rename(trainer: L.Trainer, path: Path, write: Callable[[Path], None]) -> None:
    """Have `write` save a checkpoint, so that `path` is a whole one at any moment; on every rank.

    A job can be killed while it saves. What is being written is `PARTIAL`; a folder that it
    replaces is `replaced.ckpt` for a moment. Neither name is one that Lightning takes for a
    checkpoint to go on from.

    Args:
        trainer: that of the ranks.
        path: of the checkpoint, a file or a folder; rank 0's counts.
        write: gets the path to write to.
    """
    path = Path(trainer.strategy.broadcast(str(path)))
    partial, replaced = path.with_name(PARTIAL), path.with_name("replaced.ckpt")
    if path == partial:  # a Trainer that does the same was asked to write one
        write(path)
        return
    if trainer.is_global_zero:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(partial)
    trainer.strategy.barrier("partial checkpoint removed")
    write(partial)
    if trainer.local_rank == 0:
        _flush(partial)
    trainer.strategy.barrier("partial checkpoint written")
    if trainer.is_global_zero:
        if path.is_dir() or (path.exists() and partial.is_dir()):
            remove(replaced)  # a rename replaces a file by a file, and only an empty folder
            path.rename(replaced)
        partial.rename(path)
        remove(replaced)
    trainer.strategy.barrier("checkpoint renamed")


def remove(path: Path) -> None:
    """Remove a checkpoint, a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until what this node wrote is on the disk: a lost node must not take it along."""
    for file in [path, *path.rglob("*")]:
        if file.is_file():
            with file.open("rb") as held:
                os.fsync(held.fileno())


def _next_path(folder: Path) -> Path:
    """The path of the next checkpoint, one number above the last."""
    numbers = [int(path.stem.rpartition("_")[2]) for path in folder.glob("hpc_ckpt_*.ckpt")]
    return folder / f"hpc_ckpt_{max(numbers, default=0) + 1}.ckpt"


def _requeue() -> str:
    """Queue the job again; what `scontrol` says if it refuses, or ""."""
    job = os.environ["SLURM_JOB_ID"]
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        done = subprocess.run(
            ["scontrol", "requeue", job], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        return str(error)
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""


__all__ = ["Requeue", "remove", "write_then_rename"]
