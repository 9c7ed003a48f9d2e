"""What lab 3 says of how ranks are started and find their places, shown with their variables."""

from __future__ import annotations

import lightning as L
import pytest
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.trainer.connectors import accelerator_connector

from litcourse.clusters import resolved, simulated_cluster
from litcourse.core.environment import only_variables
from litcourse.probing.trainers import quiet_trainer

pytestmark = pytest.mark.filterwarnings("ignore")


def test_one_gpu_for_each_task() -> None:
    """If Slurm binds one GPU to each task (`--gpus-per-task=1`), every rank sees only one, and
    `devices=4` is refused.
    """
    with (
        simulated_cluster(nodes=1, gpus=1, slurm=True),
        pytest.raises(MisconfigurationException, match=r"But your machine only has: \[0\]"),
    ):
        L.Trainer(devices=4, accelerator="gpu", logger=False)


def test_devices_that_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """`"auto"`: all GPUs of the node, in a notebook one of them; on a CPU one process … in a
    notebook the strategy `"auto"` takes the one that forks if `devices` asks for several … typed
    into a notebook or a Python prompt, `devices="auto"` is *one* GPU.
    """
    with simulated_cluster(nodes=1, gpus=3, local_rank=0):
        assert resolved(L.Trainer(logger=False))["world_size"] == 3
        monkeypatch.setattr(accelerator_connector, "_IS_INTERACTIVE", True)
        assert resolved(L.Trainer(logger=False))["world_size"] == 1
        forks = L.Trainer(logger=False, devices=3).strategy
        assert isinstance(forks, DDPStrategy)
        assert forks._start_method == "fork"
    assert quiet_trainer(devices="auto").world_size == 1


def test_who_starts_the_ranks() -> None:
    """`TORCHELASTIC_RUN_ID` … `SLURM_NTASKS`, and a job not named `bash` or `interactive`."""
    slurm = {"SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_LOCALID": "1", "SLURM_NODEID": "0"}
    named = {name: slurm | {"SLURM_JOB_NAME": name} for name in ("train", "bash", "interactive")}
    found = {}
    for name, variables in {**named, "torchrun": {"TORCHELASTIC_RUN_ID": "1"}}.items():
        with only_variables(variables):
            found[name] = (SLURMEnvironment.detect(), TorchElasticEnvironment.detect())
    assert found == {
        "train": (True, False),
        "bash": (False, False),
        "interactive": (False, False),
        "torchrun": (False, True),
    }


def test_where_ranks_find_their_numbers() -> None:
    """First of `SLURM_NODELIST`; 15000 + the last four digits of `SLURM_JOB_ID` …
    `SLURM_PROCID` … `SLURM_LOCALID` … `SLURM_NODEID` … `GROUP_RANK`.
    """
    slurm = {
        "SLURM_NTASKS": "8", "SLURM_PROCID": "5", "SLURM_LOCALID": "1", "SLURM_NODEID": "2",
        "SLURM_JOB_ID": "4321098", "SLURM_JOB_NAME": "train", "SLURM_NODELIST": "gpu[03-06]",
        "SLURM_NTASKS_PER_NODE": "2",
    }  # fmt: skip
    with only_variables(slurm):
        job = SLURMEnvironment()
        places = (job.global_rank(), job.local_rank(), job.node_rank(), job.world_size())
        assert places == (5, 1, 2, 8)
        assert (job.main_address, job.main_port) == ("gpu03", 15000 + 1098)
    elastic = {"RANK": "5", "LOCAL_RANK": "1", "GROUP_RANK": "2", "WORLD_SIZE": "8"}
    with only_variables(elastic):
        group = TorchElasticEnvironment()
        places = (group.global_rank(), group.local_rank(), group.node_rank(), group.world_size())
        assert places == (5, 1, 2, 8)
    with only_variables({"LOCAL_RANK": "1", "NODE_RANK": "2"}):
        own = LightningEnvironment()
        assert (own.local_rank(), own.node_rank(), own.creates_processes_externally) == (1, 2, True)


def test_a_number_of_tasks_alone() -> None:
    """`--ntasks=8` without `--ntasks-per-node` is refused by Lightning; so are `devices` and
    `num_nodes` that differ from `--ntasks-per-node` and `--nodes`.
    """
    job = {"SLURM_NTASKS": "8", "SLURM_JOB_NAME": "train"}
    with only_variables(job), pytest.raises(RuntimeError, match="You set `--ntasks=8`"):
        SLURMEnvironment()
    with only_variables({**job, "SLURM_NTASKS_PER_NODE": "4", "SLURM_NNODES": "2"}):
        SLURMEnvironment().validate_settings(num_devices=4, num_nodes=2)
        for devices, nodes, word in ((8, 2, "devices=8"), (4, 1, "num_nodes=1")):
            with pytest.raises(ValueError, match=word):
                SLURMEnvironment().validate_settings(num_devices=devices, num_nodes=nodes)
