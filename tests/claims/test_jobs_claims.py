"""What `slurm/README.md` says of Lightning in a job, shown with Slurm's variables."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import pytest
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from torch.utils.data import DistributedSampler

from litcourse.core.environment import only_variables
from litcourse.probing.trainers import quiet_trainer
from tests.claims.lessons import Weight, numbers, two_ranks_trainer

pytestmark = pytest.mark.filterwarnings("ignore")
TASK = {
    "SLURM_NTASKS": "1",
    "SLURM_NTASKS_PER_NODE": "1",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_JOB_ID": "1234",
    "SLURM_JOB_NAME": "train",
}


@pytest.fixture
def job() -> Iterator[None]:
    """The variables of a job with one task."""
    with only_variables({**os.environ, **TASK}):
        yield


class Save(L.Callback):
    """Saves after a step."""

    def __init__(self, step: int, file: Path) -> None:
        self.step, self.file = step, file

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.file)


@pytest.mark.usefixtures("job")
def test_the_checkpoint_of_a_requeued_job(tmp_path: Path) -> None:
    """By itself Lightning looks for `hpc_ckpt_N.ckpt` in the run's folder, and only where no
    checkpoint is named.
    """
    for step, name in ((2, "x"), (5, "hpc_ckpt_1")):
        save = Save(step, tmp_path / f"{name}.ckpt")
        quiet_trainer(max_epochs=3, callbacks=[save]).fit(Weight(), numbers(2))
    for path, begun in ((None, 5), (tmp_path / "x.ckpt", 2)):
        module = Weight()
        trainer = quiet_trainer(max_epochs=3, default_root_dir=tmp_path)
        trainer.fit(module, numbers(2), ckpt_path=path)
        assert len(module.seen) == 6 - begun


def test_a_job_named_bash() -> None:
    """Lightning does not look at Slurm under these names: each task starts a whole job of its
    own, all of them on the same GPUs.
    """
    for local in ("0", "1"):
        task = {**TASK, "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_LOCALID": local}
        with only_variables(
            {**os.environ, **task, "SLURM_PROCID": local, "SLURM_JOB_NAME": "bash"}
        ):
            strategy: Any = two_ranks_trainer().strategy
            environment = strategy.cluster_environment
            assert isinstance(environment, LightningEnvironment)
            assert not environment.creates_processes_externally
            assert (strategy.global_rank, strategy.local_rank, strategy.world_size) == (0, 0, 2)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_rest_of_an_epoch(workers: int, tmp_path: Path) -> None:
    """If a run goes on from a checkpoint and its loader has worker processes, its first epoch has
    the order of epoch 0.
    """

    def run(*callbacks: Any, path: Path | None = None) -> dict[int, list[int]]:
        data = numbers(12).dataset
        sampler: Any = DistributedSampler(data, num_replicas=2, rank=0)
        loader = numbers(12, num_workers=workers, sampler=sampler)
        module = Weight()
        trainer = quiet_trainer(
            max_epochs=3, use_distributed_sampler=False, callbacks=list(callbacks)
        )
        trainer.fit(module, loader, ckpt_path=path)
        return module.order()

    whole = run(Save(8, tmp_path / "a.ckpt"))
    assert len(whole[1]) == 6
    again = whole[0 if workers else 1][:4]
    assert run(path=tmp_path / "a.ckpt") == {1: again, 2: whole[2]}
