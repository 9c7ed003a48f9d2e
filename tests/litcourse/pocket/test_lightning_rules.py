"""What the pocket says of Lightning is what the real Trainer does, on the corpus's environments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import lightning as L
import pytest

from litcourse import clusters
from litcourse.pocket import Placement, lightning_under_slurm
from litcourse.probing.silenced import scratch_folder, without_messages
from tests.litcourse.pocket.corpus import cases, environment


@pytest.fixture(autouse=True)
def _in_a_quiet_room(_neutral: None) -> Iterator[None]:
    with scratch_folder():
        yield


def really(
    variables: Mapping[str, str], devices: int | None, nodes: int, gpus: int
) -> tuple[object, ...]:
    """What the Trainer makes of a process: an error, or where it is."""
    try:
        with clusters._machine(variables, gpus, rank=0), without_messages():
            trainer = L.Trainer(
                devices="auto" if devices is None else devices, num_nodes=nodes, logger=False,
                enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            )  # fmt: skip
            found: Any = trainer._accelerator_connector.cluster_environment
            found.validate_settings(num_devices=trainer.num_devices, num_nodes=trainer.num_nodes)
            slurm = type(found).__name__ == "SLURMEnvironment"
            device = trainer.strategy.root_device.index if gpus else None
            if not slurm:
                return False, trainer.world_size, device
            world = found.world_size(), found.global_rank(), found.local_rank()
            return True, *world, found.main_address, device
    except Exception as error:  # noqa: BLE001  (which one is what the test is about)
        return type(error).__name__, str(error)


def ours(place: Placement) -> tuple[object, ...]:
    if place.error:
        return place.error, place.text
    if not place.slurm:
        return False, place.world, place.device
    return True, place.world, place.rank, place.local, place.address, place.device


def environments() -> list[dict[str, str]]:
    """Environments of the corpus, those of first and last tasks, each once."""
    found: dict[str, dict[str, str]] = {}
    for case in cases().values():
        for run in case.get("runs", []):
            for task in (run["tasks"][0], run["tasks"][-1]):
                variables = environment(run, task)
                kept = {n: v for n, v in variables.items()
                        if n.startswith(("SLURM_", "MASTER_ADDR", "CUDA_"))}  # fmt: skip
                kept["SLURM_JOB_ID"] = kept["SLURM_JOBID"] = "4711"
                key = {n: v for n, v in kept.items() if n.startswith(
                    ("SLURM_NTASKS", "SLURM_NNODES", "SLURM_PROCID", "SLURM_LOCALID",
                     "SLURM_NODELIST", "SLURM_JOB_NAME", "MASTER", "CUDA"))}  # fmt: skip
                found[str(sorted(key.items()))] = kept
    return list(found.values())


def test_the_real_trainer_agrees() -> None:
    wrong = []
    every = environments()
    for variables in every:
        seen = len([n for n in variables.get("CUDA_VISIBLE_DEVICES", "").split(",") if n])
        nodes = int(variables.get("SLURM_NNODES", 1))
        for devices in (1, 2, 4, None):
            for number in {1, nodes}:
                place = lightning_under_slurm(variables, devices, number, seen)
                if seen == 0 and devices is not None and devices > 1:
                    continue  # on a processor any number of devices is there
                real = really(variables, devices, number, seen)
                if ours(place) != real:
                    wrong.append((devices, number, seen, variables, ours(place), real))
    assert len(every) > 60
    assert not wrong, f"{len(wrong)}: {wrong[:3]}"


@pytest.mark.parametrize(
    ("change", "devices", "nodes"),
    [
        ({"SLURM_NTASKS_PER_NODE": ""}, 4, 2),
        ({"SLURM_JOB_NAME": "bash"}, 4, 2),
        ({"SLURM_JOB_NAME": "interactive"}, None, 1),
        ({"MASTER_ADDR": "n7"}, 4, 2),
        ({"SLURM_NNODES": "3"}, 4, 2),
        ({"SLURM_LOCALID": "4"}, 4, 2),
        ({"SLURM_NODELIST": "n[02-03]"}, 4, 2),
        ({"SLURM_NODELIST": "gpu-a[1,4]"}, 4, 2),
        ({"SLURM_NODELIST": "n3,n5"}, 4, 2),
    ],
)
def test_unusual_environments(change: dict[str, str], devices: int | None, nodes: int) -> None:
    variables = {
        "SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "4", "SLURM_NNODES": "2", "SLURM_PROCID": "5",
        "SLURM_LOCALID": "1", "SLURM_NODEID": "1", "SLURM_NODELIST": "n[1-2]", "SLURM_JOB_ID": "1",
        "SLURM_JOB_NAME": "train", "CUDA_VISIBLE_DEVICES": "0,1,2,3",
    } | change  # fmt: skip
    place = lightning_under_slurm(variables, devices, nodes, 4)
    assert ours(place) == really(variables, devices, nodes, 4)
