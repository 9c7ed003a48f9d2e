"""A job that Slurm warns before its time is up: it saves, queues itself again, and goes on.

Lightning does this by itself, but in the signal's handler: each rank saves wherever the signal
happens to find it. Saving under DDP, FSDP or ZeRO is a collective, and ranks that are one batch
apart then wait for each other in different ones, for ever (seen with lightning 2.6.6, two ranks
over gloo). Here the handler only takes a note. Before each batch the ranks compare their notes,
and all of them save at the same one.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

WARNING = signal.SIGUSR1
"""What `#SBATCH --signal=USR1@120` sends to every rank."""


class Requeue(L.Callback):
    """Saves and requeues the job when it was warned; does nothing outside Slurm.

    The checkpoint is `hpc_ckpt_N.ckpt` in the run's folder, where Lightning looks for one when the
    job comes back. Once it is queued again, the program ends; if `scontrol` refuses, it trains on.
    """

    def __init__(self) -> None:
        self.warned = False

    def setup(  # what Lightning calls it with
        self,
        trainer: L.Trainer,  # noqa: ARG002
        pl_module: L.LightningModule,  # noqa: ARG002
        stage: str,
    ) -> None:
        """Take the signal before Lightning does, which leaves alone what has a handler."""
        if stage == "fit" and SLURMEnvironment.detect():
            signal.signal(WARNING, self._take_note)

    def _take_note(self, *_: object) -> None:
        self.warned = True

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Save and requeue if any rank was warned; the batch before is over and logged.

        Raises:
            SystemExit: the job is queued again.
        """
        if not SLURMEnvironment.detect():
            return
        if not trainer.strategy.reduce_boolean_decision(self.warned, all=False):
            return
        # Rank 0 names the file: a rank that looked later would find the one being written.
        path = trainer.strategy.broadcast(_next_path(Path(trainer.default_root_dir)))
        rank_zero_info(f"Warned by Slurm: saving step {trainer.global_step} to {path}")
        for logger in trainer.loggers:
            logger.finalize("finished")
        trainer.save_checkpoint(path)
        refused = trainer.strategy.broadcast(_requeue() if trainer.is_global_zero else "")
        self.warned = False  # only now: the same signal may reach another rank a moment later
        if refused:
            rank_zero_warn(f"The job could not be requeued, so it goes on: {refused}")
        else:
            raise SystemExit(0)


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


__all__ = ["Requeue"]
