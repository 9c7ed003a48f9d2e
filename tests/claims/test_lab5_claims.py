"""What lab 5 says of shells and of Lightning under Slurm that can be shown without a cluster."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.distributed import _init_dist_connection

from litcourse.core.environment import only_variables
from litcourse.pocket import run_script
from litcourse.probing.trainers import quiet_trainer
from litcourse.requeue import Requeue, slurm_warning
from tests.claims.lessons import Weight, numbers
from tests.claims.test_jobs_claims import TASK
from tests.course import ROOT

pytestmark = pytest.mark.filterwarnings("ignore")
LISTEN = "from litcourse.requeue import listen\nlisten()"
ONE_FAILS = """#!/bin/bash
#SBATCH --ntasks-per-node=3
#SBATCH --gpus-per-node=3

srun OPTION bash -c '[ $SLURM_PROCID = 2 ] && exit 3; exec python train.py --devices 3'
"""

LOCALHOST = """#!/bin/bash
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
#SBATCH --gpus-per-node=2
#SBATCH --time=60

export MASTER_ADDR=localhost
srun python train.py --devices 2 --num_nodes 2
"""


def becomes_python(command: str) -> bool:
    """Whether the shell that runs `command` is the process in which python runs."""
    with subprocess.Popen(["bash", "-c", command], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        return int(shell.stdout.read().split()[0]) == shell.pid


def test_a_shell_between_srun_and_python() -> None:
    """A shell that stays between `srun` and `python` … gets the signal, too, and dies of it: write
    `exec` before `python` there.
    """
    says_its_number = shlex.join([sys.executable, "-c", "import os; print(os.getpid())"])
    assert becomes_python(says_its_number)  # bash saves itself the process: nobody stays
    assert not becomes_python(f"{says_its_number}; date")
    assert becomes_python(f"date >/dev/null; exec {says_its_number}; date")


@pytest.mark.parametrize(
    ("name", "looks"), [("bash", False), ("interactive", False), ("spawner-jupyterhub", True)]
)
def test_shells_and_notebooks_in_a_job(name: str, *, looks: bool) -> None:
    """Lightning does not look at Slurm there … A JupyterHub's job has another name. There it does
    look.
    """
    with only_variables({"SLURM_NTASKS": "1", "SLURM_JOB_NAME": name}):
        assert SLURMEnvironment.detect() is looks


@pytest.mark.parametrize(("option", "state"), [("", "TIMEOUT"), ("--kill-on-bad-exit=1", "FAILED")])
def test_a_rank_that_ends_early(option: str, state: str, tmp_path: Path) -> None:
    """The others wait for such a rank all the same; `srun --kill-on-bad-exit=1` ends the step, and
    with it the job, with the first rank that fails.
    """
    (tmp_path / "train.py").touch()
    outcome = run_script(ONE_FAILS.replace("OPTION", option), tmp_path, name="job.sbatch")
    assert outcome.state == state


def test_a_line_of_each_rank(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each rank writes a line `GLOBAL_RANK` before it looks for the others."""

    def meet(*_: object, **__: object) -> None:
        raise ConnectionError(caplog.text)

    monkeypatch.setattr(torch.distributed, "init_process_group", meet)
    elsewhere = {"MASTER_ADDR": "localhost", "SLURM_NTASKS": "6", "SLURM_NTASKS_PER_NODE": "3"}
    caplog.set_level(logging.INFO, "lightning.fabric.utilities.distributed")
    met = pytest.raises(ConnectionError, match="GLOBAL_RANK: 4, MEMBER: 5/6")
    with only_variables(TASK | elsewhere | {"SLURM_PROCID": "4"}), met:
        _init_dist_connection(SLURMEnvironment(), "gloo")


def test_the_port_of_a_job(tmp_path: Path) -> None:
    """15000 + the last four digits of `SLURM_JOB_ID`."""
    (tmp_path / "train.py").touch()
    log = run_script(LOCALHOST, tmp_path, name="job.sbatch").outputs["slurm-4711.out"]
    with only_variables(TASK | {"SLURM_JOB_ID": "4711"}):
        assert f"to connect to (localhost, {SLURMEnvironment().main_port})" in log


@pytest.mark.parametrize(
    ("first_lines", "ends_by"), [("", signal.SIGUSR1), (LISTEN, 0)], ids=["deaf", "listens"]
)
def test_a_warning_during_the_imports(first_lines: str, ends_by: int) -> None:
    """USR1, too, ends a program that does not listen yet … A program of your own hears a warning
    during its imports … if its first lines are `from litcourse.requeue import listen` and
    `listen()`.
    """
    program = f"import os, signal, sys\n{first_lines}\nos.kill(os.getpid(), signal.SIGUSR1)\n"
    program += "assert not {'torch', 'lightning'} & set(sys.modules)"  # they come after it
    words = [sys.executable, "-c", program]
    with only_variables({**os.environ, "SLURM_JOB_ID": "7"}):
        assert subprocess.run(words, check=False, cwd=ROOT).returncode == -ends_by


def test_a_note_of_the_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is acted on before the first batch."""
    (tmp_path / "scontrol").write_text("#!/bin/sh\necho $* > scontrol.txt\n")
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(slurm_warning, "_noted", True)
    before, module = signal.getsignal(signal.SIGUSR1), Weight()
    path = f"{tmp_path}:{os.environ['PATH']}"
    trainer = quiet_trainer(callbacks=[Requeue()], default_root_dir=tmp_path)
    with only_variables({**os.environ, **TASK, "PATH": path}), pytest.raises(SystemExit):
        trainer.fit(module, numbers(2))
    signal.signal(signal.SIGUSR1, before)
    assert not module.seen
    assert (tmp_path / "scontrol.txt").read_text() == f"requeue {TASK['SLURM_JOB_ID']}\n"
    assert (tmp_path / "hpc_ckpt_1.ckpt").exists()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_loaders_of_a_rank_with_one_core() -> None:
    """Where Slurm binds tasks to their cores torch warns, in the log: `Our suggested max number of
    worker in current system is 1`.
    """
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        with pytest.warns(UserWarning, match="suggested max number of worker .* is 1"):
            numbers(8, num_workers=8)
    finally:
        os.sched_setaffinity(0, cores)


@pytest.mark.parametrize(("last", "ends"), [("false", 1), ("false | cat", 1), ("false || true", 0)])
def test_where_a_script_ends(last: str, ends: int) -> None:
    """A script ends at the first command that fails, also at the head of a pipe; `|| true` it lets
    through.
    """
    done = subprocess.run(["bash", "-c", f"set -eo pipefail\n{last}\nexit 0"], check=False)
    assert done.returncode == ends


NO_EXPORT = """#!/bin/bash
#SBATCH --export=NONE
#SBATCH --gpus-per-node=1
#SBATCH --time=60

export NCCL_SOCKET_IFNAME=ib0
ALL
srun python train.py
"""


@pytest.mark.parametrize(("line", "found"), [("export SLURM_EXPORT_ENV=ALL", True), ("", False)])
def test_a_site_that_exports_nothing(line: str, found: bool, tmp_path: Path) -> None:
    """Write `export SLURM_EXPORT_ENV=ALL` above `srun`: else it hands nothing of the batch shell
    on, and the ranks find no python.
    """
    (tmp_path / "train.py").touch()
    outcome = run_script(NO_EXPORT.replace("ALL", line, 1), tmp_path, name="job.sbatch")
    assert outcome.state == ("COMPLETED" if found else "FAILED")
    assert ("execve(): python" in outcome.outputs["slurm-4711.out"]) != found
