"""Every script of slurm/, submitted to a real Slurm without GPUs: ranks train on the CPU."""

from __future__ import annotations

import csv
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.slurm.minislurm import Job, MiniSlurm

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

SCRIPTS = ("cpu", "one_gpu", "ddp_one_node", "ddp_nodes", "fsdp_nodes", "zero_nodes", "requeue")
Submit = Callable[..., tuple[Job, Path, str]]


@pytest.fixture
def submit(slurm: MiniSlurm, root: Path, tmp_path: Path) -> Submit:
    """`submit(script, options, arguments)`: the ended job, the folder of its run, its output."""

    def run(script: str, options: list[str], arguments: list[str]) -> tuple[Job, Path, str]:
        out, folder = tmp_path / "out.txt", tmp_path / "run"
        shown = [f"--output={out}", *options, "--cpus-per-task=1", f"slurm/{script}.sbatch"]
        job_id = slurm.submit(
            *shown, *arguments, f"--run_dir={folder}", folder=root, VENV=sys.prefix
        )
        job = slurm.wait(job_id)
        text = out.read_text()
        assert job.state == "COMPLETED", text[-4000:]
        return job, folder, text

    return run


def smoke(program: str) -> list[str]:
    return ["--config", f"reference/{program}/configs/smoke.yaml"]


def summary(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "summaries/fit-0.json").read_text())
    return found


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("lines", [80])
def test_script_is_short_and_says_what_it_is(root: Path, script: str, lines: int) -> None:
    text = (root / "slurm" / f"{script}.sbatch").read_text()
    head = text.split("\n#SBATCH")[0]
    assert len(text.splitlines()) <= lines
    assert re.findall(r"^# (Shows|Asks for|Submit)\b", head, re.MULTILINE) == [
        "Shows", "Asks for", "Submit",
    ]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_accepted_as_it_stands(slurm: MiniSlurm, root: Path, script: str) -> None:
    told = slurm.run("sbatch", "--test-only", str(root / "slurm" / f"{script}.sbatch"), check=False)
    assert "to start at" in told


@pytest.mark.parametrize("script", ["ddp_nodes", "fsdp_nodes", "zero_nodes", "requeue"])
def test_script_is_accepted_for_eight_nodes_of_eight_gpus(
    slurm: MiniSlurm, root: Path, script: str
) -> None:
    size = ("--nodes=8", "--ntasks-per-node=8", "--gpus-per-node=8")
    path = str(root / "slurm" / f"{script}.sbatch")
    told = slurm.run("sbatch", "--test-only", *size, path, check=False)
    assert re.search(r"to start at .* using 512 processors on nodes n\[1-8\]", told)
    told = slurm.run("sbatch", "--test-only", "--nodes=9", path, check=False)
    assert "Node count specification invalid" in told or "node configuration" in told


def test_cpu_trains_on_one_node(submit: Submit) -> None:
    job, folder, text = submit("cpu", [], smoke("mnist"))
    assert (job.fields["NumNodes"], job.fields["NumTasks"]) == ("1", "1")
    assert "JOB_GRES" not in job.fields or job.fields["JOB_GRES"] == "(null)"
    assert summary(folder)["steps"] == 16
    assert "test_acc" in text


def test_one_gpu_is_given_one_gpu(submit: Submit) -> None:
    job, folder, _ = submit("one_gpu", [], smoke("cifar10"))
    assert job.fields["JOB_GRES"] == "gpu:1"
    assert (summary(folder)["world_size"], summary(folder)["precision"]) == (1, "bf16-mixed")


TWO = ["--ntasks-per-node=2", "--gpus-per-node=2"]


def test_ddp_one_node_makes_a_rank_of_each_task(submit: Submit) -> None:
    job, folder, _ = submit("ddp_one_node", TWO, smoke("cifar10"))
    assert (job.fields["NumNodes"], job.fields["NumTasks"]) == ("1", "2")
    assert job.fields["JOB_GRES"] == "gpu:2"
    assert (summary(folder)["world_size"], summary(folder)["strategy"]) == (2, "DDPStrategy")


@pytest.mark.parametrize(("nodes", "per_node"), [(1, 2), (2, 2), (4, 1)])
def test_ddp_nodes_takes_its_size_from_the_command_line(
    submit: Submit, nodes: int, per_node: int
) -> None:
    size = [f"--nodes={nodes}", f"--ntasks-per-node={per_node}", f"--gpus-per-node={per_node}"]
    job, folder, text = submit("ddp_nodes", size, smoke("cifar10"))
    assert job.fields["NumNodes"] == str(nodes)
    assert job.fields["JOB_GRES"] == f"gpu:{nodes * per_node}"
    assert summary(folder)["world_size"] == nodes * per_node
    for rank in range(nodes * per_node):
        assert f"GLOBAL_RANK: {rank}, MEMBER: {rank + 1}/{nodes * per_node}" in text


def test_fsdp_nodes_shards_over_nodes_under_another_policy(submit: Submit) -> None:
    other = ["--config", "reference/cifar10/configs/fsdp_size.yaml"]
    size = ["--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=1"]
    _, folder, _ = submit("fsdp_nodes", size, [*other, *smoke("cifar10")])
    assert (summary(folder)["world_size"], summary(folder)["strategy"]) == (2, "FSDP1OnCPU")
    assert len(list((folder / "checkpoints/last.ckpt").glob("*.distcp"))) == 2


def test_zero_nodes_shards_over_nodes(submit: Submit) -> None:
    size = ["--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=1"]
    _, folder, _ = submit("zero_nodes", size, smoke("cifar10"))
    assert (summary(folder)["world_size"], summary(folder)["strategy"]) == (2, "ZeROOnCPU")
    parts = folder / "checkpoints/last.ckpt/checkpoint"  # DeepSpeed names them bf16_... under bf16
    shards = parts.glob("bf16_zero_pp_rank_*_optim_states.pt")
    assert len(list(shards)) == 2


def test_requeue_goes_on_at_the_step_where_it_was_warned(
    slurm: MiniSlurm, root: Path, tmp_path: Path
) -> None:
    out, folder = tmp_path / "out.txt", tmp_path / "run"
    long = ["--trainer.max_epochs=20", "--trainer.log_every_n_steps=1", f"--run_dir={folder}"]
    options = [f"--output={out}", *TWO, "--cpus-per-task=1", "slurm/requeue.sbatch"]
    job_id = slurm.submit(*options, *smoke("cifar10"), *long, folder=root, VENV=sys.prefix)
    wait_for(out, "epoch 3/20")
    slurm.run("scancel", "--signal=USR1", job_id)
    job = slurm.wait(job_id, seconds=240)
    text = out.read_text()
    assert (job.state, job.fields["Restarts"]) == ("COMPLETED", "1"), text[-4000:]
    # What the first run printed is still there, and the second one did not start over.
    assert text.count("epoch 1/20") == text.count("epoch 2/20") == 1
    assert text.count("epoch 20/20") == 1
    assert f"Restoring states from the checkpoint path at {folder}/hpc_ckpt_1.ckpt" in text
    before, after = (trained(folder, version) for version in (0, 1))
    total = 20 * 8
    assert summary(folder)["steps"] == total
    # The first run saved after the last step that it made; the second one made all others.
    assert f"saving step {before} to {folder}/hpc_ckpt_1.ckpt" in text
    assert before + after == total
    assert before >= 3 * 8


def test_a_job_that_may_not_be_requeued_trains_on(
    slurm: MiniSlurm, root: Path, tmp_path: Path
) -> None:
    out, folder = tmp_path / "out.txt", tmp_path / "run"
    long = ["--trainer.max_epochs=12", f"--run_dir={folder}"]
    options = [f"--output={out}", "--no-requeue", *TWO, "--cpus-per-task=1", "slurm/requeue.sbatch"]
    job_id = slurm.submit(*options, *smoke("cifar10"), *long, folder=root, VENV=sys.prefix)
    wait_for(out, "epoch 1/12")
    slurm.run("scancel", "--signal=USR1", job_id)
    job = slurm.wait(job_id)
    text = out.read_text()
    assert (job.state, job.fields["Restarts"]) == ("COMPLETED", "0"), text[-4000:]
    refusal = (
        "The job could not be requeued, so it goes on: Requested operation is presently disabled"
    )
    assert text.count(refusal) == 1
    assert (folder / "hpc_ckpt_1.ckpt").exists()  # for whoever submits it again
    assert summary(folder)["steps"] == 12 * 8


def wait_for(out: Path, words: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not (out.exists() and words in out.read_text()):
        assert time.monotonic() < deadline, out.read_text() if out.exists() else "no output"
        time.sleep(0.1)


def trained(folder: Path, version: int) -> int:
    """How many steps a run logged."""
    with (folder / f"csv/version_{version}/metrics.csv").open() as table:
        return sum(bool(row["train_loss"]) for row in csv.DictReader(table))
