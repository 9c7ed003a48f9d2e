"""A job in the pocket: it is bounded, leaves nothing behind, and its clock has no races."""

from __future__ import annotations

import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from litcourse.pocket import Limits, Outcome, Setting, Training, run_script

HEAD = "#!/bin/bash\n#SBATCH -N1 --ntasks-per-node=2 --gpus-per-node=2 --time=60 --output=log\n"
TRAIN = "python train.py --devices 2"
WARNED = "#SBATCH --requeue --open-mode=append --signal={}USR1@300\n"


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "train.py").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert not processes_with(str(tmp_path))


def processes_with(text: str) -> list[list[str]]:
    """Command lines of processes of which a word holds a text."""
    found = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [words for words in found if any(text in word for word in words)]


def run(folder: Path, body: str, head: str = HEAD, **setting: object) -> Outcome:
    return run_script(head + body, folder, setting=Setting(**setting))  # type: ignore[arg-type]


def what(outcome: Outcome) -> list[str]:
    return [event.what for event in outcome.clock if event.what != "signalled"]


# --- the clock -----------------------------------------------------------------------------------

RIGHT_WAYS = {
    "steps": ("", f"srun {TRAIN}"),
    "trap": (
        "B:", f"trap 'kill -USR1 $c; wait $c' USR1\nsrun {TRAIN} &\nc=$!\nwait $c",
    ),
    "scancel": (
        "B:", f"trap 'scancel --signal=USR1 $SLURM_JOB_ID' USR1\nsrun {TRAIN} &\nwait\nwait",
    ),
    "exec": ("B:", f"exec srun {TRAIN}"),
    "shells": ("", f"srun bash -c 'exec {TRAIN}'"),
    "own log": ("", f"srun --open-mode=append --output=own.log {TRAIN}"),
}  # fmt: skip


@pytest.mark.parametrize("way", RIGHT_WAYS)
@pytest.mark.parametrize("time_", range(3))
def test_warned_saved_requeued_resumed(tmp_path: Path, way: str, time_: int) -> None:
    del time_  # three times: a race shows now and then
    whom, body = RIGHT_WAYS[way]
    head = HEAD + WARNED.format(whom)
    outcome = run(tmp_path, body, head, program=Training(2.5), first_nodes=("n3", "n7", "n2"))
    assert (outcome.state, outcome.restarts) == ("COMPLETED", 2)
    one = ["started", "ready", "warned", "saved", "requeued", "ended"]
    again = ["started", "ready", "resumed", *one[2:]]
    assert what(outcome) == [*one, *again, "started", "ready", "resumed", "finished", "ended"]
    assert {process.host for process in outcome.processes} == {"n2", "n3", "n7"}


WRONG_WAYS = {
    "no srun": ("", TRAIN, "TIMEOUT", False),
    "trap behind a foreground srun": (
        "B:", f"trap 'scontrol requeue $SLURM_JOB_ID' USR1\nsrun {TRAIN}", "TIMEOUT", False,
    ),
    "no trap": ("B:", f"srun {TRAIN}", "FAILED", False),
    "another signal": ("", f"srun {TRAIN}", "FAILED", False),
}  # fmt: skip


@pytest.mark.parametrize("way", WRONG_WAYS)
def test_what_does_not_save(tmp_path: Path, way: str) -> None:
    whom, body, state, saved = WRONG_WAYS[way]
    head = HEAD + WARNED.format(whom)
    if way == "another signal":
        head = head.replace("USR1", "USR2")
    outcome = run(tmp_path, body, head, program=Training(2.5))
    assert outcome.state == state
    assert ("saved" in what(outcome)) == saved


def test_warned_too_late_and_not_allowed_to_requeue(tmp_path: Path) -> None:
    late = HEAD + WARNED.format("").replace("300", "60")
    outcome = run(tmp_path, f"srun {TRAIN}", late, program=Training(2.5))
    assert outcome.state == "TIMEOUT"
    assert "saved" not in what(outcome)
    refused = HEAD + WARNED.format("").replace("--requeue", "")
    outcome = run(tmp_path, f"srun {TRAIN}", refused, program=Training(2.5))
    assert outcome.state == "TIMEOUT"
    assert "refused" in what(outcome)
    assert "Requested operation is presently disabled" in outcome.outputs["log"]


def test_a_second_job_begins_from_scratch_in_a_folder_of_its_own(tmp_path: Path) -> None:
    head = HEAD + WARNED.format("")
    body = f"srun {TRAIN} --run_dir runs/$SLURM_JOB_ID"
    for job in (1, 2):
        outcome = run(tmp_path, body, head, program=Training(2.5), job_id=job)
        assert what(outcome).count("resumed") == 2


def test_sleep_takes_no_time(tmp_path: Path) -> None:
    began = time.monotonic()
    outcome = run(tmp_path, "sleep 10m; (sleep 5; echo in) & sleep 1200; wait; echo out")
    assert outcome.outputs["log"].split() == ["in", "out"]
    assert outcome.clock[-1].seconds == 1800
    assert time.monotonic() - began < 10


def test_steps_beside_each_other_take_their_turns(tmp_path: Path) -> None:
    outcome = run(tmp_path, "srun sleep 100 & srun sleep 100 & wait")
    assert outcome.clock[-1].seconds == 200
    half = "srun -n1 --exact --gpus-per-node=1 sleep 100 &"
    outcome = run(tmp_path, f"{half} {half} wait")
    assert outcome.clock[-1].seconds == 100


def test_training_twice_in_a_job(tmp_path: Path) -> None:
    outcome = run(tmp_path, f"srun {TRAIN}\nsrun {TRAIN}", program=Training(0.2))
    assert what(outcome).count("finished") == 2
    assert outcome.state == "COMPLETED"


@pytest.mark.parametrize(
    ("address", "state"),
    [("$(scontrol show hostnames | head -n1)", "COMPLETED"), ("$(hostname)", "COMPLETED"),
     ("$(hostname -I)", "COMPLETED"), ("localhost", "TIMEOUT"), ("n9", "FAILED")],
)  # fmt: skip
def test_the_ranks_meet_at_an_address(tmp_path: Path, address: str, state: str) -> None:
    head = HEAD.replace("-N1", "-N2")
    body = f"export MASTER_ADDR={address}\nsrun {TRAIN} --num_nodes 2"
    outcome = run(tmp_path, body, head)
    assert outcome.state == state
    lost = "DistNetworkError: The client socket has timed out"
    assert (lost in outcome.outputs["log"]) == (state != "COMPLETED")


CORES = {
    "srun": 1,
    "srun --cpus-per-task=8": 8,
    "srun -c $SLURM_CPUS_PER_TASK": 8,
    "export SRUN_CPUS_PER_TASK=4; srun": 4,
    "srun --exact": 1,
    "": 16,
}
"""Cores that a process is bound to, of a job of two tasks with 8 cores: what srun documents."""


@pytest.mark.parametrize("start", CORES)
def test_cores_of_a_task(tmp_path: Path, start: str) -> None:
    head = HEAD.replace("-N1", "-N1 -c 8")
    outcome = run(tmp_path, f"{start} python -c pass; {start} nproc", head)
    assert {process.cores for process in outcome.processes} == {CORES[start]}
    assert set(outcome.outputs["log"].split()) & {"1", "4", "8", "16"} == {str(CORES[start])}


# --- bounded -------------------------------------------------------------------------------------


def test_a_job_that_burns_the_processor_is_stopped(tmp_path: Path) -> None:
    outcome = run(tmp_path, "while :; do :; done", limits=Limits(processor=0.5, time=20))
    assert outcome.stopped == "processor"
    assert not outcome.state


def test_a_job_that_waits_for_something_else_is_stopped(tmp_path: Path) -> None:
    outcome = run(tmp_path, "/bin/sleep 100", limits=Limits(time=1))
    assert outcome.stopped == "time"


def test_a_job_of_too_many_processes_is_stopped(tmp_path: Path) -> None:
    body = "for i in $(seq 100); do /bin/sleep 50 & done; wait"
    outcome = run(tmp_path, body, limits=Limits(processes=40, time=20))
    assert outcome.stopped == "processes"


def test_outputs_are_bounded(tmp_path: Path) -> None:
    outcome = run(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x")
    assert len(outcome.outputs["log"]) < 21_000


@pytest.mark.parametrize("body", ["(tail -f {here} &) ; true", "setsid tail -f {here} & true",
                                  "nohup tail -f {here} >/dev/null & disown"])  # fmt: skip
def test_no_process_is_left(tmp_path: Path, body: str) -> None:
    (tmp_path / "file").touch()
    outcome = run(tmp_path, body.format(here=tmp_path / "file"))
    assert outcome.state == "COMPLETED"
    assert not processes_with(str(tmp_path))


@pytest.mark.parametrize(
    ("number", "delay"),
    [*((signal.SIGINT, delay) for delay in (0.0, 0.002, 0.01, 0.03)),
     (signal.SIGTERM, 0.01), (signal.SIGHUP, 0.01)],
)  # fmt: skip
def test_a_stop_ends_the_job(tmp_path: Path, number: signal.Signals, delay: float) -> None:
    own = tmp_path / "tmp"
    own.mkdir()
    (tmp_path / "job.sh").write_text(f"#!/bin/bash\ntouch begun\ntail -f {tmp_path}/begun\n")
    program = subprocess.Popen(
        [sys.executable, "-m", "litcourse.cli", "sbatch", "job.sh"], cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "TMPDIR": str(own)},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (tmp_path / "begun").exists():
        time.sleep(0.001)
    time.sleep(delay)
    program.send_signal(number)
    _, error = program.communicate(timeout=20)
    assert program.returncode == 130
    assert "stopped" in error
    time.sleep(0.2)  # what was missed would have begun by now
    assert not processes_with(str(tmp_path))
    assert not list(own.iterdir())


def test_64_ranks_cost_what_one_does(tmp_path: Path) -> None:
    def seconds() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    def cost(number: int) -> float:
        head = (
            f"#!/bin/bash\n#SBATCH -N{number} --ntasks-per-node={number} --gpus-per-node={number}\n"
        )
        body = f"srun python train.py --devices {number} --num_nodes {number}"
        before = seconds()
        outcome = run(tmp_path, body, head)
        assert (outcome.state, len(outcome.processes)) == ("COMPLETED", number**2)
        return seconds() - before

    cost(1)
    one, many = (statistics.median(cost(number) for _ in range(5)) for number in (1, 8))
    assert many < 2 * one + 0.01  # the clock of the processor ticks in hundredths


def test_the_home_is_that_of_the_setting(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    outcome = run(tmp_path, "echo $HOME", home=home)
    assert "".join(outcome.outputs.values()) == f"{home}\n"
