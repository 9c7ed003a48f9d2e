"""The very files of lab 5's solutions, and its train.py, on the real Slurm without root.

The nodes' GPUs are none, so the ranks train on the CPU, over gloo; all else is as on a cluster.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.slurm.bank_scripts import LAB, answers, script_of
from tests.slurm.remaking import OVER
from tests.slurm.rootless import RootlessSlurm, refusal

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

EPOCHS, SAMPLES, BATCH = 10, 640, 32
"""What train.py does if it is not told otherwise."""
DONE = "`Trainer.fit` stopped: `max_epochs={}` reached."


@pytest.fixture(scope="module", name="cluster")
def _cluster() -> Iterator[RootlessSlurm]:
    reason = refusal()
    if reason:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="rt-", dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        with RootlessSlurm(Path(folder), reads_checkout=True) as cluster:
            yield cluster


def train_py() -> str:
    """The program that the lab gives."""
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in LAB.notebook.cells}
    return script_of(cells["train-file"].source)


@dataclass
class Submission:
    """A job that was submitted from a folder of its own, in which train.py lies."""

    cluster: RootlessSlurm
    folder: Path
    job: str

    @property
    def log(self) -> str:
        """Its log, which is there by the name that the lab asks for."""
        name = self.cluster.fields(self.job)["JobName"]
        path = self.folder / f"{name}-{self.job}.out"
        return path.read_text() if path.exists() else ""

    def checkpoints(self) -> list[str]:
        """Names of the checkpoints below the folder, those that Lightning itself keeps."""
        found = self.folder.glob("runs/**/checkpoints/*.ckpt")
        return sorted(path.name for path in found)

    def until(self, what: Callable[[], object], seconds: float = 600) -> None:
        """Wait until something is so.

        Raises:
            TimeoutError: it is not so in time.
        """
        deadline = time.monotonic() + seconds
        while not what():
            if time.monotonic() > deadline:
                raise TimeoutError(self.log[-4000:])
            time.sleep(0.1)

    def end(self) -> Mapping[str, str]:
        """Wait for its end; what scontrol says then."""
        self.until(lambda: self.cluster.fields(self.job).get("JobState") in OVER)
        return self.cluster.fields(self.job)


def submit(cluster: RootlessSlurm, name: str, script: str, *options: str) -> Submission:
    folder = Path(tempfile.mkdtemp(prefix=name, dir=cluster.folder / "w"))
    folder.chmod(0o777)
    (folder / "train.py").write_text(train_py())
    (folder / f"{name}.sbatch").write_text(script)
    shell = {"PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    words = ("sbatch", "--parsable", *options, f"{name}.sbatch")
    done = cluster.run(*words, cwd=folder, env=shell)
    assert done.rc == 0, done.stderr
    return Submission(cluster, folder, done.stdout.strip())


def solution(question: str) -> str:
    return script_of(answers(question)["solution"])


def steps(world: int, epochs: int = EPOCHS) -> int:
    """Optimizer steps of a whole training."""
    return epochs * -(-SAMPLES // world // BATCH)


@pytest.mark.parametrize(
    ("question", "options", "nodes", "world"),
    [
        ("one_gpu", (), 1, 1),
        pytest.param("one_node", (), 1, 4, marks=pytest.mark.release),
        pytest.param("many_nodes", (), 2, 8, marks=pytest.mark.release),
        pytest.param("many_nodes", ("--nodes=4",), 4, 16, marks=pytest.mark.release),
    ],
)
def test_solution_trains(
    cluster: RootlessSlurm, question: str, options: tuple[str, ...], nodes: int, world: int
) -> None:
    job = submit(cluster, question, solution(question), *options)
    ended = job.end()
    assert (ended["JobState"], ended["ExitCode"]) == ("COMPLETED", "0:0"), job.log[-4000:]
    assert (ended["NumNodes"], ended["TimeLimit"]) == (str(nodes), "01:00:00")
    assert ended["JOB_GRES"] == f"gpu:a100:{world}"
    members = re.findall(r"GLOBAL_RANK: (\d+), MEMBER: \d+/(\d+)", job.log)
    wanted = [(str(rank), str(world)) for rank in range(world)] if world > 1 else []
    assert sorted(members, key=lambda member: int(member[0])) == wanted
    assert job.log.count(DONE.format(EPOCHS)) == 1
    assert job.checkpoints() == [f"epoch={EPOCHS - 1}-step={steps(world)}.ckpt"]


def test_solution_of_requeue_saves_comes_back_and_goes_on(cluster: RootlessSlurm) -> None:
    """Warned once in the middle, by the signal that `--signal=USR1` would send."""
    job = submit(cluster, "requeue", solution("requeue"))
    job.until(job.checkpoints)  # the first epoch is over
    cluster.run("scancel", "--signal=USR1", job.job)
    ended = job.end()
    log = job.log
    assert (ended["JobState"], ended["Restarts"]) == ("COMPLETED", "1"), log[-4000:]
    # All ranks at one step, in the folder of this job; the second run takes it from there.
    saved = re.findall(r"Warned by Slurm: saving step (\d+) to (\S+)", log)
    assert len(saved) == 1
    step, path = int(saved[0][0]), saved[0][1]
    assert path == f"runs/{job.job}/hpc_ckpt_1.ckpt"
    assert steps(4, epochs=1) <= step < steps(4)
    assert len(re.findall(rf"Restor\w+ .*{re.escape(path)}", log)) >= 1
    # Both runs stand in the log, and only the second one came to its end.
    assert log.count("GLOBAL_RANK: 0, MEMBER: 1/4") == 2
    assert log.count("DUE TO JOB REQUEUE") >= 1
    assert log.count(DONE.format(EPOCHS)) == 1
    assert f"epoch={EPOCHS - 1}-step={steps(4)}.ckpt" in job.checkpoints()
    # Another job in the same folder begins from scratch.
    assert [p.name for p in (job.folder / "runs").iterdir()] == [job.job]


@pytest.mark.release
def test_a_training_longer_than_its_limit(cluster: RootlessSlurm) -> None:
    """The warning is Slurm's own, before a limit that is lowered as soon as the ranks train."""
    epochs = 1500
    script = solution("requeue").replace("--num_workers 8", f"--max_epochs {epochs}")
    job = submit(cluster, "requeue", script)
    job.until(job.checkpoints)
    cluster.run("scontrol", "update", f"JobId={job.job}", "TimeLimit=6")
    job.until(lambda: "hpc_ckpt_1.ckpt" in job.log)
    cluster.run("scontrol", "update", f"JobId={job.job}", "TimeLimit=60")
    job.until(lambda: DONE.format(epochs) in job.log, seconds=1000)
    ended = job.end()
    assert (ended["JobState"], ended["Restarts"]) == ("COMPLETED", "1"), job.log[-4000:]
    assert f"epoch={epochs - 1}-step={steps(4, epochs)}.ckpt" in job.checkpoints()
