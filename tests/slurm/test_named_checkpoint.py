"""A job submitted with `--ckpt_path` goes on from its own checkpoint once it is requeued."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slurm.minislurm import MiniSlurm
from tests.slurm.test_scripts import smoke, summary, trained, wait_for

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
EPOCHS, STEPS = 12, 12 * 8


def test_a_requeued_job_does_not_begin_with_the_named_checkpoint_again(
    slurm: MiniSlurm, root: Path, tmp_path: Path
) -> None:
    out, first, folder = tmp_path / "out.txt", tmp_path / "first", tmp_path / "run"
    long = [*smoke("cifar10"), f"--trainer.max_epochs={EPOCHS}", "--trainer.log_every_n_steps=1"]
    each_epoch = ["--last.save_top_k=-1", "--last.filename={epoch}", "--trainer.accelerator=cpu"]
    program = [sys.executable, "-m", "reference.cifar10", "fit", *long, *each_epoch]
    program.append(f"--run_dir={first}")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(program, cwd=root, env=environment, check=True, capture_output=True)
    named = f"--ckpt_path={first / 'checkpoints/epoch=0.ckpt'}"

    one = ["--ntasks-per-node=1", "--gpus-per-node=1", "--cpus-per-task=1"]
    options = [f"--output={out}", *one, "slurm/requeue.sbatch"]
    arguments = [*long, named, f"--run_dir={folder}"]
    job_id = slurm.submit(*options, *arguments, folder=root, VENV=sys.prefix)
    wait_for(out, f"epoch 2/{EPOCHS}")
    slurm.run("scancel", "--signal=USR1", job_id)
    job = slurm.wait(job_id, seconds=240)
    text = out.read_text()
    assert (job.state, job.fields["Restarts"]) == ("COMPLETED", "1"), text[-4000:]
    assert text.count("Restoring states from the checkpoint path at " + named.split("=", 1)[1]) == 1
    assert f"Restoring states from the checkpoint path at {folder}/hpc_ckpt_1.ckpt" in text
    before, after = (trained(folder, version) for version in (0, 1))
    assert summary(folder)["steps"] == STEPS
    assert 8 + before + after == STEPS
