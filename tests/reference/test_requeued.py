"""A program that Slurm has requeued goes on from the job's own checkpoint."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reference.mnist.mnist_train import main as mnist

pytestmark = pytest.mark.slow
JOB = {
    "SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0", "SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "train",
}  # fmt: skip


def fit(folder: Path, *more: str) -> None:
    """Train two epochs of eight steps as the one task of a job."""
    os.environ.update(JOB)  # of a rank, which is a process of its own
    config = ["--config", "reference/mnist/configs/smoke.yaml", "--trainer.log_every_n_steps=1"]
    own = ["--trainer.accelerator=cpu", "--trainer.devices=1"]
    mnist(["fit", f"--run_dir={folder}", *config, *own, *more])


def steps(folder: Path) -> int:
    """How many steps a run logged."""
    with (folder / "csv/version_0/metrics.csv").open() as table:
        return sum(bool(row.get("train_loss")) for row in csv.DictReader(table))


def test_the_checkpoint_of_a_requeued_job_comes_before_one_that_is_named(
    ranks: Callable[..., list[Any]], tmp_path: Path
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    each_epoch = ["--last.save_top_k=-1", "--last.filename={epoch}"]
    ranks(partial(fit, first, *each_epoch), 1)
    assert steps(first) == 16
    named = f"--ckpt_path={first / 'checkpoints/epoch=1.ckpt'}"
    ranks(partial(fit, tmp_path / "named", named), 1)
    assert steps(tmp_path / "named") == 0
    again.mkdir()
    shutil.copy(first / "checkpoints/epoch=0.ckpt", again / "hpc_ckpt_1.ckpt")
    ranks(partial(fit, again, named), 1)
    assert steps(again) == 8, "it did not go on from the job's own checkpoint"
