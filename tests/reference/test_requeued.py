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


def fit(folder: Path, restarts: int, *more: str) -> None:
    """Train two epochs of eight steps as the one task of a job."""
    os.environ.update(JOB, SLURM_RESTART_COUNT=str(restarts))  # of a rank, a process of its own
    config = ["--config", "reference/mnist/configs/smoke.yaml", "--trainer.log_every_n_steps=1"]
    own = ["--trainer.accelerator=cpu", "--trainer.devices=1"]
    mnist(["fit", f"--run_dir={folder}", *config, *own, *more])


def measure(folder: Path, weights: Path) -> None:
    """Test these weights in a job in whose folder there is a checkpoint, too."""
    os.environ.update(JOB, SLURM_RESTART_COUNT="0")
    own = ["--trainer.accelerator=cpu", "--trainer.devices=1"]
    config = ["--config", "reference/mnist/configs/smoke.yaml"]
    mnist(["test", f"--run_dir={folder}", f"--weights={weights}", *config, *own])


def steps(folder: Path) -> int:
    """How many steps a run logged."""
    with (folder / "csv/version_0/metrics.csv").open() as table:
        return sum(bool(row.get("train_loss")) for row in csv.DictReader(table))


def test_a_job_started_anew_goes_on_from_its_own_newest_checkpoint(
    ranks: Callable[..., list[Any]], tmp_path: Path
) -> None:
    """On its first start it goes on from the one that is named; later from that if it has none."""
    first = tmp_path / "first"
    each_epoch = ["--last.save_top_k=-1", "--last.filename={epoch}"]
    ranks(partial(fit, first, 0, *each_epoch), 1)
    assert steps(first) == 16
    zero, one = (first / f"checkpoints/epoch={epoch}.ckpt" for epoch in (0, 1))

    def after(name: str, restarts: int, named: Path | None, **own: Path) -> int:
        """Steps of a job in whose folder there are checkpoints, the newest last."""
        folder = tmp_path / name
        for age, (stem, path) in enumerate(own.items()):
            place = folder / ("checkpoints" if stem == "last" else ".") / f"{stem}.ckpt"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
            os.utime(place, (1000 + age, 1000 + age))
        given = [f"--ckpt_path={named}"] if named else []
        ranks(partial(fit, folder, restarts, *given), 1)
        return steps(folder)

    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(one.read_bytes()[:-1])
    assert after("cut-off", 1, None, hpc_ckpt_1=cut) == 16
    ranks(partial(measure, tmp_path / "cut-off", one), 1)
    assert after("named", 0, zero, hpc_ckpt_1=one) == 8
    assert after("signal", 1, one, hpc_ckpt_1=zero) == 8
    assert after("administrator", 1, one, hpc_ckpt_1=one, last=zero) == 8
    assert after("node", 2, None, last=zero) == 8
    assert after("too-early", 1, zero) == 8
    assert after("by-hand", 0, None, hpc_ckpt_1=zero) == 8
    assert after("anew", 0, None, last=zero) == 16
